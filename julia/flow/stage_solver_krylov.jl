# The stage equations by conjugate gradients, with products of the Hessian at each iterate and no matrix. In the variables
# d_i/sqrt(tauinv_i)
#
#     M = I/(gamma dt) + A,    A_ij = sqrt(tauinv_i) H_ij sqrt(tauinv_j),
#
# so that a change of the step size is a shift. Frozen parameters drop out by themselves.

const CG_LIMIT = 100
const CG_TOLERANCE = NEWTON_TOLERANCE

"""
    KrylovSolver(P)

Preconditioned conjugate gradients for `P` parameters: at most 47 P numbers.
"""
mutable struct KrylovSolver <: StageSolver
    preconditioner::SpectralPreconditioner
    scale::Vector{Float64}              # sqrt(tauinv)
    x::Vector{Float64}                  # the iteration's solution,
    r::Vector{Float64}                  # residual,
    y::Vector{Float64}                  # preconditioned residual,
    p::Vector{Float64}                  # direction,
    q::Vector{Float64}                  # M times the direction
    v::Vector{Float64}
    products::Int                       # in this attempt
    age::Renewal                        # of the preconditioner
end

function KrylovSolver(P::Integer)
    work() = zeros(P)
    return KrylovSolver(SpectralPreconditioner(P), work(), work(), work(), work(), work(), work(), work(), 0,
                        Renewal(PRECONDITIONER_SIZE))
end

method_name(::Type{KrylovSolver}) = :NewtonKrylov
usual_cost(::Type{KrylovSolver}) = 20

function forget!(l::KrylovSolver)
    forget!(l.preconditioner)
    renewed!(l.age)
    return nothing
end

# out = A v at `point`; frozen rows are written, not multiplied: 0 * Inf is NaN.
function scaled_product!(out::Vector{Float64}, l::KrylovSolver, problem::FlowProblem, point::Vector{Float64}, v::Vector{Float64})
    l.v .= l.scale .* v
    l.products += 1
    product!(out, problem, point, l.v)
    out .*= l.scale
    @inbounds for i in problem.frozen
        out[i] = 0.0
    end
    return out
end

function prepare!(l::KrylovSolver, problem::FlowProblem, state::FlowState, ahead::Vector{Float64}, curvature::Float64)
    l.scale .= sqrt.(problem.tauinv)
    status = :ready
    if l.age.due
        l.r .= l.scale .* state.g
        restore_frozen!(l.r, problem, l.scale)
        status = lanczos!(l.preconditioner, l, problem, ahead)
        renewed!(l.age)
    end
    l.products = 0
    return status
end

# The Hessian is that of the iterate already.
renew!(l::KrylovSolver, problem::FlowProblem, state::FlowState, place::Vector{Float64}) = :slow

function guess!(d::Vector{Float64}, l::KrylovSolver, problem::FlowProblem, dt::Float64)
    l.r .= l.scale .* d
    precondition!(l.y, l.preconditioner, l.r, 1 / (ESDIRK_GAMMA * dt))
    d .= l.scale .* l.y
    return d
end

# Preconditioned conjugate gradients: Y. Saad, Iterative Methods for Sparse Linear Systems (2003), algorithm 9.1. The
# preconditioned residual y estimates the error that is left. Adding it to the solution is one more iteration, without a
# product, that leaves about as much of the error as the one before did: so the iteration ends one product early.
function solve!(d::Vector{Float64}, l::KrylovSolver, problem::FlowProblem, dt::Float64, point::Vector{Float64},
                weight::Vector{Float64})
    x, r, y, p, q, shift = l.x, l.r, l.y, l.p, l.q, 1 / (ESDIRK_GAMMA * dt)
    fill!(x, 0.0)
    r .= l.scale .* d
    precondition!(y, l.preconditioner, r, shift)
    copyto!(p, y)
    rho, last = dot(r, y), 0.0
    for _ in 1:CG_LIMIT
        size = scaled_norm(y, l.scale, weight)
        if size <= CG_TOLERANCE || size^2 <= CG_TOLERANCE * last
            d .= l.scale .* (x .+ y)
            return :solved
        end
        exhausted(problem) && return :exhausted
        scaled_product!(q, l, problem, point, p)
        axpy!(shift, p, q)
        curvature = dot(p, q)
        isfinite(curvature) || return :nonfinite
        curvature > 0 || return :indefinite
        axpy!(rho / curvature, p, x)
        axpy!(-rho / curvature, q, r)
        precondition!(y, l.preconditioner, r, shift)
        before, rho, last = rho, dot(r, y), size
        axpby!(1.0, y, rho / before, p)
    end
    return :slow
end

function scaled_norm(y::Vector{Float64}, scale::Vector{Float64}, weight::Vector{Float64})
    worst = 0.0
    @inbounds for i in eachindex(y)
        e = abs(y[i]) * scale[i] * weight[i]
        worst = max(worst, e)
    end
    return worst
end

# Newton's iteration with the exact Hessian converges quadratically.
extent(l::KrylovSolver, point::Vector{Float64}, d::Vector{Float64}) = norm(d)

slack(l::KrylovSolver, dt::Float64) = 0.0

function step_done!(l::KrylovSolver, iterations::Int)
    note!(l.age, l.products)
    return nothing
end

largest_eigenvalue(l::KrylovSolver, problem::FlowProblem) = l.preconditioner.count == 0 ? 0.0 : l.preconditioner.lambda[1]
