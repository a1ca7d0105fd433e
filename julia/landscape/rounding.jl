# How large the rounding errors of a loss, its gradient and its Hessian are at a point: what is smaller is not there.
#
# Three things add up.
#
# Sums over samples, which are made in parts, have a relative error of about A u, with u the unit of rounding and A the square
# root of the number of additions in a row (errors of random sign: N. J. Higham, Accuracy and Stability of Numerical
# Algorithms (2002), 2.8); each of their terms has gone through K roundings in a row. For the squared error the terms are
# 2 c_n J_ni r_n, with c_n = w_n/N, the Jacobian J of the outputs and the residuals r, so that by Cauchy and Schwarz
#
#     |dg_i| <= (K + A) u 2 S_i R,    S_i = (sum_n c_n |J_ni|^2)^(1/2),    R = (sum_n c_n |r_n|^2)^(1/2).
#
# For the cross-entropy probabilities less labels take the place of the residuals, and a probability next to 1 has the
# absolute error u.
#
# The outputs (or probabilities) have errors of their own, which are large where their terms cancel. They are measured: F, the
# root mean square of their change when every parameter is changed by a unit of rounding (F. Chaitin-Chatelin, V. Fraysse, Lectures on Finite
# Precision Computations (1996), chapter 8), and enter the gradient as 2 S_i F. (Bounds of F by norms are 10^10 times too large
# where large weights belong to saturated neurons.)
#
# The parameters are rounded themselves, which no evaluation can help: loss, gradient and Hessian at a neighbouring point.

"""
    Rounding

Sizes of the rounding errors at a point: of the loss, `value`; of each component of the gradient, `gradient` (length P); of the
eigenvalues of the Hessian, `hessian`.
"""
struct Rounding
    value::Float64
    gradient::Vector{Float64}
    hessian::Float64
end

"""
    rounding(o::AbstractObjective, x, loss, g, H, lambda) -> Rounding

The rounding errors at `x`, with the loss, gradient `g`, Hessian `H` and its eigenvalues `lambda` there. The eigenvalues also have
the error of the eigensolver, P u |H| (E. Anderson et al., LAPACK Users' Guide (1999), 4.7).
"""
function rounding(o::AbstractObjective, x::Vector{Float64}, loss::Float64, g::Vector{Float64}, H::Matrix{Float64},
                  lambda::Vector{Float64})
    u = rounding_unit(o)
    made = evaluation_errors(o, x, loss, H, u)
    moved = measured_changes(o, x, loss, g, H, u)
    return Rounding(made.value + moved.value, made.gradient .+ moved.gradient,
                    u * length(x) * maximum(abs, lambda) + made.hessian + moved.hessian)
end

rounding_unit(o::AbstractObjective) = eps(Float64)
rounding_unit(o::NetObjective{T}) where {T} = Float64(eps(T))
rounding_unit(o::RestrictedObjective) = rounding_unit(o.inner)

# Additions in a row of a sum over n samples, from the tiles and vector lanes that it is made in: their square root.
sum_growth(n::Int) = sqrt(TILE / VECTOR_LENGTH + VECTOR_LENGTH + cld(n, TILE))

"""
    evaluation_errors(o, x, loss, H, u) -> (value, gradient, hessian)

The errors of evaluating loss, gradient (length P) and Hessian (2-norm): of sums, and of the outputs.
"""
function evaluation_errors(o::NetObjective{T,MSE}, x::AbstractVector, loss::Float64, H::AbstractMatrix, u::Float64) where {T}
    terms, total = o, abs(loss)
    if has_negative_weights(o.samples)          # sums of terms of either sign: their sizes count
        terms = data_loss(o, MSE(), absolute_weights(o.samples))
        total = value(terms, x)
    end
    S, KA = gauss_newton_roots(terms, MSE(), x) ./ sqrt(2), sum_roundings(o)
    R, F = sqrt(total), output_error(terms, x, u)
    return (value = KA * u * total + 2 * R * F + F^2, gradient = 2 .* S .* (KA * u * R + F),
            hessian = 2 * KA * u * sum(abs2, S) + shifted_targets_change(o, x, H, F))
end

# |p - y|^2 <= 2 (1 - p_label)^2 <= -2 log p_label, and at most 2.
function evaluation_errors(o::NetObjective{T,CrossEntropy}, x::AbstractVector, loss::Float64, H::AbstractMatrix, u::Float64) where {T}
    S, KA = gauss_newton_roots(o, MSE(), x) ./ sqrt(2), sum_roundings(o)
    R, F = sqrt(2 * min(abs(loss), 1.0)), output_error(o, x, u)
    weighted = gauss_newton_roots(o, CrossEntropy(), x)
    return (value = KA * u * (1 + abs(loss)) + F, gradient = (u * (2 * KA * R + 1)) .* S .+ F .* weighted,
            hessian = KA * u * norm(H) + u * sum(abs2, S))
end

absolute_weights(s::Samples{T}) where {T} = Samples{T}(s.n, s.input, s.target, abs.(s.coefficient))

sum_roundings(o::NetObjective) = length(o.layers) + 2 + sum_growth(o.samples.n)

"""
    gauss_newton_roots(o::NetObjective, loss, x) -> Vector (length P)

Square roots of the diagonal of the Gauss-Newton matrix sum_n J_n' Q_n J_n for `loss` (Q = 2c for the squared error), without
penalties.
"""
function gauss_newton_roots(o::NetObjective, loss::AbstractLoss, x::AbstractVector)
    G = gauss_newton!(zeros(nparams(o), nparams(o)), data_loss(o, loss, o.samples), x)
    return [sqrt(max(G[i, i], 0.0)) for i in axes(G, 1)]
