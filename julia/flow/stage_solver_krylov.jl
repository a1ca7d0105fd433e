# The stage equations by conjugate gradients, with products of the Hessian and no matrix. In the variables d_i/sqrt(tauinv_i)
#
#     M = I/(gamma dt) + A,    A_ij = sqrt(tauinv_i) H_ij sqrt(tauinv_j),
#
# so that a change of the step size is a shift. Frozen parameters drop out by themselves.

const CG_LIMIT = 100
const CG_TOLERANCE = 0.25 * NEWTON_TOLERANCE

"""
    KrylovSolver(P)

Preconditioned conjugate gradients for `P` parameters: about 60 P numbers.
"""
mutable struct KrylovSolver <: StageSolver
    preconditioner::SpectralPreconditioner
    scale::Vector{Float64}              # sqrt(tauinv)
    x::Vector{Float64}                  # of the iteration: solution, residual, the same preconditioned, direction, M direction
    r::Vector{Float64}
    y::Vector{Float64}
    p::Vector{Float64}
    q::Vector{Float64}
    v::Vector{Float64}
    products::Int                       # in this attempt
    age::Renewal
end

function KrylovSolver(P::Integer)
    work() = zeros(P)
    return KrylovSolver(SpectralPreconditioner(P), work(), work(), work(), work(), work(), work(), work(), 0,
                        Renewal(LANCZOS_STEPS))
end

method_name(::Type{KrylovSolver}) = :NewtonKrylov
usual_cost(::Type{KrylovSolver}) = 40

function forget!(l::KrylovSolver)
    forget!(l.preconditioner)
    renewed!(l.age)
    return nothing
end

# out = A v at `point`, for v in the scaled variables.
function scaled_product!(out::Vector{Float64}, l::KrylovSolver, problem::FlowProblem, point::Vector{Float64}, v::Vector{Float64})
    l.v .= l.scale .* v
    product!(out, problem, point, l.v)
    l.products += 1
    @inbounds for i in problem.moving
        out[i] *= l.scale[i]
    end
    @inbounds for i in problem.frozen
        out[i] = 0.0
    end
    return out
end

function prepare!(l::KrylovSolver, problem::FlowProblem, state::FlowState, ahead::Vector{Float64}, old::Bool)
    l.scale .= sqrt.(problem.tauinv)
    if l.age.due
        l.r .= l.scale .* state.g
        restore_frozen!(l.r, problem, l.scale)
        status = lanczos!(l.preconditioner, l, problem, ahead)
        status === :ready || return status
        renewed!(l.age)
    end
    l.products = 0
    return :ready
end

# The Hessian is always that of the point.
renew!(l::KrylovSolver, problem::FlowProblem, state::FlowState, place::Vector{Float64}) = :slow

function guess!(d::Vector{Float64}, l::KrylovSolver, problem::FlowProblem, dt::Float64)
    l.r .= l.scale .* d
    precondition!(l.y, l.preconditioner, l.r, 1 / (ESDIRK_GAMMA * dt))
    d .= l.scale .* l.y
    return d
end

# The preconditioned residual estimates the error that is left: it would be the error if the preconditioner were exact, and is
# larger than it where that has no part of A.
function solve!(d::Vector{Float64}, l::KrylovSolver, problem::FlowProblem, dt::Float64, point::Vector{Float64},
                weight::Vector{Float64})
    x, r, y, p, q, shift = l.x, l.r, l.y, l.p, l.q, 1 / (ESDIRK_GAMMA * dt)
    fill!(x, 0.0)
    r .= l.scale .* d
    precondition!(y, l.preconditioner, r, shift)
    copyto!(p, y)
    rho = dot(r, y)
    status = :slow
    for _ in 1:CG_LIMIT
        if scaled_norm(y, l.scale, weight) <= CG_TOLERANCE
            status = :solved
            break
        end
        exhausted(problem) && return :exhausted
        scaled_product!(q, l, problem, point, p)
        axpy!(shift, p, q)
        curvature = dot(p, q)
        isfinite(curvature) || return :nonfinite
        curvature > 0 || return :indefinite
        alpha = rho / curvature
        axpy!(alpha, p, x)
        axpy!(-alpha, q, r)
        precondition!(y, l.preconditioner, r, shift)
        last, rho = rho, dot(r, y)
        axpby!(1.0, y, rho / last, p)
    end
    d .= l.scale .* x
    return status
end

function scaled_norm(y::Vector{Float64}, scale::Vector{Float64}, weight::Vector{Float64})
    worst = 0.0
    @inbounds for i in eachindex(y)
        e = abs(y[i]) * scale[i] * weight[i]
        e <= worst || (worst = e)
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
