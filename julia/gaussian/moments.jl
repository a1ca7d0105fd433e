# What an evaluator of a pair of neurons returns.
#
# Two neurons see z1 = m1 + r1 xi and z2 = m2 + r2 (rho xi + s eta) with independent standard normal xi and eta and
# s = sqrt(1 - rho^2). The loss, its gradient and its Hessian with respect to weights and biases are linear in the expectations of
#     h00 = f(z1) g(z2),   h10 = f'(z1) g(z2),   h20 = f''(z1) g(z2),   h11 = f'(z1) g'(z2)
# times 1, xi, eta, xi^2 - 1, xi eta, eta^2 - 1, since d/dw E[f(w x) g(v x)] = E[f' g x] and so on. These numbers are bounded at
# parallel neurons and zero weights, where derivatives with respect to norms, angles or correlations are not; f'' counts the
# jumps of f' as point masses.

"""
    PairMoments()

The expectations `h00`; `h10` (times 1, xi, eta); `h20` and `h11` (times 1, xi, eta, xi^2 - 1, xi eta, eta^2 - 1) of an ordered
pair of neurons. `error` estimates the error of the evaluator relative to the root mean squares of its factors (rounding not
counted), `method` names it.
"""
mutable struct PairMoments
    h00::Float64
    h10::Vector{Float64}
    h20::Vector{Float64}
    h11::Vector{Float64}
    error::Float64
    method::Symbol
end

PairMoments() = PairMoments(0.0, zeros(3), zeros(6), zeros(6), 0.0, :none)

@inline function set3!(v, scale, a, b, c)
    @inbounds v[1], v[2], v[3] = scale * a, scale * b, scale * c
    return nothing
end

@inline function set6!(v, scale, a, b, c, d, e, f)
    @inbounds v[1], v[2], v[3], v[4], v[5], v[6] = scale * a, scale * b, scale * c, scale * d, scale * e, scale * f
    return nothing
end
