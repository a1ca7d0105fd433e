# An objective as a function of some of its parameters, the others frozen.

"""
    RestrictedObjective(o::AbstractObjective, x0, free) <: AbstractObjective

`o` as a function of the parameters with the indices `free`; the others keep the values they have in `x0`. What `o` can do
(Hessian, products, least squares) it can do too. Its scratch memory is that of `o`'s parameters, P^2 after the first Hessian.
"""
mutable struct RestrictedObjective{O<:AbstractObjective} <: AbstractObjective
    inner::O
    free::Vector{Int}
    x::Vector{Float64}
    g::Vector{Float64}
    direction::Vector{Float64}      # zero but for the free entries
    H::Matrix{Float64}              # empty until a matrix is asked for
end

function RestrictedObjective(o::AbstractObjective, x0::AbstractVector, free::AbstractVector{<:Integer})
    P = nparams(o)
    return RestrictedObjective(o, collect(Int, free), collect(Float64, x0), zeros(P), zeros(P), zeros(0, 0))
end

nparams(o::RestrictedObjective) = length(o.free)
has_hessian(o::RestrictedObjective) = has_hessian(o.inner)
has_products(o::RestrictedObjective) = has_products(o.inner)
commensurable(o::RestrictedObjective) = commensurable(o.inner)
loss_resolution(o::RestrictedObjective) = loss_resolution(o.inner)

"""
    full_point(o::RestrictedObjective, x) -> Vector (all parameters)

The parameters of the inner objective when the free ones are `x` (shares memory with `o`: copy to keep).
"""
full_point(o::RestrictedObjective, x::AbstractVector) = scatter!(o.x, o, x)

function scatter!(full::Vector{Float64}, o::RestrictedObjective, part::AbstractVector)
    for (k, i) in enumerate(o.free)
        full[i] = part[k]
    end
    return full
end

function gather!(part::AbstractVector, o::RestrictedObjective, full::Vector{Float64})
    for (k, i) in enumerate(o.free)
        part[k] = full[i]
    end
    return part
end

function gather!(part::AbstractMatrix, o::RestrictedObjective, full::Matrix{Float64})
    for (k, j) in enumerate(o.free), (m, i) in enumerate(o.free)
        part[m, k] = full[i, j]
    end
    return part
end

function full_matrix!(o::RestrictedObjective)
    P = length(o.x)
    isempty(o.H) && (o.H = zeros(P, P))
    return o.H
end

value(o::RestrictedObjective, x::AbstractVector) = value(o.inner, full_point(o, x))

function value_gradient!(g::AbstractVector, o::RestrictedObjective, x::AbstractVector)
    v = value_gradient!(o.g, o.inner, full_point(o, x))
    gather!(g, o, o.g)
    return v
end

hessian!(H::AbstractMatrix, o::RestrictedObjective, x::AbstractVector) =
    gather!(H, o, hessian!(full_matrix!(o), o.inner, full_point(o, x)))

function hvp!(out::AbstractVector, o::RestrictedObjective, x::AbstractVector, v::AbstractVector)
    hvp!(o.g, o.inner, full_point(o, x), scatter!(o.direction, o, v))
    return gather!(out, o, o.g)
end

# Least squares.

isleastsquares(o::RestrictedObjective) = isleastsquares(o.inner)
keeps_jacobian(o::RestrictedObjective) = keeps_jacobian(o.inner)
nresiduals(o::RestrictedObjective) = nresiduals(o.inner)

weighted_residuals!(r::AbstractVector, o::RestrictedObjective, x::AbstractVector) = weighted_residuals!(r, o.inner, full_point(o, x))

function weighted_jacobian!(J::AbstractMatrix, o::RestrictedObjective, x::AbstractVector)
    full = weighted_jacobian!(zeros(nresiduals(o), length(o.x)), o.inner, full_point(o, x))
    for (k, j) in enumerate(o.free)
        copyto!(view(J, :, k), view(full, :, j))
    end
    return J
end

gauss_newton!(G::AbstractMatrix, o::RestrictedObjective, x::AbstractVector) =
    gather!(G, o, gauss_newton!(full_matrix!(o), o.inner, full_point(o, x)))

function residual_acceleration!(out::AbstractVector, o::RestrictedObjective, x::AbstractVector, v::AbstractVector)
    residual_acceleration!(o.g, o.inner, full_point(o, x), scatter!(o.direction, o, v))
    return gather!(out, o, o.g)
end
