# exp and expm1: exp(x) = 2^k exp(r) with x = k ln 2 + r, |r| <= ln(2)/2 (Cody and Waite, Software Manual for the Elementary
# Functions, 1980, chapter 6). The factor 2^k is made by shifting bits. Where the result is below the normal numbers,
# everything is computed 2^128 (Float32: 2^64) times too large and scaled at the end, so that it is rounded only there.

# Adding this rounds to an integer, which the low bits then hold, increased by the bias of the exponent.
@inline rounding_shift(::Type{T}) where {T} = T(3 << (mantissa_bits(T) - 1) + exponent_bias(T))

# From `tail_start` downwards 2^(k-1) is no normal number; at `exp_floor` x exp(x) has long been 0, at `exp_ceiling` Inf.
@inline tail_start(::Type{Float64}) = -707.0
@inline tail_start(::Type{Float32}) = -86.0f0
@inline exp_floor(::Type{Float64}) = -760.0
@inline exp_floor(::Type{Float32}) = -115.0f0
@inline exp_ceiling(::Type{Float64}) = 710.0
@inline exp_ceiling(::Type{Float32}) = 89.0f0
@inline tail_bits(::Type{Float64}) = 128
@inline tail_bits(::Type{Float32}) = 64

# 1, or 2^-128 in the tail
@inline tail_factor(::Type{Float64}, intail::Bool) = ifelse(intail, 2.938735877055719e-39, 1.0)
@inline tail_factor(::Type{Float32}, intail::Bool) = ifelse(intail, 5.421011f-20, 1.0f0)

# The integer k nearest to x / ln 2, as a float, and the float with k + bias + extra in its low bits.
@inline function binary_exponent(x::T, extra::Int) where {T<:Hardware}
    shift = rounding_shift(T) + T(extra)
    shifted = muladd(x, T(1.4426950408889634), shift)
    return shifted - shift, shifted
end

@inline exp_remainder(x::T, k::T) where {T<:Hardware} = muladd(k, -ln2_low(T), muladd(k, -ln2_high(T), x))

# 2^k from what `binary_exponent` returned
@inline function power_of_two(shifted::T, intail::Bool) where {T<:Hardware}
    bits = to_bits(shifted)
    return reinterpret(T, (bits + ifelse(intail, oftype(bits, tail_bits(T)), zero(bits))) << mantissa_bits(T))
end

# exp(r) - 1 for |r| <= ln(2)/2
@inline exp_series(r::T) where {T<:Hardware} = muladd(r * r, polynomial(r, exp_tail_coefficients(T)), r)

"""
    vexp(x::Real)

exp(x), branch-free for `Float64` and `Float32`; within 1 ulp, gradual underflow, `±Inf` and `NaN` kept.
"""
@inline function vexp(x::T) where {T<:Hardware}
    x = ifelse(x > exp_ceiling(T), exp_ceiling(T), ifelse(x < exp_floor(T), exp_floor(T), x))
    intail = x < tail_start(T)
    k, shifted = binary_exponent(x, -1)     # half of 2^k: 2^k itself can be too large when the result is not
    scale = power_of_two(shifted, intail)
    return muladd(scale, exp_series(exp_remainder(x, k)), scale) * (T(2) * tail_factor(T, intail))
end
vexp(x::Real) = exp(x)

"""
    vexpm1(x::Real)

exp(x) - 1, branch-free for `Float64` and `Float32`, within 2 ulp; the sign of zero, `±Inf` and `NaN` are kept.
"""
@inline function vexpm1(x::T) where {T<:Hardware}
    u = ifelse(x > exp_ceiling(T), exp_ceiling(T), ifelse(x < -T(40), -T(40), x))
    k, shifted = binary_exponent(u, -1)
    half = power_of_two(shifted, false)
    return copysign(T(2) * muladd(half, exp_series(exp_remainder(u, k)), half - T(0.5)), x)
end
vexpm1(x::Real) = expm1(x)

# For x <= 0 (or NaN): 2^k and exp(r) - 1 with exp(x) = 2^k exp(r), still to be multiplied by the third, which is 1 outside
# the tail. The unscaled exp(x) is as good as 0 beside 1 in the tail, too.
@inline function exp_nonpositive(x::T) where {T<:Hardware}
    x = ifelse(x < exp_floor(T), exp_floor(T), x)
    intail = x < tail_start(T)
    k, shifted = binary_exponent(x, 0)
    return power_of_two(shifted, intail), exp_series(exp_remainder(x, k)), tail_factor(T, intail)
end

# exp(x), exp(x) - 1 and the factor that the first still needs.
@inline function exp_expm1_nonpositive(x::T) where {T<:Hardware}
    scale, series, factor = exp_nonpositive(x)
    return muladd(scale, series, scale), muladd(scale, series, scale - one(T)), factor
end
