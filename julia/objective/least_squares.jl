# What methods for least squares ask of an objective that is a sum of squares, L(x) = sum_i r_i(x)^2 + penalties.

"""
    isleastsquares(o::AbstractObjective) -> Bool

Whether `o` is a sum of squares, L(x) = sum_i r_i(x)^2 + R(x) without a factor 1/2, whose Gauss-Newton matrix 2 J'J + R'' is
positive semidefinite. Such an objective implements, besides `value` and `value_gradient!`,

    nresiduals(o)                               m, the number of terms r_i
    weighted_residuals!(r, o, x) -> r           the terms (length m): with the weights, so that L = |r|^2 + R
    weighted_jacobian!(J, o, x) -> J            their derivatives (m x P)
    gauss_newton!(G, o, x) -> G                 2 J'J + R'' (P x P, both triangles)
    residual_acceleration!(out, o, x, v)        2 J' r''(v, v) (length P), r'' the second derivative of the residuals
    keeps_jacobian(o)::Bool                     small enough that m x P numbers are kept: methods then factorize J itself

`residual_acceleration!` is approximated by two evaluations of the residuals where a subtype has no method of its own.
"""
isleastsquares(::AbstractObjective) = false

keeps_jacobian(::AbstractObjective) = false

"""
    nresiduals(o::AbstractObjective) -> Int

The number of terms of a sum of squares, see [`isleastsquares`](@ref).
"""
function nresiduals end

"""
    weighted_residuals!(r, o::AbstractObjective, x) -> r
    weighted_jacobian!(J, o::AbstractObjective, x) -> J

The terms r (length m) of L(x) = |r(x)|^2 + penalties, and their derivatives (m x P). For a network r is sqrt(w_n/N) (f(x_n) - y_n),
the outputs of a sample next to each other; `residuals!` and `jacobian!` give the same numbers without weights.
"""
function weighted_residuals! end
function weighted_jacobian! end

# Part of the step over which residuals are differentiated twice: far enough that rounding does not show.
const ACCELERATION_PART = 0.1

"""
    residual_acceleration!(out, o::AbstractObjective, x, v) -> out

Write 2 J' r''(v, v) into `out` (length P): what the curvature of the residuals along the step `v` adds to the gradient at its end,
in second order. Here r'' is a central difference, (r(x + hv) - 2 r(x) + r(x - hv)) / h^2 with h = 0.1.

M. K. Transtrum, J. P. Sethna, "Improvements to the Levenberg-Marquardt algorithm for nonlinear least-squares minimization",
arXiv:1201.5885 (2012), section 4.
"""
function residual_acceleration!(out::AbstractVector, o::AbstractObjective, x::AbstractVector, v::AbstractVector)
    m, h = nresiduals(o), ACCELERATION_PART
    second, r = zeros(m), zeros(m)
    weighted_residuals!(second, o, x .+ h .* v)
    weighted_residuals!(r, o, x .- h .* v)
    second .+= r
    weighted_residuals!(r, o, x)
    @. second = (second - 2 * r) / h^2
    return mul!(out, transpose(weighted_jacobian!(zeros(m, nparams(o)), o, x)), second, 2.0, 0.0)
end
