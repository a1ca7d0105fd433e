# A sum of squares of functions that the user brings.

"""
    ResidualObjective(n, m; residuals!, jacobian!, hessian! = nothing, hvp! = nothing) <: AbstractObjective

The sum of squares L(x) = sum_i r_i(x)^2, **without a factor 1/2**, of `m` residuals in `n` parameters: `residuals!(r, x)` fills r
(length m) and `jacobian!(J, x)` the derivatives J[i, j] = dr_i/dx_j (m x n; all entries, it is not cleared before). All methods
that need a gradient or a Gauss-Newton model work with these; `hessian!(H, x)`, the full symmetric Hessian of L (n x n), and
`hvp!(out, x, v)`, its product with a vector, open the others, and let `:levenberg_marquardt` and `:gauss_newton` converge
quadratically where the residuals do not vanish. Throws an `ArgumentError` when `n` or `m` is less than 1.

The Jacobian is kept (m x n numbers) with the last point it was made at: value, gradient and Gauss-Newton matrix at one point cost
one call of each function.
"""
mutable struct ResidualObjective{R,J,H,M} <: AbstractObjective
    n::Int
    m::Int
    residuals!::R
    jacobian!::J
    hessian!::H
    hvp!::M
    x::Vector{Float64}              # where r is valid
    xj::Vector{Float64}             # where J is valid
    r::Vector{Float64}
    J::Matrix{Float64}
end

function ResidualObjective(n::Integer, m::Integer; residuals!, jacobian!, hessian! = nothing, hvp! = nothing)
    n >= 1 && m >= 1 || throw(ArgumentError("expected at least one parameter and one residual, got n = $n and m = $m"))
    return ResidualObjective(Int(n), Int(m), residuals!, jacobian!, hessian!, hvp!, fill(NaN, n), fill(NaN, n), zeros(m), zeros(m, n))
end

nparams(o::ResidualObjective) = o.n
nresiduals(o::ResidualObjective) = o.m
isleastsquares(::ResidualObjective) = true
keeps_jacobian(::ResidualObjective) = true
has_hessian(o::ResidualObjective) = o.hessian! !== nothing
has_products(o::ResidualObjective) = o.hvp! !== nothing

# NaN is unequal to everything: the first call always evaluates.
function current_residuals!(o::ResidualObjective, x::AbstractVector)
    if o.x != x
        o.x[1] = NaN                # in case the user's function throws
        o.residuals!(o.r, x)
        copyto!(o.x, x)
    end
    return o.r
end

function current_jacobian!(o::ResidualObjective, x::AbstractVector)
    if o.xj != x
        o.xj[1] = NaN
        o.jacobian!(o.J, x)
        copyto!(o.xj, x)
    end
    return o.J
end

value(o::ResidualObjective, x::AbstractVector) = sum(abs2, current_residuals!(o, x))

function value_gradient!(g::AbstractVector, o::ResidualObjective, x::AbstractVector)
    mul!(g, transpose(current_jacobian!(o, x)), current_residuals!(o, x), 2.0, 0.0)
    return value(o, x)
end

weighted_residuals!(r::AbstractVector, o::ResidualObjective, x::AbstractVector) = copyto!(r, current_residuals!(o, x))
weighted_jacobian!(J::AbstractMatrix, o::ResidualObjective, x::AbstractVector) = copyto!(J, current_jacobian!(o, x))

function gauss_newton!(G::AbstractMatrix, o::ResidualObjective, x::AbstractVector)
    J = current_jacobian!(o, x)
    return mul!(G, transpose(J), J, 2.0, 0.0)
end

# The Jacobian first: the residuals at the displaced points take the place of those at x.
function residual_acceleration!(out::AbstractVector, o::ResidualObjective, x::AbstractVector, v::AbstractVector)
    J, h = current_jacobian!(o, x), ACCELERATION_PART
    second = -2 .* current_residuals!(o, x)
    second .+= current_residuals!(o, x .+ h .* v)
    second .+= current_residuals!(o, x .- h .* v)
    return mul!(out, transpose(J), second, 2 / h^2, 0.0)
end

function hessian!(H::AbstractMatrix, o::ResidualObjective, x::AbstractVector)
    o.hessian! === nothing && throw(ArgumentError("expected a ResidualObjective with hessian!, got one without"))
    o.hessian!(H, x)
    return H
end

function hvp!(out::AbstractVector, o::ResidualObjective, x::AbstractVector, v::AbstractVector)
    o.hvp! === nothing && return mul!(out, hessian!(zeros(o.n, o.n), o, x), v)
    o.hvp!(out, x, v)
    return out
end
