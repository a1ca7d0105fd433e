# The one interface that flows, optimizers and landscape tools see. None of them knows what a layer is.

"""
    AbstractObjective

A twice differentiable function of a flat parameter vector `x::Vector{Float64}`. A subtype implements `nparams(o)`,
`value(o, x)`, `value_gradient!(g, o, x)` and `hessian!(H, o, x)`; the other functions follow, `hvp!` at the price of a Hessian
unless the subtype has a method of its own (and says so with `has_products`). An objective without a Hessian says so with
`has_hessian`; one that is a sum of squares implements the interface in `least_squares.jl` too. Values may be `NaN` or `Inf`
where the function overflows: the callers reject such points.
"""
abstract type AbstractObjective end

"""
    has_hessian(o::AbstractObjective) -> Bool
    has_products(o::AbstractObjective) -> Bool

Whether `hessian!` works, and whether `hvp!` is cheaper than making the Hessian. Unless a subtype says otherwise, an objective
has a Hessian and no products.
"""
has_hessian(::AbstractObjective) = true
has_products(::AbstractObjective) = false

"""
    commensurable(o::AbstractObjective) -> Bool

Whether the parameters are of one kind and size, as the weights of a network are, so that lengths of steps mean something. Where
they may not be, methods look at how strongly each parameter acts.
"""
commensurable(::AbstractObjective) = false

"""
    nparams(net_or_objective) -> Int

The number of parameters.
"""
function nparams end

"""
    value(o::AbstractObjective, x) -> Float64

The value of `o` at `x` (length P); `NaN` or `Inf` where it overflows.
"""
function value end

"""
    value_gradient!(g, o::AbstractObjective, x) -> Float64

Write the gradient of `o` at `x` into `g` (length P) and return the value.
"""
function value_gradient! end

"""
    gradient!(g, o::AbstractObjective, x) -> g

Write the gradient of `o` at `x` into `g` (length P).
"""
function gradient!(g::AbstractVector, o::AbstractObjective, x::AbstractVector)
    value_gradient!(g, o, x)
    return g
end

"""
    value_gradient_hessian!(g, H, o::AbstractObjective, x) -> Float64

Write gradient (length P) and Hessian (P x P, both triangles) of `o` at `x` and return its value.
"""
function value_gradient_hessian!(g::AbstractVector, H::AbstractMatrix, o::AbstractObjective, x::AbstractVector)
    hessian!(H, o, x)
    return value_gradient!(g, o, x)
end

"""
    hvp!(out, o::AbstractObjective, x, v) -> out

Write the product of the Hessian of `o` at `x` with `v` (length P, or P x m) into `out`.
"""
function hvp!(out::AbstractVecOrMat, o::AbstractObjective, x::AbstractVector, v::AbstractVecOrMat)
    P = nparams(o)
    return mul!(out, hessian!(zeros(P, P), o, x), v)
end

"""
    loss_resolution(o::AbstractObjective) -> Float64

The absolute error that rounding makes in the value last computed, beyond a few units of its last place: 0 for a sum of squares,
more for a difference of large numbers.
"""
loss_resolution(::AbstractObjective) = 0.0

"""
    FunctionObjective(n; value, gradient!, hessian! = nothing, hvp! = nothing)

An objective made of functions: `value(x)` returns a number, `gradient!(g, x)` fills the gradient (length n),
`hessian!(H, x)` the full symmetric Hessian (n x n) and `hvp!(out, x, v)` its product with a vector. Methods that need a
Hessian or products say so when they are missing; products are made from the Hessian where there is one.
"""
struct FunctionObjective{V,G,H,M} <: AbstractObjective
    n::Int
    value::V
    gradient!::G
    hessian!::H
    hvp!::M
end

FunctionObjective(n::Integer; value, gradient!, hessian! = nothing, hvp! = nothing) =
    FunctionObjective(Int(n), value, gradient!, hessian!, hvp!)

nparams(o::FunctionObjective) = o.n
has_hessian(o::FunctionObjective) = o.hessian! !== nothing
has_products(o::FunctionObjective) = o.hvp! !== nothing

value(o::FunctionObjective, x::AbstractVector) = Float64(o.value(x))

function value_gradient!(g::AbstractVector, o::FunctionObjective, x::AbstractVector)
    o.gradient!(g, x)
    return Float64(o.value(x))
end

function hessian!(H::AbstractMatrix, o::FunctionObjective, x::AbstractVector)
    o.hessian! === nothing && throw(ArgumentError("expected a FunctionObjective with hessian!, got one without"))
    o.hessian!(H, x)
    return H
end

function hvp!(out::AbstractVector, o::FunctionObjective, x::AbstractVector, v::AbstractVector)
    o.hvp! === nothing && return mul!(out, hessian!(zeros(o.n, o.n), o, x), v)
    o.hvp!(out, x, v)
    return out
end
