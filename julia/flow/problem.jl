# The right-hand side of the flow, dx/dt = -tauinv .* grad L(x), and the count of what it cost.

"""
    FlowProblem(objective, tauinv)

The flow of `objective` with the inverse time scales `tauinv` (length P, not negative). Parameters whose entry is zero
are frozen: their velocity is exactly zero, whatever the gradient is. Counts the evaluations made through it; a method
whose steps cost an unknown number of them looks at `exhausted(problem)` before each one and gives the step up.
"""
mutable struct FlowProblem{O<:AbstractObjective}
    objective::O
    tauinv::Vector{Float64}
    moving::Vector{Int}
    frozen::Vector{Int}
    gradient_evaluations::Int
    hessian_evaluations::Int
    product_evaluations::Int
    factorizations::Int
    maxevaluations::Int
end

function FlowProblem(objective::AbstractObjective, tauinv::Vector{Float64}, maxevaluations::Int=typemax(Int))
    return FlowProblem(objective, tauinv, findall(>(0), tauinv), findall(iszero, tauinv), 0, 0, 0, 0, maxevaluations)
end

transient(::FlowProblem) = (:objective, :maxevaluations)

evaluations(p::FlowProblem) = p.gradient_evaluations + p.hessian_evaluations + p.product_evaluations

spare_evaluations(p::FlowProblem) = p.maxevaluations - evaluations(p)

exhausted(p::FlowProblem) = spare_evaluations(p) <= 0

# Turns a gradient into a velocity. The zero of a frozen parameter is written, not multiplied: 0 * Inf is NaN.
function velocity!(f::Vector{Float64}, p::FlowProblem, g::Vector{Float64})
    @inbounds for i in eachindex(f)
        f[i] = -p.tauinv[i] * g[i]
    end
    @inbounds for i in p.frozen
        f[i] = 0.0
    end
    return f
end

"""
    rhs!(f, problem, x) -> f

Write the velocity at `x` into `f`: one gradient evaluation.
"""
function rhs!(f::Vector{Float64}, p::FlowProblem, x::Vector{Float64})
    p.gradient_evaluations += 1
    gradient!(f, p.objective, x)
    return velocity!(f, p, f)
end

"""
    rhs_value!(f, g, problem, x) -> Float64

Write velocity and gradient at `x` into `f` and `g` and return the loss: one gradient evaluation.
"""
function rhs_value!(f::Vector{Float64}, g::Vector{Float64}, p::FlowProblem, x::Vector{Float64})
    p.gradient_evaluations += 1
    loss = value_gradient!(g, p.objective, x)
    velocity!(f, p, g)
    return loss
end

"""
    product!(out, problem, x, v) -> out

Write the Hessian of the loss at `x` (without `tauinv`) times `v` into `out`: one product evaluation.
"""
function product!(out::Vector{Float64}, p::FlowProblem, x::Vector{Float64}, v::Vector{Float64})
    p.product_evaluations += 1
    return hvp!(out, p.objective, x, v)
end

# M = diag(shift/tauinv) + H; rows and columns of frozen parameters become those of the identity.
function shifted_hessian!(M::Matrix{Float64}, H::Matrix{Float64}, p::FlowProblem, shift::Float64)
    copyto!(M, H)
    @inbounds for i in p.moving
        M[i, i] += shift / p.tauinv[i]
    end
    @inbounds for i in p.frozen
        for j in axes(M, 2)
            M[i, j] = 0.0
            M[j, i] = 0.0
        end
        M[i, i] = 1.0
    end
    return M
end

# Infinity norm of the gradient over the parameters that move; NaN stays NaN.
function moving_norm(p::FlowProblem, g::Vector{Float64})
    gnorm = 0.0
    @inbounds for i in p.moving
        gnorm = max(gnorm, abs(g[i]))
    end
    return gnorm
end

# Adding a zero velocity can turn -0.0 into 0.0; frozen parameters keep their bits.
function restore_frozen!(y::AbstractVector{Float64}, p::FlowProblem, x::Vector{Float64})
    @inbounds for i in p.frozen
        y[i] = x[i]
    end
    return y
end
