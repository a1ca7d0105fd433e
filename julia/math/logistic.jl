# log1p on the unit interval and the functions built on exp and log1p, branch-free.

const SQRT2_MINUS_1 = 0.41421356237309503

# R(z) with 2 atanh(s) = 2s + s z R(z), z = s^2, |s| <= (sqrt 2 - 1)/(sqrt 2 + 1), absolute error 2e-18.
@inline log_tail(z::Float64) = @evalpoly(z, 0.6666666666666666, 0.40000000000000885, 0.28571428570799784,
    0.22222222392581045, 0.18181795547521137, 0.15386244737621665, 0.13268638369266825, 0.13088034850927555)

"""
    vlog1p_unit(u::Float64)

log(1 + u) for 0 <= u <= 1 (or `NaN`), branch-free, within 2 ulp. Source: log(1+f) = f - f^2/2 + s (f^2/2 + z R(z)) with
s = f/(2+f), z = s^2, as in fdlibm; for u > sqrt(2) - 1, log(1+u) = ln 2 + log(1 + (u-1)/2).
"""
@inline function vlog1p_unit(u::Float64)
    upper = u > SQRT2_MINUS_1
    f = ifelse(upper, 0.5 * (u - 1.0), u)
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    correction = muladd(s, muladd(z, log_tail(z), half_square), ifelse(upper, LN2_LOW, 0.0))
    return ifelse(upper, LN2_HIGH, 0.0) - ((half_square - correction) - f)
end

"""
    vsigmoid(x::Real)

1/(1 + exp(-x)), branch-free for `Float64`, accurate in both tails.
"""
@inline function vsigmoid(x::Float64)
    e = vexp(-abs(x))
    return ifelse(x < 0, e, 1.0) / (1.0 + e)
end
vsigmoid(x::Real) = x < 0 ? exp(x) / (one(x) + exp(x)) : one(x) / (one(x) + exp(-x))

"""
    vsigmoid_d2(x::Real) -> (f, f', f'')

The sigmoid and its first two derivatives. With e = exp(-|x|), f' = e/(1+e)^2 and f'' = -sign(x) f' (1-e)/(1+e): no
difference of nearly equal numbers in either tail.
"""
@inline function vsigmoid_d2(x::Float64)
    e = vexp(-abs(x))
    r = 1.0 / (1.0 + e)
    d1 = e * r * r
    slope = (1.0 - e) * r * d1
    return ifelse(x < 0, e * r, r), d1, ifelse(x < 0, slope, -slope)
end
@inline function vsigmoid_d2(x::Real)
    e = exp(-abs(x))
    r = one(x) / (one(x) + e)
    d1 = e * r * r
    slope = (one(x) - e) * r * d1
    return (x < 0 ? e * r : r), d1, (x < 0 ? slope : -slope)
end

"""
    vsoftplus(x::Real)

log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), branch-free for `Float64`, never overflowing.
"""
@inline vsoftplus(x::Float64) = ifelse(x > 0, x, 0.0) + vlog1p_unit(vexp(-abs(x)))
vsoftplus(x::Real) = max(x, zero(x)) + log1p(exp(-abs(x)))

"""
    vsoftplus_d2(x::Real) -> (f, f', f'')

The softplus, and its derivatives sigmoid(x) and sigmoid'(x) from the same exponential.
"""
@inline function vsoftplus_d2(x::Float64)
    e = vexp(-abs(x))
    r = 1.0 / (1.0 + e)
    return ifelse(x > 0, x, 0.0) + vlog1p_unit(e), ifelse(x < 0, e * r, r), e * r * r
end
@inline function vsoftplus_d2(x::Real)
    s, d1, _ = vsigmoid_d2(x)
    return vsoftplus(x), s, d1
end

"""
    vtanh(x::Real)

tanh(x) = -t/(t + 2) with t = exp(-2|x|) - 1, branch-free for `Float64`, within 2 ulp, also near 0.
"""
@inline function vtanh(x::Float64)
    t = vexpm1_negative(-2.0 * abs(x))
    return copysign(-t / (t + 2.0), x)
end
vtanh(x::Real) = tanh(x)

"""
    vtanh_d2(x::Real) -> (f, f', f'')

tanh and its derivatives. With t = exp(-2|x|) - 1, 1 - tanh^2 = 4 (1 + t)/(t + 2)^2, without cancellation; f'' = -2 f f'.
"""
@inline function vtanh_d2(x::Float64)
    t = vexpm1_negative(-2.0 * abs(x))
    r = 1.0 / (t + 2.0)
    f = copysign(-t * r, x)
    d1 = 4.0 * vexp(-2.0 * abs(x)) * r * r
    return f, d1, -2.0 * f * d1
end
@inline function vtanh_d2(x::Real)
    f = tanh(x)
    d1 = one(x) - f * f
    return f, d1, -2 * f * d1
end
