# Double-double numbers: the unevaluated sum of two Float64 numbers, about 32 decimal digits with the range of Float64.
#
# Source of the algorithms and of the bounds of their relative errors, with u = 2^-53: M. Joldes, J.-M. Muller, V. Popescu,
# "Tight and rigorous error bounds for basic building blocks of double-word arithmetic", ACM Trans. Math. Softw. 44 (2017)
# 15res; for the square root V. Lefevre et al., "Accurate calculation of Euclidean norms using double-word arithmetic", ACM
# Trans. Math. Softw. 49 (2023). The idea is older: Dekker (1971); Y. Hida, X. S. Li, D. H. Bailey, QD, ARITH-15 (2001).
#
#     sum         3u^2 + 13u^3    (their algorithm 6)      with a Float64   2u^2   (algorithm 4)
#     product     4u^2            (algorithm 12)           with a Float64   2u^2   (algorithm 9)
#     quotient    15u^2 + 56u^3   (algorithm 17)           square root      25/8 u^2

"""
    DoubleDouble(x::Real)
    DoubleDouble(hi::Float64, lo::Float64)

The number hi + lo with |lo| <= ulp(hi)/2. The second form trusts its arguments. What overflows becomes `NaN` or `Inf`; below
1e-290 or so the low part loses digits to underflow.
"""
struct DoubleDouble <: AbstractFloat
    hi::Float64
    lo::Float64
end

@inline DoubleDouble(x::Float64) = DoubleDouble(x, 0.0)

@inline Base.:-(x::DoubleDouble) = DoubleDouble(-x.hi, -x.lo)

@inline function Base.:+(x::DoubleDouble, y::DoubleDouble)
    sh, sl = two_sum(x.hi, y.hi)
    th, tl = two_sum(x.lo, y.lo)
    vh, vl = fast_two_sum(sh, sl + th)
    return DoubleDouble(fast_two_sum(vh, tl + vl)...)
end

@inline function Base.:+(x::DoubleDouble, y::Float64)
    sh, sl = two_sum(x.hi, y)
    return DoubleDouble(fast_two_sum(sh, x.lo + sl)...)
end

@inline Base.:+(x::Float64, y::DoubleDouble) = y + x
@inline Base.:-(x::DoubleDouble, y::DoubleDouble) = x + (-y)
@inline Base.:-(x::DoubleDouble, y::Float64) = x + (-y)
@inline Base.:-(x::Float64, y::DoubleDouble) = (-y) + x

@inline function Base.:*(x::DoubleDouble, y::DoubleDouble)
    ph, pl = two_product(x.hi, y.hi)
    low = fma(x.lo, y.hi, fma(x.hi, y.lo, x.lo * y.lo))
    return DoubleDouble(fast_two_sum(ph, pl + low)...)
end

@inline function Base.:*(x::DoubleDouble, y::Float64)
    ph, pl = two_product(x.hi, y)
    return DoubleDouble(fast_two_sum(ph, fma(x.lo, y, pl))...)
end

@inline Base.:*(x::Float64, y::DoubleDouble) = y * x

@inline function Base.:/(x::DoubleDouble, y::DoubleDouble)
    quotient = x.hi / y.hi
    r = y * quotient
    rest = (x.hi - r.hi) + (x.lo - r.lo)
    return DoubleDouble(fast_two_sum(quotient, rest / y.hi)...)
end

@inline function Base.:/(x::DoubleDouble, y::Float64)
    quotient = x.hi / y
    ph, pl = two_product(quotient, y)
    rest = ((x.hi - ph) - pl) + x.lo
    return DoubleDouble(fast_two_sum(quotient, rest / y)...)
end

@inline Base.:/(x::Float64, y::DoubleDouble) = DoubleDouble(x) / y

@inline function Base.sqrt(x::DoubleDouble)
    x.hi == 0 && return x
    root = sqrt(x.hi)
    rest = fma(-root, root, x.hi) + x.lo
    return DoubleDouble(fast_two_sum(root, rest / (2 * root))...)
end

"""
    scaled(x, factor)

x times a power of two, without rounding.
"""
@inline scaled(x::DoubleDouble, factor::Float64) = DoubleDouble(x.hi * factor, x.lo * factor)

@inline Base.abs(x::DoubleDouble) = signbit(x) ? -x : x
@inline Base.signbit(x::DoubleDouble) = signbit(x.hi)
@inline Base.flipsign(x::DoubleDouble, y::Real) = signbit(y) ? -x : x
@inline Base.copysign(x::DoubleDouble, y::Real) = signbit(x) == signbit(y) ? x : -x

@inline Base.:(==)(x::DoubleDouble, y::DoubleDouble) = x.hi == y.hi && x.lo == y.lo
@inline Base.:<(x::DoubleDouble, y::DoubleDouble) = x.hi < y.hi || (x.hi == y.hi && x.lo < y.lo)
@inline Base.:<=(x::DoubleDouble, y::DoubleDouble) = x.hi < y.hi || (x.hi == y.hi && x.lo <= y.lo)
@inline Base.isless(x::DoubleDouble, y::DoubleDouble) = isless(x.hi, y.hi) || (isequal(x.hi, y.hi) && isless(x.lo, y.lo))
@inline Base.isnan(x::DoubleDouble) = isnan(x.hi)
@inline Base.isinf(x::DoubleDouble) = isinf(x.hi)
@inline Base.isfinite(x::DoubleDouble) = isfinite(x.hi)

@inline Base.zero(::Type{DoubleDouble}) = DoubleDouble(0.0, 0.0)
@inline Base.one(::Type{DoubleDouble}) = DoubleDouble(1.0, 0.0)
Base.eps(::Type{DoubleDouble}) = 2.0^-104

# x^2, x^-3, ... by products alone; Base's way through literals needs `inv` of a float.
Base.:^(x::DoubleDouble, n::Integer) = n >= 0 ? Base.power_by_squaring(x, n) : 1.0 / Base.power_by_squaring(x, -n)
Base.literal_pow(::typeof(^), x::DoubleDouble, ::Val{n}) where {n} = x^n
