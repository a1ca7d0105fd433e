# exp, expm1, log, log1p and tanh of double-double numbers and of single points with all errors bounded (balls).
#
# exp(x) = 2^k (1 + m) with x = k ln 2 + r and 1 + m = exp(r) = exp(r/32)^32, where exp - 1 is doubled five times by
# m (m + 2), which keeps its relative accuracy. Logarithms are one Newton step for exp from the Float64 value, so that
# nothing need be known about the accuracy of that. The arguments of these functions are balls of radius 0 or close to it.

# A constant, as `T`: a double-double number rounded from many digits is off by less than 2^-105 of itself.
@inline constant(::Type{DoubleDouble}, c::DoubleDouble) = c
@inline constant(::Type{Ball}, c::DoubleDouble) = Ball(c, 4 * U2 * abs(c.hi))

constants(f, range) = Tuple(setprecision(() -> DoubleDouble(f(n)), BigFloat, 512) for n in range)

# 1/n! for n = 2, ..., 14
const INVERSE_FACTORIALS = constants(n -> 1 / BigFloat(factorial(big(n))), 2:14)

# ln 2 in two parts: the upper one has 32 bits, so that its product with any exponent is exact.
const LN2_UPPER = Float64(floor(2.0^32 * log(2.0))) / 2.0^32
const LN2_LOWER = constants(n -> log(BigFloat(2)) - LN2_UPPER, 1:1)[1]

# p(x) = c1 + c2 x + ... by Horner's scheme.
@inline function horner(x::T, c::NTuple{N,DoubleDouble}) where {T<:Wide,N}
    p = constant(T, c[N])
    for n in N-1:-1:1
        p = p * x + constant(T, c[n])
    end
    return p
end

# exp(s) - 1 for |s| <= 0.011. What the series leaves out is below s^15/15! (1 + s) < 1e-12 s^15.
@inline function expm1_series(s::T) where {T<:Wide}
    m = s + (s * s) * horner(s, INVERSE_FACTORIALS)
    s1 = magnitude(s)
    s2 = s1 * s1
    s4 = s2 * s2
    return widened(m, 1e-12 * (s1 * s2) * (s4 * s4 * s4))
end

# The formulas are for points; a ball that is more than that is refused.
@inline isnarrow(x::DoubleDouble) = true
@inline isnarrow(x::Ball) = x.rad <= 1e-3

# k and m with exp(x) = 2^k (1 + m).
@inline function exp_parts(x::T) where {T<:Wide}
    k = round(leading(x) * 1.4426950408889634)
    r = (x - k * LN2_UPPER) - constant(T, LN2_LOWER) * k
    m = expm1_series(scaled(r, 1 / 32))
    for _ in 1:5
        m = m * (m + 2.0)
    end
    return k, m
end

# Beyond these the result is 0 or infinite, whatever the low part.
const EXP_LEAST = -746.0
const EXP_LARGEST = 710.0

# x 2^k for k from -1076 to 1025, in two steps that cannot overflow before the result does.
@inline function times_power(x::Wide, k::Float64)
    half = trunc(0.5 * k)
    return scaled(scaled(x, exact_exp2(half)), exact_exp2(k - half))
end

@inline exact_exp2(k::Float64) = reinterpret(Float64, (unsafe_trunc(Int64, k) + 1023) << 52)

# What is too large, or NaN.
@inline infinite(x::DoubleDouble) = DoubleDouble(x.hi * Inf, 0.0)
@inline infinite(x::Ball) = Ball(infinite(x.mid), Inf)

"""
    exp_and_expm1(x) -> (exp(x), exp(x) - 1)

Both from one reduction, each accurate relative to its size.
"""
function exp_and_expm1(x::T) where {T<:Wide}
    isnarrow(x) || return x * NaN, x * NaN
    leading(x) < EXP_LEAST && return widened(zero(T), UNDERFLOW), widened(-one(T), UNDERFLOW)
    leading(x) <= EXP_LARGEST || return infinite(x), infinite(x)
    k, m = exp_parts(x)
    k == 0 && return m + 1.0, m
    e = times_power(m + 1.0, k)
    return e, e - 1.0
end

Base.exp(x::DoubleDouble) = exp_and_expm1(x)[1]
Base.expm1(x::DoubleDouble) = exp_and_expm1(x)[2]

# With y = y0 + log(1 + d): the series of log(1 + d), of which d^3/3 and more is left out.
@inline function log_correction(y0::Float64, d::T) where {T<:Wide}
    size = magnitude(d)
    size < 1e-8 || return d * NaN
    return widened((d - scaled(d * d, 0.5)) + y0, size^3)
end

"""
    log1p_wide(u)

log(1 + u) for u > -1: with y0 near it, 1 + d = (1 + u) exp(-y0), so that d = u exp(-y0) + expm1(-y0) without cancellation
beyond that of the leading digits, which are exact.
"""
function log1p_wide(u::T) where {T<:Wide}
    y0 = log1p(leading(u))
    isfinite(y0) || return u * y0
    e, m = exp_and_expm1(-one(T) * y0)
    return log_correction(y0, u * e + m)
end

Base.log1p(x::DoubleDouble) = x.hi > -1 ? log1p_wide(x) : log(1.0 + x)

function Base.log(x::DoubleDouble)
    x.hi > 0 && isfinite(x.hi) || return DoubleDouble(log(x.hi))
    0.5 <= x.hi <= 2 && return log1p_wide(x - 1.0)
    y0 = log(x.hi)
    return log_correction(y0, x * exp(DoubleDouble(-y0)) - 1.0)
end

"""
    logarithm(x::Ball) -> Ball

log of a ball of positive numbers: that of its centre, and the slope 1/(mid - rad) times the radius.
"""
function logarithm(x::Ball)
    least = mignitude(x)
    least > 1e-100 && x.mid.hi > 0 || return Ball(DoubleDouble(NaN), Inf)
    y0 = log(x.mid.hi)
    d = Ball(x.mid) * exp_and_expm1(Ball(-y0))[1] - 1.0
    return widened(log_correction(y0, d), upward(x.rad / least))
end

logarithm(x::DoubleDouble) = log(x)

"""
    exponential(x::Ball) -> Ball

exp of a ball of any radius r: exp(mid) (1 + [-1, 1] (exp(r) - 1)), with exp(r) - 1 <= 2r for r <= 1.
"""
function exponential(x::Ball)
    e = exp_and_expm1(Ball(x.mid))[1]
    x.rad <= 1 || return Ball(DoubleDouble(NaN), Inf)
    return widened(e, upward(magnitude(e) * 2 * x.rad))
end

exponential(x::DoubleDouble) = exp(x)

# tanh(|x|) = -m/(2 + m) with m = exp(-2|x|) - 1.
function Base.tanh(x::DoubleDouble)
    m = exp_and_expm1(scaled(abs(x), -2.0))[2]
    t = -m / (m + 2.0)
    return signbit(x) ? -t : t
end
