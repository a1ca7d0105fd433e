# Owen's T function and the bivariate normal distribution.

"""
    owen_t(h, a) -> Float64

Owen's T function 1/(2 pi) int_0^a exp(-h^2 (1 + x^2)/2)/(1 + x^2) dx, to some 1e-16 (Owen, Ann. Math. Statist. 27 (1956)
1075). For |a| <= 1 by Gauss-Legendre rules, where the integrand's poles at +-i are far; else by the reflection
T(h, a) = (Q(h) + Q(ah))/2 - Q(h) Q(ah) - T(ah, 1/a) with Q the upper tail of the normal distribution and h >= 0.
"""
function owen_t(h::Float64, a::Float64)
    (isnan(h) || isnan(a)) && return NaN
    h, size = abs(h), abs(a)
    size <= 1 && return copysign(owen_integral(h, size), a)
    far = isinf(size) ? (h == 0 ? 0.0 : Inf) : size * h
    tail, far_tail = vnormal_cdf(-h), h == 0 ? 0.5 : vnormal_cdf(-far)
    h == 0 && return copysign(atan(size) / (2 * pi), a)
    return copysign((tail + far_tail) / 2 - tail * far_tail - owen_integral(far, 1 / size), a)
end
owen_t(h::Real, a::Real) = owen_t(Float64(h), Float64(a))

# 0 <= a <= 1. Beyond hx = 9 nothing is left; two panels where the Gaussian is much narrower than one.
function owen_integral(h::Float64, a::Float64)
    h > 39 && return 0.0
    h == 0 && return atan(a) / (2 * pi)
    reach = min(a, 9 / h)
    front = vexp(-h * h / 2) / (2 * pi)
    reach * h <= 3 && return front * owen_panel(h, 0.0, reach)
    middle = reach / 2
    return front * (owen_panel(h, 0.0, middle) + owen_panel(h, middle, reach))
end

function owen_panel(h::Float64, from::Float64, to::Float64)
    centre, half, total, c = (from + to) / 2, (to - from) / 2, 0.0, -h * h / 2
    @inbounds @simd for i in 1:20
        x2 = (centre + half * OWEN_NODES[i])^2
        total += OWEN_WEIGHTS[i] * vexp(c * x2) / (1 + x2)
    end
    return half * total
end

# (k - rho h)/s without the cancellation of k - rho h where |rho| is near 1, given s = sqrt(1 - rho^2) to full accuracy; at
# s = 0 the limit.
@inline function conditional_mean(h::Float64, k::Float64, rho::Float64, s::Float64)
    numerator = rho >= 0 ? (k - h) + h * (s * s / (1 + rho)) : (k + h) - h * (s * s / (1 - rho))
    return s == 0 ? (numerator == 0 ? 0.0 : copysign(Inf, numerator)) : numerator / s
end

"""
    centred_cdf(h, k, rho, s) -> Float64

4 P(x < h, y < k) - 2 P(x < h) - 2 P(y < k) + 1 = E[sign(h - x) sign(k - y)] for standard normal x, y with correlation rho,
s = sqrt(1 - rho^2). By Owen's formula (1956, 2.1) it is 1 - 4 T(h, a_h) - 4 T(k, a_k), less 2 where h k < 0.
"""
function centred_cdf(h::Float64, k::Float64, rho::Float64, s::Float64)
    h == 0 && k == 0 && return 2 / pi * atan(rho, s)
    t_h, t_k = conditional_mean(h, k, rho, s), conditional_mean(k, h, rho, s)
    opposite = h * k < 0 || (h * k == 0 && h + k < 0)
    return 1 - 4 * (t_at(h, t_h) + t_at(k, t_k)) - 2 * opposite
end

# T(h, t/h); the limit at h = 0 is sign(t)/4.
t_at(h::Float64, t::Float64) = h == 0 ? (t == 0 ? 0.0 : copysign(0.25, t)) : owen_t(h, t / h)

"""
    bivariate_normal_cdf(h, k, rho; s = sqrt(1 - rho^2)) -> Float64

P(x < h, y < k) for standard normal x, y with correlation rho, to some 1e-16. Where |rho| is near 1, give `s` to full accuracy.
"""
function bivariate_normal_cdf(h::Real, k::Real, rho::Real; s::Union{Real,Nothing} = nothing)
    -1 <= rho <= 1 || throw(ArgumentError("expected a correlation from -1 to 1, got $rho"))
    h, k, rho, s = Float64(h), Float64(k), Float64(rho), Float64(s === nothing ? sqrt((1 - rho) * (1 + rho)) : s)
    (h == -Inf || k == -Inf) && return 0.0
    h == Inf && return vnormal_cdf(k)
    k == Inf && return vnormal_cdf(h)
    return joint_cdf(h, k, rho, s)
end

@inline joint_cdf(h, k, rho, s) =
    max(0.0, centred_cdf(h, k, rho, s) / 4 + (verf_half_d2(h)[1] + verf_half_d2(k)[1] + 1) / 4)
