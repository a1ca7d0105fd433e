# The error function family, branch-free. Julia's standard library has none.

const SQRT_HALF = 0.7071067811865476
const TWO_OVER_SQRT_PI = 1.1283791670955126
const INV_SQRT_2PI = 0.3989422804014327

# erf(x)/x as a polynomial in x^2 for |x| <= 0.75, error 1e-18.
@inline erf_ratio(z::Float64) = @evalpoly(z, 1.1283791670955126, -0.37612638903183715, 0.11283791670952596,
    -0.026866170644428485, 0.005223977615420539, -0.0008548326188759752, 0.00012055289567541706,
    -1.4924196305569617e-5, 1.643068417974155e-6, -1.5940066854661717e-7, 1.1472499701094691e-8)

# (1 + 2x) exp(x^2) erfc(x) as a polynomial in t = (x - 3)/(x + 3) for 0.45 <= x <= 28, error 7e-17.
# Source of the form: Shepherd and Laframboise, Math. Comp. 36 (1981) 249.
@inline erfcx_shape(t::Float64) = @evalpoly(t, 1.2530080582697296, -0.13562110612458023, -0.04756229435343323,
    0.1296451587026458, -0.11927366341638837, 0.06830802734808582, -0.023770514892841686, 0.002529391747850573,
    0.0018886900447695988, -0.000779831641546835, -0.00010515758064990108, 0.00012509580381787032,
    4.9398125935906386e-6, -2.008788400838732e-5, -7.047756045235921e-7, 3.4433630003839185e-6,
    3.101108092674969e-7, -5.750845212125681e-7, -9.175321488376924e-8, 6.752642853698645e-8, 1.1946135471018521e-8)

# exp(-scale x^2) for scale 1 or 1/2. x is split into a part with 26 bits, whose square is exact, and the rest, so that the
# rounding of x^2 is not multiplied by x^2.
@inline function gaussian_exp(x::Float64, scale::Float64)
    high = reinterpret(Float64, reinterpret(UInt64, x) & 0xfffffffff8000000)
    low = scale * (x - high) * (x + high)
    e = vexp(-scale * high * high)
    return muladd(e, -low * muladd(low, muladd(low, 1 / 6, -0.5), 1.0), e)
end

# exp(x^2) erfc(x) for 0.45 <= x <= 28
@inline erfcx_positive(x::Float64) = erfcx_shape((x - 3.0) / (x + 3.0)) / (1.0 + 2.0 * x)

@inline clamp_magnitude(x::Float64, bound::Float64) = (u = abs(x); ifelse(u > bound, bound, u))

"""
    verf(x::Float64)

The error function, branch-free, within 2 ulp.
"""
@inline function verf(x::Float64)
    u = clamp_magnitude(x, 28.0)
    near = ifelse(u > 0.75, 0.0, u)
    far = ifelse(u > 0.45, u, 0.45)
    tail = gaussian_exp(far, 1.0) * erfcx_positive(far)
    return copysign(ifelse(u > 0.65, 1.0 - tail, near * erf_ratio(near * near)), x)
end

"""
    verfc(x::Float64)

The complementary error function 1 - erf(x), branch-free, accurate relative to its value in the right tail too.
"""
@inline verfc(x::Float64) = erfc_scaled(x, x, 1.0)

# erfc(y) where y^2 = scale x^2: the exponent is taken from x, which may be exact where y is rounded.
@inline function erfc_scaled(y::Float64, x::Float64, scale::Float64)
    u = clamp_magnitude(y, 28.0)
    near = ifelse(u > 0.75, 0.0, y)
    tail = gaussian_exp(clamp_magnitude(x, 40.0), scale) * erfcx_positive(ifelse(u > 0.45, u, 0.45))
    return ifelse(u > 0.47, ifelse(y < 0, 2.0 - tail, tail), 1.0 - near * erf_ratio(near * near))
end

"""
    vnormal_cdf(x::Float64)

The standard normal distribution function Phi(x) = erfc(-x/sqrt 2)/2, accurate relative to its value in the left tail.
"""
@inline vnormal_cdf(x::Float64) = 0.5 * erfc_scaled(-x * SQRT_HALF, x, 0.5)

"""
    vnormal_pdf(x::Float64)

The standard normal density exp(-x^2/2)/sqrt(2 pi).
"""
@inline vnormal_pdf(x::Float64) = INV_SQRT_2PI * gaussian_exp(clamp_magnitude(x, 40.0), 0.5)
