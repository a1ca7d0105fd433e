# The one interface that flows, optimizers and landscape tools see. None of them knows what a layer is.

"""
    AbstractObjective

A twice differentiable function of a flat parameter vector `x::Vector{Float64}`. A subtype implements `nparams(o)`,
`value(o, x)`, `value_gradient!(g, o, x)` and `hessian!(H, o, x)`; the other functions follow. Values may be `NaN` or
`Inf` where the function overflows: the callers reject such points.
"""
abstract type AbstractObjective end

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
    FunctionObjective(n; value, gradient!, hessian!)

An objective made of functions: `value(x)` returns a number, `gradient!(g, x)` fills the gradient (length n) and
`hessian!(H, x)` the full symmetric Hessian (n x n).
"""
struct FunctionObjective{V,G,H} <: AbstractObjective
    n::Int
    value::V
    gradient!::G
    hessian!::H
end

FunctionObjective(n::Integer; value, gradient!, hessian!) = FunctionObjective(Int(n), value, gradient!, hessian!)

nparams(o::FunctionObjective) = o.n

value(o::FunctionObjective, x::AbstractVector) = Float64(o.value(x))

function value_gradient!(g::AbstractVector, o::FunctionObjective, x::AbstractVector)
    o.gradient!(g, x)
    return Float64(o.value(x))
end

function hessian!(H::AbstractMatrix, o::FunctionObjective, x::AbstractVector)
    o.hessian!(H, x)
    return H
end
