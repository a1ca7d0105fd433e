# Activation functions: the value, and the value with first and second derivative in one evaluation.
#
# `derivatives(f, x) -> (f, f', f'')` is what the kernels call. A user's own function needs only `deriv` and
# `second_deriv` methods (or a `UserActivation`); the fallback below turns them into `derivatives`.

"""
    sigmoid(x)

The logistic function 1/(1 + exp(-x)).
"""
sigmoid(x::Real) = vsigmoid(float(x))

"""
    relu(x)

max(x, 0), with relu'(0) = 0.
"""
relu(x::Real) = max(x, zero(x))

"""
    softplus(x)

log(1 + exp(x)), computed without overflow.
"""
softplus(x::Real) = vsoftplus(float(x))

"""
    normal_cdf(x)

The standard normal distribution function (1 + erf(x/sqrt 2))/2.
"""
normal_cdf(x::Real) = vnormal_cdf(float(x))

"""
    gelu(x)

x/2 (1 + erf(x/sqrt 2)) = x normal_cdf(x).
"""
gelu(x::Real) = vgelu_d2(float(x))[1]

"""
    silu(x)

x sigmoid(x).
"""
silu(x::Real) = vsilu_d2(float(x))[1]

"""
    selu(x)

1.05070098 x for x > 0, and 1.05070098 * 1.67326324 (exp(x) - 1) otherwise.
"""
selu(x::Real) = derivatives(selu, Float64(x))[1]

const SELU_SCALE = 1.05070098
const SELU_ALPHA = 1.67326324
const SELU_GROWTH = SELU_SCALE * SELU_ALPHA

"""
    square(x)

x^2/2.
"""
square(x::Real) = x * x / 2

"""
    cube(x)

x^3.
"""
cube(x::Real) = x * x * x

"""
    g(x)

sigmoid(4x) + softplus(x).
"""
g(x::Real) = vsigmoid4_softplus_d2(float(x))[1]

"""
    sigmoid2(x)

erf(x/sqrt 2).
"""
sigmoid2(x::Real) = verf_half_d2(float(x))[1]

"""
    Poly(a0, a1, ...)

The polynomial a0 + a1 x + a2 x^2 + ... as an activation function.
"""
struct Poly{N}
    coefficients::NTuple{N,Float64}
    function Poly(coefficients::Real...)
        isempty(coefficients) && throw(ArgumentError("Poly: expected at least one coefficient, got none"))
        return new{length(coefficients)}(map(Float64, coefficients))
    end
end

(p::Poly)(x::Real) = derivatives(p, x)[1]

"""
    UserActivation(name, f, df, ddf)

An activation made of a function, its derivative and its second derivative.
"""
struct UserActivation{F,D,S}
    name::String
    f::F
    df::D
    ddf::S
end

(u::UserActivation)(x::Real) = u.f(x)

"""
    deriv(f) -> f'
    second_deriv(f) -> f''

The first and second derivative of the activation `f` as functions. Add methods for your own function, e.g.
`MLPFlow.deriv(::typeof(myf)) = myf′`, to use it in a layer.
"""
deriv(f) = has_builtin(f) ? (x -> derivatives(f, x)[2]) : throw(missing_derivative(f, "deriv"))
second_deriv(f) = has_builtin(f) ? (x -> derivatives(f, x)[3]) : throw(missing_derivative(f, "second_deriv"))
deriv(u::UserActivation) = u.df
second_deriv(u::UserActivation) = u.ddf

missing_derivative(f, name) = ArgumentError("activation $f: expected a method MLPFlow.$name(::$(typeof(f))) " *
    "that returns its derivative as a function, found none")

has_builtin(f) = f isa Poly || any(builtin -> builtin === f, BUILTIN_ACTIVATIONS)

const BUILTIN_ACTIVATIONS = (identity, sigmoid, tanh, relu, softplus, gelu, silu, selu, square, cube, exp, g, sigmoid2,
                             normal_cdf)

"""
    derivatives(f, x::Real) -> (f(x), f'(x), f''(x))

An activation and its first two derivatives at `x`, sharing what they have in common.
"""
@inline derivatives(f, x::Real) = (f(x), deriv(f)(x), second_deriv(f)(x))

