# The error function family, of which Julia's standard library has nothing. Everything but the middle of erf is a Gaussian
# times a rational function: Phi(-u) = exp(-u^2/2) P(t)/(u + 1.25) with t = (u - 5)/(u + 5) for u >= 0, and erfc likewise.
# The poles, at -1.25 and at -0.875 for erfc, make P almost flat, so that rounding errors of t do no harm. Source of the
# form: Shepherd and Laframboise, Math. Comp. 36 (1981) 249.

# exp(-u^2/2) has long been 0 here; without the bound u^2 would overflow and 0 * Inf be NaN.
@inline gaussian_bound(::Type{Float64}) = 39.0
@inline gaussian_bound(::Type{Float32}) = 15.0f0
@inline gaussian_tail_start(::Type{Float64}) = 37.0
@inline gaussian_tail_start(::Type{Float32}) = 12.0f0

# The same for erfc, which falls off faster.
@inline erfc_bound(::Type{Float64}) = 27.5
@inline erfc_bound(::Type{Float32}) = 10.5f0
@inline erfc_tail_start(::Type{Float64}) = 26.0
@inline erfc_tail_start(::Type{Float32}) = 9.0f0

@inline clamped(x::T) where {T<:Hardware} =
    ifelse(x > gaussian_bound(T), gaussian_bound(T), ifelse(x < -gaussian_bound(T), -gaussian_bound(T), x))

# 2^k and exp(r) - 1 with exp(-c u^2) = 2^k exp(r) for c = 1/2 or 1, still to be multiplied by `tail_factor(T, intail)`. u
# is split into a part whose square is exact and the rest: otherwise the rounding error of u^2 would be multiplied by u^2.
@inline function gaussian_unscaled(u::T, c::T, intail::Bool) where {T<:Hardware}
    high = upper_half(u)
    square = -c * high * high
    k, shifted = binary_exponent(square, 0)
    r = muladd(-c * (u - high), u + high, exp_remainder(square, k))
    return power_of_two(shifted, intail), exp_series(r)
end

# P(t)/(u + pole) times exp(r), given exp(r) - 1. `near` is a short number near P; the polynomial is P - near, so that its
# rounding errors count little and the product is rounded once, in the last operation.
@inline function gaussian_tail(u::T, series::T, centre::T, pole::T, near::T, coefficients) where {T<:Hardware}
    q = polynomial((u - centre) / (u + centre), coefficients)
    v = muladd(near + q, series, q)
    r, rest = reciprocal_sum(u, pole)
    return muladd(near, r, muladd(v, r, (near + v) * rest))
end

# 1/(u + c) as in `reciprocal_1p`, with Knuth's two-sum, as u may be less or greater than c.
@inline function reciprocal_sum(u::T, c::T) where {T<:Hardware}
    d = u + c
    v = d - u
    lost = (u - (d - v)) + (c - v)
    r = one(T) / d
    return r, r * muladd(-lost, r, muladd(-d, r, one(T)))
end

# Phi(-|x|), exp(-x^2/2)/sqrt(2 pi) and the factor that both still need.
@inline function normal_parts(x::T) where {T<:Hardware}
    u = abs(clamped(x))
    intail = u > gaussian_tail_start(T)
    scale, series = gaussian_unscaled(u, T(0.5), intail)
    tail = gaussian_tail(u, series, T(5), T(1.25), T(0.5), mills_coefficients(T))
    density = T(INV_SQRT_2PI) + muladd(T(INV_SQRT_2PI), series, inv_sqrt_2pi_low(T))
    return scale * tail, scale * density, tail_factor(T, intail)
end

# What rounding takes from 1/sqrt(2 pi)
@inline inv_sqrt_2pi_low(::Type{Float64}) = -2.49232725e-17
@inline inv_sqrt_2pi_low(::Type{Float32}) = -1.133517f-8

# erfc(|x|), still to be multiplied by the second.
@inline function erfc_tail(x::T) where {T<:Hardware}
    u = ifelse(abs(x) > erfc_bound(T), erfc_bound(T), abs(x))
    intail = u > erfc_tail_start(T)
    scale, series = gaussian_unscaled(u, one(T), intail)
    return scale * gaussian_tail(u, series, T(3.5), T(0.875), T(0.75), erfc_coefficients(T)), tail_factor(T, intail)
end

"""
    verfc(x::Real)

The complementary error function 1 - erf(x), branch-free, within 2 ulp in the right tail too.
"""
@inline function verfc(x::T) where {T<:Hardware}
    tail, factor = erfc_tail(x)
    return ifelse(x < 0, T(2) - tail, tail * factor)
end
verfc(x::Real) = verfc(Float64(x))

"""
    verf(x::Real)

The error function, branch-free, within 2 ulp.
"""
@inline function verf(x::T) where {T<:Hardware}
    u = abs(x)
    tail = erfc_tail(u)[1]
    near = muladd(u, polynomial(u * u, erf_coefficients(T)), u)
    return copysign(ifelse(u < T(0.7), near, one(T) - tail), x)
end
verf(x::Real) = verf(Float64(x))

"""
    vnormal_cdf(x::Real)

The standard normal distribution function Phi(x) = erfc(-x/sqrt 2)/2, accurate relative to its value in the left tail.
"""
@inline vnormal_cdf(x::Hardware) = vnormal_cdf_d2(x)[1]
vnormal_cdf(x::Real) = vnormal_cdf(Float64(x))

"""
    vnormal_pdf(x::Real)

The standard normal density exp(-x^2/2)/sqrt(2 pi).
"""
@inline vnormal_pdf(x::Hardware) = vnormal_cdf_d2(x)[2]
vnormal_pdf(x::Real) = vnormal_pdf(Float64(x))

"""
    vnormal_cdf_d2(x::Real) -> (f, f', f'')

Phi(x), the density phi(x) and -x phi(x), from one exponential.
"""
@inline function vnormal_cdf_d2(x::T) where {T<:Hardware}
    tail, pdf, factor = normal_parts(x)
    return ifelse(x < 0, tail * factor, one(T) - tail), pdf * factor, -clamped(x) * pdf * factor
end
vnormal_cdf_d2(x::Real) = vnormal_cdf_d2(Float64(x))

"""
    verf_half_d2(x::Real) -> (f, f', f'')

erf(x/sqrt 2) and its derivatives 2 phi(x) and -2 x phi(x).
"""
@inline function verf_half_d2(x::T) where {T<:Hardware}
    tail, pdf, factor = normal_parts(x)
    u = abs(x)
    near = muladd(u, polynomial(u * u, erf_half_coefficients(T)), u)
    f = copysign(ifelse(u < one(T), near, muladd(-T(2), tail, one(T))), x)
    d1 = T(2) * pdf
    return f, d1 * factor, -clamped(x) * d1 * factor
end
verf_half_d2(x::Real) = verf_half_d2(Float64(x))

"""
    vgelu_d2(x::Real) -> (f, f', f'')

x Phi(x) and its derivatives Phi + x phi and (2 - x^2) phi.
"""
@inline function vgelu_d2(x::T) where {T<:Hardware}
    tail, pdf, factor = normal_parts(x)
    u = clamped(x)
    left = ifelse(x < 0, factor, one(T))
    cdf = ifelse(x < 0, tail, one(T) - tail)
    f = muladd(-abs(u), tail, ifelse(x > 0, x, copysign(zero(T), x)))     # x - x Phi(-x) on the right: rounded once
    return f * left, muladd(u, pdf, cdf) * left, (T(2) - u * u) * pdf * factor
end
vgelu_d2(x::Real) = vgelu_d2(Float64(x))
