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
normal_cdf(x::Real) = vnormal_cdf(Float64(x))

"""
    gelu(x)

x/2 (1 + erf(x/sqrt 2)) = x normal_cdf(x).
"""
gelu(x::Real) = x * normal_cdf(x)

"""
    silu(x)

x sigmoid(x).
"""
silu(x::Real) = x * sigmoid(x)

"""
    selu(x)

1.05070098 x for x > 0, and 1.05070098 * 1.67326324 (exp(x) - 1) otherwise.
"""
selu(x::Real) = SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1(x))

const SELU_SCALE = 1.05070098
const SELU_ALPHA = 1.67326324

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
g(x::Real) = sigmoid(4 * x) + softplus(x)

"""
    sigmoid2(x)

erf(x/sqrt 2).
"""
sigmoid2(x::Real) = verf(Float64(x) * SQRT_HALF)

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
@inline derivatives(::typeof(relu), x::Real) = (ifelse(x > 0, x, ifelse(isnan(x), x, zero(x))), ifelse(x > 0, one(x), zero(x)), zero(x))
@inline derivatives(::typeof(softplus), x::Real) = vsoftplus_d2(x)
@inline derivatives(::typeof(square), x::Real) = (x * x / 2, x, one(x))
@inline derivatives(::typeof(cube), x::Real) = (x * x * x, 3 * x * x, 6 * x)
@inline derivatives(::typeof(exp), x::Real) = (e = vexp(x); (e, e, e))

@inline function derivatives(::typeof(normal_cdf), x::Real)
    pdf = vnormal_pdf(x)
    return vnormal_cdf(x), pdf, -clamped(x) * pdf
end

@inline function derivatives(::typeof(sigmoid2), x::Real)
    d1 = 2 * vnormal_pdf(x)
    return verf(x * SQRT_HALF), d1, -clamped(x) * d1
end

@inline function derivatives(::typeof(gelu), x::Real)
    cdf, pdf, u = vnormal_cdf(x), vnormal_pdf(x), clamped(x)
    return x * cdf, muladd(u, pdf, cdf), (2 - u * u) * pdf
end

@inline function derivatives(::typeof(silu), x::Real)
    s, d1, d2 = vsigmoid_d2(x)
    return x * s, muladd(x, d1, s), muladd(x, d2, 2 * d1)
end

@inline function derivatives(::typeof(selu), x::Real)
    growth = SELU_SCALE * SELU_ALPHA
    negative = ifelse(x > 0, zero(x), x)
    d1 = growth * vexp(negative)
    return ifelse(x > 0, SELU_SCALE * x, growth * vexpm1_negative(negative)),
           ifelse(x > 0, SELU_SCALE, d1), ifelse(x > 0, zero(x), d1)
end

@inline function derivatives(::typeof(g), x::Real)
    s, s1, s2 = vsigmoid_d2(4 * x)
    p, p1, p2 = vsoftplus_d2(x)
    return s + p, muladd(4, s1, p1), muladd(16, s2, p2)
end

# Horner's scheme for a polynomial and its first two derivatives at once.
@inline function derivatives(p::Poly{N}, x::Real) where {N}
    value, d1, half_d2 = float(zero(x)), float(zero(x)), float(zero(x))
    for i in N:-1:1
        half_d2 = muladd(half_d2, x, d1)
        d1 = muladd(d1, x, value)
        value = muladd(value, x, p.coefficients[i])
    end
    return value, d1, 2 * half_d2
end

# The Gaussian factor is 0 beyond 40; without the bound x^2 would overflow and 0 * Inf be NaN.
@inline clamped(x::Real) = ifelse(x > 40, oftype(x, 40), ifelse(x < -40, oftype(x, -40), x))

# The value alone, in the form that vectorizes. Base's tanh and exp branch.
@inline activation_value(f, x::Real) = f(x)
@inline activation_value(::typeof(tanh), x::Float64) = vtanh(x)
@inline activation_value(::typeof(exp), x::Float64) = vexp(x)
@inline activation_value(::typeof(relu), x::Float64) = derivatives(relu, x)[1]
@inline activation_value(::typeof(selu), x::Float64) = derivatives(selu, x)[1]

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
