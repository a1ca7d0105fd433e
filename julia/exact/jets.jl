# Activations as mathematical functions: value and three derivatives in double-double arithmetic or with all errors bounded.
#
# `jet(f, x)` is for a double-double number or for a point (a ball of radius 0); `enclosed_derivatives(f, x)` for any ball.

"""
    jet(f, x) -> (f(x), f'(x), f''(x), f'''(x))

An activation and three derivatives at a double-double number or a point.
"""
@inline jet(::typeof(identity), x::T) where {T<:Wide} = (x, one(T), zero(T), zero(T))
@inline jet(::typeof(square), x::T) where {T<:Wide} = (scaled(x * x, 0.5), x, one(T), zero(T))
@inline jet(::typeof(cube), x::T) where {T<:Wide} = (q = x * x; (q * x, 3.0 * q, 6.0 * x, 6.0 * one(T)))
@inline jet(::typeof(exp), x::Wide) = (e = exp_and_expm1(x)[1]; (e, e, e, e))

@inline magnitude_of_point(x::Wide) = leading(x) < 0 ? -x : x

# s = sigmoid(x), t = s (1 - s) and 1 - 2s from e = exp(-|x|): no difference of nearly equal numbers in either tail.
@inline function logistic_parts(x::Wide)
    e, m = exp_and_expm1(-magnitude_of_point(x))
    r = 1.0 / (e + 1.0)
    small = e * r
    left = leading(x) < 0
    return (left ? small : r), small * r, (left ? -(m * r) : m * r), e
end

@inline function jet(::typeof(sigmoid), x::Wide)
    s, t, skew, _ = logistic_parts(x)
    return s, t, t * skew, t * (1.0 - 6.0 * t)
end

@inline function jet(::typeof(softplus), x::Wide)
    s, t, skew, e = logistic_parts(x)
    near = log1p_wide(e)
    return (leading(x) > 0 ? near + x : near), s, t, t * skew
end

@inline function jet(::typeof(silu), x::Wide)
    s, s1, s2, s3 = jet(sigmoid, x)
    return x * s, s + x * s1, scaled(s1, 2.0) + x * s2, 3.0 * s2 + x * s3
end

@inline function jet(::typeof(g), x::Wide)
    s, s1, s2, s3 = jet(sigmoid, scaled(x, 4.0))
    p, p1, p2, p3 = jet(softplus, x)
    return s + p, scaled(s1, 4.0) + p1, scaled(s2, 16.0) + p2, scaled(s3, 64.0) + p3
end

# tanh(|x|) = -m/(2 + m) with m = exp(-2|x|) - 1; f' = 4 (1 + m)/(2 + m)^2.
@inline function jet(::typeof(tanh), x::Wide)
    e, m = exp_and_expm1(scaled(magnitude_of_point(x), -2.0))
    r = 1.0 / (m + 2.0)
    f = leading(x) < 0 ? m * r : -(m * r)
    f1 = scaled(e * (r * r), 4.0)
    return f, f1, scaled(f * f1, -2.0), scaled(f1 * (2.0 * (f * f) - f1), 2.0)
end

@inline function jet(::typeof(normal_cdf), x::Wide)
    tail, density = normal_tail_density(x)
    return (leading(x) < 0 ? tail : 1.0 - tail), density, -(x * density), (x * x - 1.0) * density
end

@inline function jet(::typeof(sigmoid2), x::Wide)
    f, density = erf_half_parts(x)
    d = scaled(density, 2.0)
    return f, d, -(x * d), (x * x - 1.0) * d
end

@inline function jet(::typeof(gelu), x::Wide)
    cdf, density = jet(normal_cdf, x)
    q = x * x
    return x * cdf, cdf + x * density, (2.0 - q) * density, x * ((q - 4.0) * density)
end

# Horner's scheme for a polynomial and three derivatives at once.
@inline function jet(p::Poly{N}, x::T) where {N,T<:Wide}
    value, d1, half_d2, sixth_d3 = zero(T), zero(T), zero(T), zero(T)
    for i in N:-1:1
        sixth_d3 = sixth_d3 * x + half_d2
        half_d2 = half_d2 * x + d1
        d1 = d1 * x + value
        value = value * x + p.coefficients[i]
    end
    return value, d1, scaled(half_d2, 2.0), 6.0 * sixth_d3
end

# Not smooth: for double-double numbers alone. The third derivative is never asked for.
@inline jet(::typeof(relu), x::DoubleDouble) =
    x.hi > 0 ? (x, one(x), zero(x), zero(x)) : (x.hi <= 0 ? zero(x) : x, zero(x), zero(x), zero(x))

@inline function jet(::typeof(selu), x::DoubleDouble)
    x.hi > 0 && return x * SELU_SCALE, DoubleDouble(SELU_SCALE), zero(x), zero(x)
    growth = DoubleDouble(two_product(SELU_SCALE, SELU_ALPHA)...)
    e, m = exp_and_expm1(x)
    return growth * m, growth * e, growth * e, growth * e
end

# Anything else is a user's: its functions take double-double numbers if they are made of arithmetic and of the functions
# that these have.
jet(f, x::Wide) = users_jet(f, x)

users_jet(f, x::DoubleDouble) = (called(f, x), called(deriv(f), x), called(second_deriv(f), x), zero(x))
users_jet(f, x::Ball) = throw(ArgumentError("expected an activation whose derivatives can be enclosed, got $(activation_name(f))"))

