# sin, cos and angles of double-double numbers and of points with all errors bounded (balls of radius 0 or close to it): reduction
# by multiples of pi/2, kept in parts whose product with the multiple is exact, then the Taylor series on |r| <= pi/4. An angle is
# one Newton step from the Float64 value, so that nothing need be known about the accuracy of that.

const HALF_PI_UPPER = Float64(floor(2.0^32 * (pi / 2))) / 2.0^32
const HALF_PI_MIDDLE = setprecision(() -> Float64(floor(big(2.0)^66 * (BigFloat(pi) / 2 - HALF_PI_UPPER))), BigFloat, 512) / 2.0^66
const HALF_PI_LOWER = constants(n -> BigFloat(pi) / 2 - HALF_PI_UPPER - HALF_PI_MIDDLE, 1:1)[1]

# (-1)^n/(2n + 1)! and (-1)^n/(2n)!
const SIN_COEFFICIENTS = constants(n -> (-1)^n / BigFloat(factorial(big(2n + 1))), 0:15)
const COS_COEFFICIENTS = constants(n -> (-1)^n / BigFloat(factorial(big(2n))), 0:15)

# Beyond this many quarter turns the products are not exact.
const MOST_QUARTERS = 2.0^20

# What the series leave out is below z^16/33! and z^16/32!, where z = r^2 <= 0.62.
const SIN_REMAINDER, COS_REMAINDER = 1e-40, 3e-39

function sin_and_cos(x::T) where {T<:Wide}
    k = round(leading(x) / (pi / 2))
    abs(k) <= MOST_QUARTERS && isnarrow(x) || return x * NaN, x * NaN
    r = ((x - k * HALF_PI_UPPER) - k * HALF_PI_MIDDLE) - constant(T, HALF_PI_LOWER) * k
    z = r * r
    s, c = r * widened(horner(z, SIN_COEFFICIENTS), SIN_REMAINDER), widened(horner(z, COS_COEFFICIENTS), COS_REMAINDER)
    quarter = mod(Int(k), 4)
    quarter == 0 && return s, c
    quarter == 1 && return c, -s
    quarter == 2 && return -s, -c
    return -c, s
end

"""
    sin(x::DoubleDouble)
    cos(x::DoubleDouble)

Accurate to about 1e-31 for |x| up to 1.6e6, `NaN` beyond.
"""
Base.sin(x::DoubleDouble) = sin_and_cos(x)[1]
Base.cos(x::DoubleDouble) = sin_and_cos(x)[2]

# With a near the angle, the rest is the angle of (x, y) turned by -a, whose tangent t is tiny: |atan(t) - t| <= |t|^3/3.
function point_angle(y::T, x::T) where {T<:Wide}
    a = atan(leading(y), leading(x))
    s, c = sin_and_cos(a * one(T))
    t = (y * c - x * s) / (x * c + y * s)
    size = magnitude(t)
    return size < 1e-8 ? widened(t + a, size^3) : t * NaN
end

"""
    angle_of(y, x)

The angle of the point (x, y), as `atan(y, x)`; `NaN` for balls that do not exclude the origin, and a little beyond pi for those
that hold negative x with both signs of y.
"""
angle_of(y::DoubleDouble, x::DoubleDouble) = point_angle(y, x)

# Seen from the origin, a box of radii r1, r2 around a point at the distance d is within asin(r/d) <= r/(d - r), r = r1 + r2.
function angle_of(y::Ball, x::Ball)
    centre = point_angle(Ball(y.mid), Ball(x.mid))
    r = upward(x.rad + y.rad)
    r == 0 && return centre
    gap = max(abs(x.mid.hi), abs(y.mid.hi)) * (1 - 8 * eps()) - r
    return gap > 0 ? widened(centre, upward(r / gap)) : Ball(DoubleDouble(NaN), Inf)
end
