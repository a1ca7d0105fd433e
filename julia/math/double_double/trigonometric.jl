# sin and cos of double-double numbers, which user-made activations want: reduction by multiples of pi/2, kept in parts whose
# product with the multiple is exact, then the Taylor series on |r| <= pi/4.

const HALF_PI_UPPER = Float64(floor(2.0^32 * (pi / 2))) / 2.0^32
const HALF_PI_MIDDLE = setprecision(() -> Float64(floor(big(2.0)^66 * (BigFloat(pi) / 2 - HALF_PI_UPPER))), BigFloat, 512) / 2.0^66
const HALF_PI_LOWER = constants(n -> BigFloat(pi) / 2 - HALF_PI_UPPER - HALF_PI_MIDDLE, 1:1)[1]

# (-1)^n/(2n + 1)! and (-1)^n/(2n)!
const SIN_COEFFICIENTS = constants(n -> (-1)^n / BigFloat(factorial(big(2n + 1))), 0:15)
const COS_COEFFICIENTS = constants(n -> (-1)^n / BigFloat(factorial(big(2n))), 0:15)

# Beyond this many quarter turns the products are not exact.
const MOST_QUARTERS = 2.0^20

function sin_and_cos(x::DoubleDouble)
    k = round(x.hi / (pi / 2))
    abs(k) <= MOST_QUARTERS || return DoubleDouble(NaN), DoubleDouble(NaN)
    r = ((x - k * HALF_PI_UPPER) - k * HALF_PI_MIDDLE) - HALF_PI_LOWER * k
    z = r * r
    s, c = r * horner(z, SIN_COEFFICIENTS), horner(z, COS_COEFFICIENTS)
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