function called(f, x::DoubleDouble)
    y = try
        f(x)
    catch e
        hint = missing_method(e)
        hint === nothing && rethrow()
        throw(ArgumentError("expected an activation made of +, -, *, /, ^, sqrt, exp, expm1, log, log1p, tanh, sin, cos and the activations " *
                            "of this package, which work in double-double arithmetic, got another one: $hint"))
    end
    return DoubleDouble(y)
end

# What says that a function has no method for double-double numbers, or `nothing`. Base throws a MethodError for some functions,
# an error "not implemented for" others, and calls itself without end for the rest.
missing_method(e::MethodError) = "no method of $(e.f)"
missing_method(e::ErrorException) = occursin("DoubleDouble", e.msg) ? e.msg : nothing
missing_method(e::StackOverflowError) = "a function that calls itself without end"
missing_method(e) = nothing

"""
    fourth_derivative_bound(f, x::Ball) -> Float64

A bound of |f''''| on the ball. With t = s (1 - s) <= min(1/4, exp(-|x|)) for the sigmoid s: |s'''| <= t and |s''''| <= 2t; the
derivatives of the normal density are its products with Hermite polynomials, bounded term by term.
"""
@inline fourth_derivative_bound(::typeof(identity), x::Ball) = 0.0
@inline fourth_derivative_bound(::typeof(square), x::Ball) = 0.0
@inline fourth_derivative_bound(::typeof(cube), x::Ball) = 0.0
@inline fourth_derivative_bound(::typeof(sigmoid), x::Ball) = 0.5
@inline fourth_derivative_bound(::typeof(softplus), x::Ball) = 0.25
@inline fourth_derivative_bound(::typeof(tanh), x::Ball) = 16.0               # 2 sigmoid(2x) - 1
@inline fourth_derivative_bound(::typeof(silu), x::Ball) = 2.0                # 4 |s'''| + |x s''''|, |x| exp(-|x|) <= 1/e
@inline fourth_derivative_bound(::typeof(g), x::Ball) = 130.0                 # 4^4/2 + 1/4
@inline fourth_derivative_bound(::typeof(normal_cdf), x::Ball) = 1.2          # |x^3 - 3x| phi <= 0.463 + 0.726
@inline fourth_derivative_bound(::typeof(sigmoid2), x::Ball) = 2.4
@inline fourth_derivative_bound(::typeof(gelu), x::Ball) = 4.6                # |x^4 - 7x^2 + 4| phi <= 0.864 + 2.055 + 1.596
@inline fourth_derivative_bound(::typeof(exp), x::Ball) = x.rad <= 1 ? 3 * magnitude(exp_and_expm1(Ball(x.mid))[1]) : Inf

function fourth_derivative_bound(p::Poly{N}, x::Ball) where {N}
    size, bound = magnitude(x), 0.0
    for k in N-1:-1:4
        bound = upward(bound * size + abs(p.coefficients[k+1]) * (k * (k - 1) * (k - 2) * (k - 3)))
    end
    return bound
end

"""
    isanalytic(f) -> Bool

Is `f` an activation whose derivatives can be enclosed?
"""
isanalytic(f) = f isa Poly || any(a -> a === f, (identity, sigmoid, tanh, softplus, gelu, silu, square, cube, exp, g, sigmoid2, normal_cdf))

"""
    enclosed_derivatives(f, x::Ball) -> (f, f', f'')

Balls that hold value and derivatives for every number of `x`: those of the centre, and Taylor's formula with Lagrange's
remainder for the rest.
"""
@inline function enclosed_derivatives(f, x::Ball)
    v, d1, d2, d3 = jet(f, Ball(x.mid))
    r = x.rad
    r == 0 && return v, d1, d2
    m1, m2, m3, m4 = magnitude(d1), magnitude(d2), magnitude(d3), fourth_derivative_bound(f, x)
    spread2 = r * (m3 + r * m4)
    spread1 = r * (m2 + r * (m3 + r * m4))
    spread0 = r * (m1 + r * (m2 + r * (m3 + r * m4)))
    return widened(v, upward(spread0)), widened(d1, upward(spread1)), widened(d2, upward(spread2))
end

@inline enclosed_derivatives(::typeof(identity), x::Ball) = (x, one(Ball), zero(Ball))
@inline enclosed_derivatives(f, x::DoubleDouble) = (d = jet(f, x); (d[1], d[2], d[3]))

# Not smooth, and only good for bounds of the loss: at the kink the slope is anywhere between those on its sides.
function enclosed_derivatives(f::Union{typeof(relu),typeof(selu)}, x::Ball)
    abs(x.mid.hi) > x.rad * (1 + 4 * eps()) || return kink_bounds(f, x)
    x.mid.hi > 0 && return (slope = f === relu ? 1.0 : SELU_SCALE; (x * slope, Ball(slope), zero(Ball)))
    f === relu && return zero(Ball), zero(Ball), zero(Ball)
    growth = Ball(DoubleDouble(two_product(SELU_SCALE, SELU_ALPHA)...))
    e = exponential(x)
    return growth * (e - 1.0), growth * e, growth * e
end

kink_bounds(f, x::Ball) = (widened(zero(Ball), upward(2 * magnitude(x))), Ball(DoubleDouble(1.0), 1.0), Ball(DoubleDouble(1.0), 1.0))

hasenclosure(f) = isanalytic(f) || f === relu || f === selu

# The built-in activations may be called inside a user's.
for f in (:sigmoid, :softplus, :gelu, :silu, :selu, :g, :sigmoid2, :normal_cdf, :relu, :square, :cube)
    @eval (::typeof($f))(x::DoubleDouble) = jet($f, x)[1]
end
