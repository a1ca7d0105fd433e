# exp and expm1 without branches, so that LLVM turns a loop over samples into vector code.
# Coefficients: near-minimax (Chebyshev) fits made with mpmath at 40 digits.

const LOG2E = 1.4426950408889634
const LN2_HIGH = 0.6931471803691238      # ln 2 with the last 32 bits zero: k * LN2_HIGH is exact for |k| < 2^11
const LN2_LOW = 1.9082149292705877e-10
const ROUNDING_SHIFT = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer held in the low bits

# q(r) with exp(r) = 1 + r + r^2 q(r) for |r| <= ln(2)/2, relative error of exp below 2e-19.
@inline exp_tail(r::Float64) = @evalpoly(r, 0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326136,
    0.0013888888888883748, 0.00019841269874820627, 2.4801587325547743e-5, 2.7557255400206422e-6,
    2.75572736431103e-7, 2.5105217004720745e-8, 2.0914686968086876e-9)

# x = k ln 2 + r: r, and k as the low bits of a shifted float.
@inline function exp_reduce(x::Float64)
    shifted = muladd(x, LOG2E, ROUNDING_SHIFT)
    k = shifted - ROUNDING_SHIFT
    r = muladd(k, -LN2_LOW, muladd(k, -LN2_HIGH, x))
    return r, reinterpret(Int64, shifted) - reinterpret(Int64, ROUNDING_SHIFT)
end

@inline power_of_two(k::Int64) = reinterpret(Float64, (k + 1023) << 52)

"""
    vexp(x::Real)

exp(x), branch-free for `Float64`; within 1 ulp, gradual underflow and `±Inf`, `NaN` kept.
"""
@inline function vexp(x::Float64)
    x = ifelse(x > 710.0, 710.0, ifelse(x < -750.0, -750.0, x))
    r, k = exp_reduce(x)
    p = 1.0 + muladd(r * r, exp_tail(r), r)
    half = k >> 1      # two factors: 2^k alone leaves the exponent range before the result does
    return p * power_of_two(half) * power_of_two(k - half)
end
vexp(x::Real) = exp(x)

"""
    vexpm1_negative(x::Float64)

exp(x) - 1 for x <= 0 (or `NaN`), branch-free, within 2 ulp.
"""
@inline function vexpm1_negative(x::Float64)
    x = ifelse(x < -40.0, -40.0, x)
    r, k = exp_reduce(x)
    p = muladd(r * r, exp_tail(r), r)
    scale = power_of_two(k)
    return muladd(scale, p, scale - 1.0)
end
