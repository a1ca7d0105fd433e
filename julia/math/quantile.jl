# The inverses of the error function and of the normal distribution function, to the last digits: a start good to three
# digits, then steps of Halley's method on functions that julia/math/erf.jl knows within 2 ulp.

const SQRT_2 = 1.4142135623730951
const TWO_OVER_SQRT_PI = 1.1283791670955126

# The number x > 0 beyond which a standard normal variable lies with probability p <= 1/2, to an absolute error of 4.5e-4.
# Source: Hastings (1955), formula 26.2.23 of Abramowitz and Stegun.
function rough_upper_quantile(p::Float64)
    t = sqrt(-2 * log(p))
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
end

# Newton's step u for a function with f''/f' = -2x, corrected for this curvature.
halley_step(x::Float64, u::Float64) = u / (1 + x * u)

"""
    verfinv(y::Real)

The inverse error function: erf(verfinv(y)) = y, within 4 ulp; infinite at y = ±1, `NaN` beyond.
"""
function verfinv(y::Float64)
    u = abs(y)
    u <= 1 || return NaN
    u > 0.5 && return copysign(verfcinv(1 - u), y)       # 1 - u is exact
    u < 1e-8 && return y / TWO_OVER_SQRT_PI              # the next term is y^3
    x = rough_upper_quantile((1 - u) / 2) / SQRT_2
    for _ in 1:2
        x -= halley_step(x, (verf(x) - u) / (TWO_OVER_SQRT_PI * exp(-x * x)))
    end
    return copysign(x, y)
end
verfinv(y::Real) = verfinv(Float64(y))

"""
    verfcinv(y::Real)

The inverse of the complementary error function erfc, within 4 ulp for 0 < y < 2, down to the smallest normal number.
"""
function verfcinv(y::Float64)
    0 <= y <= 2 || return NaN
    y == 0 && return Inf
    y == 2 && return -Inf
    y > 0.5 && return verfinv(1 - y)                     # 1 - y is exact
    x = rough_upper_quantile(y / 2) / SQRT_2
    for _ in 1:3
        x -= halley_step(x, (y - verfc(x)) / (TWO_OVER_SQRT_PI * exp(-x * x)))
    end
    return x
end
verfcinv(y::Real) = verfcinv(Float64(y))

"""
    vnormal_quantile(p::Real)

The inverse of the standard normal distribution function: the x with normal_cdf(x) = p, within 4 ulp for 0 < p < 1, down to the
smallest normal number; infinite at 0 and 1, `NaN` outside.
"""
vnormal_quantile(p::Float64) = p < 0.25 ? -SQRT_2 * verfcinv(2p) : SQRT_2 * verfinv(2 * (p - 0.5))
vnormal_quantile(p::Real) = vnormal_quantile(Float64(p))