@inline derivatives(::typeof(identity), x::Real) = (x, one(x), zero(x))
@inline derivatives(::typeof(sigmoid), x::Real) = vsigmoid_d2(x)
@inline derivatives(::typeof(tanh), x::Real) = vtanh_d2(x)
@inline derivatives(::typeof(softplus), x::Real) = vsoftplus_d2(x)
@inline derivatives(::typeof(silu), x::Real) = vsilu_d2(x)
@inline derivatives(::typeof(normal_cdf), x::Real) = vnormal_cdf_d2(x)
@inline derivatives(::typeof(sigmoid2), x::Real) = verf_half_d2(x)
@inline derivatives(::typeof(gelu), x::Real) = vgelu_d2(x)
@inline derivatives(::typeof(g), x::Real) = vsigmoid4_softplus_d2(x)
@inline derivatives(::typeof(square), x::Real) = (x * x / 2, x, one(x))
@inline derivatives(::typeof(cube), x::Real) = (x * x * x, 3 * x * x, 6 * x)
@inline derivatives(::typeof(exp), x::Real) = (e = vexp(x); (e, e, e))

@inline derivatives(::typeof(relu), x::Real) =
    (ifelse(x > 0, x, ifelse(isnan(x), x, zero(x))), ifelse(x > 0, one(x), zero(x)), zero(x))

# The exponential and exp(x) - 1 of the same reduced argument.
@inline function derivatives(::typeof(selu), x::T) where {T<:Hardware}
    e, m, factor = exp_expm1_nonpositive(ifelse(x > 0, zero(x), x))
    d1 = T(SELU_GROWTH) * e * factor
    return ifelse(x > 0, T(SELU_SCALE) * x, T(SELU_GROWTH) * m), ifelse(x > 0, T(SELU_SCALE), d1), ifelse(x > 0, zero(x), d1)
end

derivatives(::typeof(selu), x::Real) = derivatives(selu, Float64(x))

# Horner's scheme for a polynomial and its first two derivatives at once.
@inline function derivatives(p::Poly{N}, x::Real) where {N}
    T = typeof(float(x))
    value, d1, half_d2 = zero(T), zero(T), zero(T)
    for i in N:-1:1
        half_d2 = muladd(half_d2, x, d1)
        d1 = muladd(d1, x, value)
        value = muladd(value, x, T(p.coefficients[i]))
    end
    return value, d1, 2 * half_d2
end

"""
    value_and_slope(f, x::Real) -> (f(x), f'(x))
    activation_value(f, x::Real) -> f(x)

The same numbers as `derivatives(f, x)` returns, to the bit, without the work for those that are not asked for: the built-in
methods are inlined into the loop, and the compiler drops what nobody reads.
"""
@inline value_and_slope(f, x::Real) = (f(x), deriv(f)(x))
@inline activation_value(f, x::Real) = f(x)

for f in (:identity, :sigmoid, :tanh, :relu, :softplus, :gelu, :silu, :selu, :square, :cube, :exp, :g, :sigmoid2, :normal_cdf)
    @eval @inline value_and_slope(::typeof($f), x::Real) = (d = derivatives($f, x); (d[1], d[2]))
    @eval @inline activation_value(::typeof($f), x::Real) = derivatives($f, x)[1]
end
@inline value_and_slope(p::Poly, x::Real) = (d = derivatives(p, x); (d[1], d[2]))

const ACTIVATION_NAMES = Dict{String,Any}(string(f) => f for f in BUILTIN_ACTIVATIONS)

"""
    activation(name::AbstractString) -> function

The built-in activation called `name`. Throws an `ArgumentError` that lists the names when there is none.
"""
function activation(name::AbstractString)
    haskey(ACTIVATION_NAMES, name) && return ACTIVATION_NAMES[name]
    throw(ArgumentError("expected an activation among $(join(sort(collect(keys(ACTIVATION_NAMES))), ", ")), got \"$name\""))
end

"""
    activation_name(f) -> String

The name of an activation as written in reports.
"""
activation_name(f) = string(f)
activation_name(u::UserActivation) = u.name
activation_name(p::Poly) = "Poly(" * join(p.coefficients, ", ") * ")"
