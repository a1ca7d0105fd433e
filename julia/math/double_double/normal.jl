# The normal distribution and the error function of double-double numbers and of single points with all errors bounded.
#
# Everything hangs on Mills' ratio M(u) = Phi(-u)/phi(u), u >= 0, which is smooth, positive and near 1/u: a Taylor polynomial
# about the nearest multiple of 1/4. Near 0, erf is the series of its odd powers.
#
# Source: NIST Digital Library of Mathematical Functions, 7.6.2 (series) and 7.18 (repeated integrals and derivatives).

const MILLS_TERMS = 25
const MILLS_STEP = 0.25

# Beyond it exp(-u^2/2) is less than 1e-320, and smaller than any error that is kept account of.
const GAUSSIAN_END = 38.5

# M(u) = sqrt(pi/2) exp(u^2/2) - sum_n u^(2n+1)/(2n+1)!!, in enough digits to survive the cancellation: exp(38.5^2/2) has
# 1070 bits.
function mills_ratio(u::BigFloat)
    term, sum, n = u, zero(u), 1
    while term > eps(BigFloat) * (1 + sum)
        sum += term
        n += 2
        term *= u * u / n
    end
    return sqrt(BigFloat(pi) / 2) * exp(u * u / 2) - sum
end

# Taylor coefficients of M at u: M' = u M - 1, and (n + 1) c[n+1] = u c[n] + c[n-1] from its derivatives.
function mills_taylor(u::BigFloat)
    c = [mills_ratio(u)]
    push!(c, u * c[1] - 1)
    for n in 1:MILLS_TERMS-2
        push!(c, (u * c[end] + c[end-1]) / (n + 1))
    end
    return Tuple(map(DoubleDouble, c))
end

const MILLS_TABLE = setprecision(() -> [mills_taylor(BigFloat(u)) for u in 0:MILLS_STEP:GAUSSIAN_END], BigFloat, 1800)

# M is completely monotone: |M^(n)| <= |M^(n)(0)| = integral of t^n exp(-t^2/2) on u >= 0. With n = MILLS_TERMS,
# |M^(n)(0)|/n! < 1.3e-13, and |h| <= 1/8.
const MILLS_REMAINDER = 1.3e-13 * 0.125^MILLS_TERMS

function mills(u::T) where {T<:Wide}
    j = round(leading(u) / MILLS_STEP)
    return widened(horner(u - j * MILLS_STEP, MILLS_TABLE[Int(j)+1]), MILLS_REMAINDER)
end

const INVERSE_SQRT_2PI = constants(n -> 1 / sqrt(2 * BigFloat(pi)), 1:1)[1]

"""
    normal_tail_density(x) -> (Phi(-|x|), phi(x))

The tail of the normal distribution and its density, each accurate relative to its size.
"""
function normal_tail_density(x::T) where {T<:Wide}
    isnarrow(x) || return x * NaN, x * NaN
    u = leading(x) < 0 ? -x : x
    leading(u) <= GAUSSIAN_END || return widened(zero(T), UNDERFLOW), widened(zero(T), UNDERFLOW)
    density = exp_and_expm1(scaled(u * u, -0.5))[1] * constant(T, INVERSE_SQRT_2PI)
    return density * mills(u), density
end

# 1/(2n + 1)!! for n = 0, 1, ...
const ODD_FACTORIALS = constants(n -> 1 / prod(BigFloat(k) for k in 1:2:2n+1), 0:27)

# erf(x/sqrt 2) = 2 phi(x) (x + x^3/3!! + x^5/5!! + ...) for |x| <= 1; the next term is below 1e-36 of the first.
erf_half_series(x::T, density::T) where {T<:Wide} =
    scaled(density, 2.0) * (x * widened(horner(x * x, ODD_FACTORIALS), 1e-36))

"""
    erf_half_parts(x) -> (erf(x/sqrt 2), phi(x))
"""
function erf_half_parts(x::T) where {T<:Wide}
    tail, density = normal_tail_density(x)
    abs(leading(x)) < 1 && return erf_half_series(x, density), density
    far = 1.0 - scaled(tail, 2.0)
    return (leading(x) < 0 ? -far : far), density
end

"""
    erf(x::DoubleDouble)
    erfc(x::DoubleDouble)

The error function, and 1 - erf(x). In the right tail the relative error of the latter grows with x^2, as its condition does.
"""
erf(x::DoubleDouble) = erf_half_parts(x * sqrt(DoubleDouble(2.0)))[1]
erfc(x::DoubleDouble) = (tail = scaled(normal_tail_density(x * sqrt(DoubleDouble(2.0)))[1], 2.0); x.hi < 0 ? 2.0 - tail : tail)
