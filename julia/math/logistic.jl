# The logistic function, the softplus and tanh with their derivatives, all from one exponential e = exp(-|x|) <= 1: no
# overflow, and no difference of nearly equal numbers in either tail.

# 1/(1 + e) as r + rest: r is the rounded quotient, the rest comes from the exact remainder of the division. Products of
# two or three rounded quotients would be off by more than 2 ulp.
@inline function reciprocal_1p(e::T) where {T<:Hardware}
    d = one(T) + e
    lost = e - (d - one(T))
    r = one(T) / d
    return r, r * muladd(-lost, r, muladd(-d, r, one(T)))
end

# a (r + rest), rounded once
@inline times(a, (r, rest)) = muladd(a, r, a * rest)

"""
    vsigmoid(x::Real)

1/(1 + exp(-x)), branch-free for `Float64` and `Float32`, within 2 ulp in both tails.
"""
@inline vsigmoid(x::Hardware) = vsigmoid_d2(x)[1]
vsigmoid(x::Real) = x < 0 ? exp(x) / (one(x) + exp(x)) : one(x) / (one(x) + exp(-x))

"""
    vsigmoid_d2(x::Real) -> (f, f', f'')

The sigmoid and its first two derivatives. With e = exp(-|x|), f' = e/(1+e)^2 and f'' = -sign(x) f' (1-e)/(1+e).
"""
@inline function vsigmoid_d2(x::T) where {T<:Hardware}
    e, m, factor = exp_expm1_nonpositive(-abs(x))
    return sigmoid_of_exp(x, e, m, factor)
end

# The same from e = exp(-|x|), m = e - 1 and the factor that e still needs.
@inline function sigmoid_of_exp(x::T, e::T, m::T, factor::T) where {T<:Hardware}
    r = reciprocal_1p(e)
    er = times(e * factor, r)
    d1 = times(er, r)
    return ifelse(x < 0, er, r[1]), d1, copysign(times(m, r), -x) * d1
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

log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), branch-free for `Float64` and `Float32`, within 2 ulp, never overflowing.
"""
@inline vsoftplus(x::Hardware) = vsoftplus_d2(x)[1]
vsoftplus(x::Real) = max(x, zero(x)) + log1p(exp(-abs(x)))

"""
    vsoftplus_d2(x::Real) -> (f, f', f'')

The softplus, and its derivatives sigmoid(x) and sigmoid'(x) from the same exponential.
"""
@inline function vsoftplus_d2(x::T) where {T<:Hardware}
    e, _, factor = exp_expm1_nonpositive(-abs(x))
    return softplus_of_exp(x, e * factor)
end

# The same from e = exp(-|x|).
@inline function softplus_of_exp(x::T, e::T) where {T<:Hardware}
    r = reciprocal_1p(e)
    er = times(e, r)
    return ifelse(x > 0, x, zero(T)) + vlog1p_unit(e), ifelse(x < 0, er, r[1]), times(er, r)
end
@inline function vsoftplus_d2(x::Real)
    s, d1, _ = vsigmoid_d2(x)
    return vsoftplus(x), s, d1
end

"""
    vsigmoid4_softplus_d2(x::Real) -> (f, f', f'')

sigmoid(4x) + softplus(x) and its derivatives. exp(-4|x|) is the fourth power of exp(-|x|). What rounding took from the
latter is carried along: it would count four times in the one and add to the errors of the other.
"""
@inline function vsigmoid4_softplus_d2(x::T) where {T<:Hardware}
    scale, series, factor = exp_nonpositive(-abs(x))
    e, m = muladd(scale, series, scale), muladd(scale, series, scale - one(T))
    lost = muladd(scale, series, scale - e)
    square = e * e
    fourth = muladd(T(4) * lost, square * e, square * square)
    s, s1, s2 = sigmoid_of_exp(x, fourth, m * (one(T) + e) * (one(T) + square), one(T))
    p, p1, p2 = softplus_of_exp(x, e * factor)
    slope = ifelse(x < 0, one(T) - p1, p1)       # d log(1 + e) / de
    return muladd(lost * factor, slope, s) + p, muladd(T(4), s1, p1), muladd(T(16), s2, p2)
end
function vsigmoid4_softplus_d2(x::Real)
    s, s1, s2 = vsigmoid_d2(4x)
    p, p1, p2 = vsoftplus_d2(x)
    return s + p, muladd(4, s1, p1), muladd(16, s2, p2)
end

"""
    vsilu_d2(x::Real) -> (f, f', f'')

x sigmoid(x) and its derivatives s + x s' and 2 s' + x s''. In the left tail exp(x) is multiplied by x before it is
rounded to a subnormal number.
"""
@inline function vsilu_d2(x::T) where {T<:Hardware}
    x = ifelse(x < exp_floor(T), exp_floor(T), x)
    scale, series, factor = exp_nonpositive(-abs(x))
    e = muladd(scale, series, scale)
    r = reciprocal_1p(e)
    er = times(e, r)
    s, d1 = ifelse(x < 0, er, r[1]), times(er, r)
    d2 = copysign(times(muladd(scale, series, scale - one(T)), r), -x) * d1
    left = ifelse(x < 0, factor, one(T))
    u = ifelse(x > -exp_floor(T), -exp_floor(T), x)      # else Inf * 0 in the right tail
    xscale = u * scale                                   # exact
    xe = muladd(xscale, series, xscale)
    f = muladd(ifelse(x < 0, xe, x), r[1], ifelse(x < 0, xe, u) * r[2])
    return f * left, muladd(u, d1, s) * left, muladd(u, d2, T(2) * d1) * factor
end
function vsilu_d2(x::Real)
    s, d1, d2 = vsigmoid_d2(x)
    return x * s, muladd(x, d1, s), muladd(x, d2, 2d1)
end

"""
    vtanh(x::Real)

tanh(x) = (1 - e)/(1 + e) with e = exp(-2|x|), branch-free for `Float64` and `Float32`, within 2 ulp, also near 0.
"""
@inline vtanh(x::Hardware) = vtanh_d2(x)[1]
vtanh(x::Real) = tanh(x)

"""
    vtanh_d2(x::Real) -> (f, f', f'')

tanh and its derivatives: 1 - tanh^2 = 4 e/(1 + e)^2 with e = exp(-2|x|), without cancellation; f'' = -2 f f'.
"""
@inline function vtanh_d2(x::T) where {T<:Hardware}
    e, m, factor = exp_expm1_nonpositive(-T(2) * abs(x))
    r = reciprocal_1p(e)
    f = copysign(times(m, r), x)
    d1 = times(times(T(4) * e * factor, r), r)
    return f, d1, -T(2) * f * d1
end
@inline function vtanh_d2(x::Real)
    f = tanh(x)
    d1 = one(x) - f * f
    return f, d1, -2 * f * d1
end