end

# A loss of the same network on these samples, without penalties, in the same scratch memory.
data_loss(o::NetObjective{T}, loss::AbstractLoss, samples::Samples{T}) where {T} =
    NetObjective{T,typeof(loss)}(o.layers, samples, loss, MaxNorm(Inf), Merge(o.layers, nothing), o.parts, o.losses, o.second_order,
                                 o.products)

"""
    output_error(o::NetObjective, x, u) -> Float64

F, the root mean square over samples of the change of the outputs when every parameter is changed by `u` times itself: the largest
of several patterns of signs. The outputs of a cross-entropy count by the second derivative of the loss with respect to them,
diag(p) - p p': where a probability is 1, no error of the outputs matters.
"""
function output_error(o::NetObjective, x::AbstractVector, u::Float64)
    f = residuals!(zeros(o.layers[end].nout, o.samples.n), o, x)
    change = similar(f)
    largest = 0.0
    for pattern in SIGN_PATTERNS
        residuals!(change, o, neighbour(x, u, pattern))
        change .-= f
        largest = max(largest, mean_square(o, o.loss, f, change))
    end
    return sqrt(largest)
end

mean_square(o::NetObjective, ::MSE, f, change) =
    sum(o.samples.coefficient[n] * sum(abs2, view(change, :, n)) for n in axes(change, 2))

function mean_square(o::NetObjective, ::CrossEntropy, residual, change)
    total = 0.0
    for n in axes(change, 2)
        f, d = residual[:, n] .+ view(o.samples.target, n, :), view(change, :, n)
        p = exp.(f .- maximum(f))
        p ./= sum(p)
        total += o.samples.coefficient[n] * max(sum(p .* d .^ 2) - sum(p .* d)^2, 0.0)
    end
    return total
end

# The change of the Hessian (norm) when every target is shifted by `shift`, up or down: what errors of the outputs do to it.
function shifted_targets_change(o::NetObjective{T}, x, H, shift::Float64) where {T}
    s = o.samples
    targets = [T(s.target[n, k] + shift * scattered_sign(n + k * s.n, SIGN_PATTERNS[1])) for n in axes(s.target, 1), k in axes(s.target, 2)]
    Hnew = hessian!(similar(H), data_loss(o, MSE(), Samples{T}(s.n, s.input, targets, s.coefficient)), x)
    add_penalty_hessian!(Hnew, o.maxnorm, x)
    add_penalty_hessian!(Hnew, o.merge, x)
    return norm(Hnew .- H)
end

function evaluation_errors(o::RestrictedObjective, x::AbstractVector, loss::Float64, H::AbstractMatrix, u::Float64)
    full = copy(full_point(o, x))
    inner = evaluation_errors(o.inner, full, loss, hessian!(zeros(length(full), length(full)), o.inner, full), u)
    return (value = inner.value, gradient = inner.gradient[o.free], hessian = inner.hessian)
end

# Of any other objective nothing is known: a few units of the size of what is there, and of the terms 2 J r of a sum of
# squares with this value and this curvature.
const PLAIN_UNITS = 16

function evaluation_errors(o::AbstractObjective, x::AbstractVector, loss::Float64, H::AbstractMatrix, u::Float64)
    slopes = [sqrt(2 * abs(loss) * abs(H[i, i])) for i in eachindex(x)]
    return (value = PLAIN_UNITS * u * abs(loss), gradient = (PLAIN_UNITS * u) .* slopes, hessian = PLAIN_UNITS * u * norm(H))
end

# Patterns of signs with which loss and gradient are looked at, and how many of them the Hessian gets.
const SIGN_PATTERNS = (0.6180339887498949, 0.4142135623730951, 0.7320508075688772, 0.2360679774997898)
const HESSIAN_PATTERNS = 2
# The largest of so few changes underestimates what can happen.
const PATTERN_SAFETY = 4.0

"""
    measured_changes(o, x, loss, g, H, u) -> (value, gradient, hessian)

The changes of loss, gradient (by component) and Hessian (norm) when every parameter is changed by `u` times itself, with several
patterns of signs.
"""
function measured_changes(o::AbstractObjective, x::Vector{Float64}, loss::Float64, g::Vector{Float64}, H::Matrix{Float64}, u::Float64)
    value_change, gradient_change, hessian_change = 0.0, zero(g), 0.0
    gnew, Hnew = zero(g), zero(H)
    for (k, pattern) in enumerate(SIGN_PATTERNS)
        y = neighbour(x, u, pattern)
        value_change = max(value_change, abs(value_gradient!(gnew, o, y) - loss))
        gradient_change .= max.(gradient_change, abs.(gnew .- g))
        k <= HESSIAN_PATTERNS || continue
        hessian!(Hnew, o, y)
        Hnew .-= H
        hessian_change = max(hessian_change, norm(Hnew))
    end
    return (value = PATTERN_SAFETY * value_change, gradient = PATTERN_SAFETY .* gradient_change,
            hessian = PATTERN_SAFETY * hessian_change)
end

neighbour(x, u::Float64, pattern::Float64) = [x[i] * (1 + u * scattered_sign(i, pattern)) for i in eachindex(x)]

# Signs without order and without a generator: the fractional parts of multiples of an irrational number (Weyl).
scattered_sign(i::Int, irrational::Float64) = (i * irrational) % 1 < 0.5 ? 1.0 : -1.0
