# log and log1p: log(1 + f) = f - s (f - z R(z)) with s = f/(2 + f), z = s^2, R from 2 atanh(s) = 2s + s z R(z), as in
# fdlibm's e_log.c: f itself is exact, so that an error of s counts little.

@inline log1p_series(f::T, s::T) where {T<:Hardware} = (z = s * s; f - s * (f - z * polynomial(z, log_tail_coefficients(T))))

"""
    vlog1p_unit(u::Real)

log(1 + u) for 0 <= u <= 1 (or `NaN`), branch-free for `Float64` and `Float32`, within 2 ulp.
"""
@inline vlog1p_unit(u::T) where {T<:Hardware} = log1p_series(u, u / (T(2) + u))
vlog1p_unit(u::Real) = log1p(u)

# The least normal number
@inline least_normal(::Type{Float64}) = 2.2250738585072014e-308
@inline least_normal(::Type{Float32}) = 1.1754944f-38

# The bits of sqrt(1/2), rounded down; x has its k counted from here, so that its significand is in [sqrt(1/2), sqrt 2).
@inline sqrt_half_bits(::Type{Float64}) = 0x3fe6a09e667f3bcc % Int64
@inline sqrt_half_bits(::Type{Float32}) = 0x3f3504f3 % Int32

# An integer as a float by way of the bits of 2^52 + 2^51: conversions of 64-bit integers need AVX-512 to vectorize.
@inline function small_float(k::Int64)
    shift = 6.755399441055744e15
    return reinterpret(Float64, k + reinterpret(Int64, shift)) - shift
end
@inline small_float(k::Int32) = Float32(k)

# x = 2^k m with m in [sqrt(1/2), sqrt 2) for normal x > 0: k as a float, and m
@inline function split_exponent(x::T) where {T<:Hardware}
    offset = to_bits(x) - sqrt_half_bits(T)
    k = offset >> mantissa_bits(T)
    return small_float(k), reinterpret(T, to_bits(x) - k << mantissa_bits(T))
end

# k ln 2 + log(m) + correction
@inline function log_sum(k::T, m::T, correction::T) where {T<:Hardware}
    f = m - one(T)
    s = f / (T(2) + f)
    z = s * s
    small = muladd(k, ln2_low(T), correction) - s * (f - z * polynomial(z, log_tail_coefficients(T)))
    high = k * ln2_high(T)
    sum = high + f
    return sum + ((high - sum) + f + small)
end

# What the formulas above give for 0, Inf and numbers without a logarithm is replaced.
@inline log_limits(y::T, x::T) where {T<:Hardware} =
    ifelse(x == T(Inf), x, ifelse(x == zero(T), -T(Inf), ifelse(x < zero(T), T(NaN), ifelse(isnan(x), x, y))))

"""
    vlog(x::Real)

log(x), branch-free for `Float64` and `Float32`, within 2 ulp: `-Inf` at 0, `NaN` below.
"""
@inline function vlog(x::T) where {T<:Hardware}
    subnormal = x < least_normal(T)
    shift = T(mantissa_bits(T) + 2)
    k, m = split_exponent(ifelse(subnormal, x * exp2_mantissa(T), x))
    return log_limits(log_sum(ifelse(subnormal, k - shift, k), m, zero(T)), x)
end
vlog(x::Real) = log(x)

# 2^(mantissa bits + 2)
@inline exp2_mantissa(::Type{T}) where {T} = T(1 << (mantissa_bits(T) + 2))

"""
    vlog1p(x::Real)

log(1 + x), branch-free for `Float64` and `Float32`, within 2 ulp: `-Inf` at -1, `NaN` below; the sign of zero is kept.
"""
@inline function vlog1p(x::T) where {T<:Hardware}
    u = one(T) + x
    v = u - one(T)
    lost = (one(T) - (u - v)) + (x - v)      # what rounding took from 1 + x, exactly (Knuth's two-sum)
    k, m = split_exponent(u)
    y = log_limits(log_sum(k, m, lost / u), u)
    return ifelse(x == zero(T), x, y)
end
vlog1p(x::Real) = log1p(x)
