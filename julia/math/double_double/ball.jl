# Balls: a double-double centre and a Float64 radius that bounds everything the centre does not say, rounding included.
#
# Source of the arithmetic: S. M. Rump, "Fast and parallel interval arithmetic", BIT 39 (1999) 534-554; R. E. Moore,
# R. B. Kearfott, M. J. Cloud, Introduction to Interval Analysis (2009). The bounds of rounding are those of arithmetic.jl,
# enlarged by a third or more; a radius, a sum of a few positive terms, is computed in Float64 and enlarged by more than
# the rounding of those few operations. No rounding mode is changed. What overflows becomes `NaN` or `Inf`, for which no
# comparison with a radius holds.

"""
    Ball(mid::DoubleDouble, rad::Float64)

The real numbers x with |x - mid| <= rad. Every operation returns a ball that holds the exact result for all numbers of its
arguments. A `Float64` operand stands for itself, exactly.
"""
struct Ball <: Real
    mid::DoubleDouble
    rad::Float64
end

@inline Ball(x::Float64) = Ball(DoubleDouble(x), 0.0)
@inline Ball(x::DoubleDouble) = Ball(x, 0.0)

const U2 = 2.0^-106         # u^2: the square of half a unit in the last place
const SUM_ERROR = 4 * U2
const PRODUCT_ERROR = 6 * U2
const QUOTIENT_ERROR = 20 * U2

# More than all that underflow can do to an operation (2^-1074 a step, 2^-1022 where subnormal numbers are flushed to 0).
const UNDERFLOW = 1e-300

# An upper bound of a nonnegative number that was computed with at most six roundings upwards or downwards.
@inline upward(x::Float64) = muladd(x, 1 + 8 * eps(), UNDERFLOW)

"""
    magnitude(x) -> Float64
    mignitude(x::Ball) -> Float64

Bounds of |x| for all numbers of a ball (or for a double-double number): from above, and from below (at least 0).
"""
@inline magnitude(x::DoubleDouble) = abs(x.hi) * (1 + 2 * eps())
@inline magnitude(x::Ball) = upward(abs(x.mid.hi) + x.rad)
@inline mignitude(x::Ball) = max(0.0, (abs(x.mid.hi) * (1 - 4 * eps()) - x.rad) * (1 - 4 * eps()))

@inline Base.:-(x::Ball) = Ball(-x.mid, x.rad)

@inline function Base.:+(x::Ball, y::Ball)
    mid = x.mid + y.mid
    return Ball(mid, upward(x.rad + y.rad + SUM_ERROR * abs(mid.hi)))
end

@inline function Base.:+(x::Ball, y::Float64)
    mid = x.mid + y
    return Ball(mid, upward(x.rad + SUM_ERROR * abs(mid.hi)))
end

@inline Base.:+(x::Float64, y::Ball) = y + x
@inline Base.:-(x::Ball, y::Ball) = x + (-y)
@inline Base.:-(x::Ball, y::Float64) = x + (-y)
@inline Base.:-(x::Float64, y::Ball) = (-y) + x

@inline function Base.:*(x::Ball, y::Ball)
    mid = x.mid * y.mid
    spread = (abs(x.mid.hi) + x.rad) * y.rad + abs(y.mid.hi) * x.rad
    return Ball(mid, upward(spread + PRODUCT_ERROR * abs(mid.hi)))
end

@inline function Base.:*(x::Ball, y::Float64)
    mid = x.mid * y
    return Ball(mid, upward(abs(y) * x.rad + PRODUCT_ERROR * abs(mid.hi)))
end

@inline Base.:*(x::Float64, y::Ball) = y * x

# |x/y - m/c| <= (r + |m/c| s)/(|c| - s) for x in m +- r, y in c +- s. Divisors so small that underflow of the quotient's
# own error could matter are refused.
@inline function Base.:/(x::Ball, y::Ball)
    least = mignitude(y)
    least > 1e-100 || return Ball(DoubleDouble(NaN), Inf)
    mid = x.mid / y.mid
    spread = (x.rad + abs(mid.hi) * y.rad + UNDERFLOW) / least
    return Ball(mid, upward(spread + QUOTIENT_ERROR * abs(mid.hi)))
end

@inline Base.:/(x::Ball, y::Float64) = x / Ball(y)
@inline Base.:/(x::Float64, y::Ball) = Ball(x) / y

@inline scaled(x::Ball, factor::Float64) = Ball(scaled(x.mid, factor), upward(x.rad * abs(factor)))

@inline Base.zero(::Type{Ball}) = Ball(0.0)
@inline Base.one(::Type{Ball}) = Ball(1.0)

"""
    widened(x, error) -> x

The ball `x` with `error` added to its radius; a double-double number comes back as it is.
"""
@inline widened(x::Ball, error::Float64) = Ball(x.mid, upward(x.rad + error))
@inline widened(x::DoubleDouble, error::Float64) = x

"""
    leading(x) -> Float64

The leading part of a double-double number or of a ball's centre: what decides between formulas.
"""
@inline leading(x::DoubleDouble) = x.hi
@inline leading(x::Ball) = x.mid.hi

"""
    isinside(x::BigFloat, ball::Ball) -> Bool

Does the ball hold `x`? The precision of `x` must be enough for the difference.
"""
isinside(x::BigFloat, ball::Ball) = abs(x - BigFloat(ball.mid)) <= ball.rad

Base.show(io::IO, x::Ball) = print(io, "Ball(", decimal(x.mid, 32), " ± ", x.rad, ")")

"""
What the elementary functions are written for, once: the same operations on double-double numbers and, with their errors
bounded, on balls.
"""
const Wide = Union{DoubleDouble,Ball}
