# An objective as a function of some of its parameters, the others frozen.

"""
    RestrictedObjective(o::AbstractObjective, x0, free) <: AbstractObjective

`o` as a function of the parameters with the indices `free`; the others keep the values they have in `x0`.
"""
struct RestrictedObjective{O<:AbstractObjective} <: AbstractObjective
    inner::O
    free::Vector{Int}
    x::Vector{Float64}
    g::Vector{Float64}
    H::Matrix{Float64}
end

function RestrictedObjective(o::AbstractObjective, x0::AbstractVector, free::AbstractVector{<:Integer})
    P = nparams(o)
    return RestrictedObjective(o, collect(Int, free), collect(Float64, x0), zeros(P), zeros(P, P))
end

nparams(o::RestrictedObjective) = length(o.free)

"""
    full_point(o::RestrictedObjective, x) -> Vector (all parameters)

The parameters of the inner objective when the free ones are `x` (shares memory with `o`: copy to keep).
"""
function full_point(o::RestrictedObjective, x::AbstractVector)
    for (k, i) in enumerate(o.free)
        o.x[i] = x[k]
    end
    return o.x
end

value(o::RestrictedObjective, x::AbstractVector) = value(o.inner, full_point(o, x))

function value_gradient!(g::AbstractVector, o::RestrictedObjective, x::AbstractVector)
    v = value_gradient!(o.g, o.inner, full_point(o, x))
    for (k, i) in enumerate(o.free)
        g[k] = o.g[i]
    end
    return v
end

function hessian!(H::AbstractMatrix, o::RestrictedObjective, x::AbstractVector)
    hessian!(o.H, o.inner, full_point(o, x))
    for (k, j) in enumerate(o.free), (m, i) in enumerate(o.free)
        H[m, k] = o.H[i, j]
    end
    return H
end

function hvp!(out::AbstractVector, o::RestrictedObjective, x::AbstractVector, v::AbstractVector)
    full_point(o, x)
    direction, product = zero(o.x), zero(o.x)
    direction[o.free] = v
    hvp!(product, o.inner, o.x, direction)
    for (k, i) in enumerate(o.free)
        out[k] = product[i]
    end
    return out
end
