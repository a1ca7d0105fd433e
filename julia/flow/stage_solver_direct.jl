# The stage equations by Cholesky factorisation of M. Hessian and factor are kept over many steps: Newton's rate of
# convergence tells when they are too old.

# Gradients that a Hessian with its factorisation counts as when it is decided whether to evaluate a new one. Measured for
# networks with one hidden layer, P = 33 to 601: 5 to 25; deep ones up to 110.
hessian_price(P::Integer) = 3 + P / 16

# With many parameters a factorisation costs more than the iterations that the one of a neighbouring step size takes.
const REFACTORIZE_ALWAYS = 500
const REFACTORIZE_CHANGE = 0.1          # of |dt - dt'| / (dt + dt')

"""
    DirectSolver(P)

Hessian and Cholesky factor for `P` parameters: 2 P^2 numbers.
"""
mutable struct DirectSolver <: StageSolver
    H::Matrix{Float64}
    M::Matrix{Float64}
    place::Vector{Float64}              # where H was evaluated
    dt::Float64                         # step size in M; 0: M is not a factor
    known::Bool
    age::Renewal
end

DirectSolver(P::Integer) = DirectSolver(zeros(P, P), zeros(P, P), zeros(P), 0.0, false, Renewal(hessian_price(P)))

method_name(::Type{DirectSolver}) = :ESDIRK547L2SA2

function forget!(l::DirectSolver)
    l.known = false
    return nothing
end

# The Hessian is best evaluated ahead: it serves this step and some after it. Where that point is out of bounds, here.
function renew_hessian!(l::DirectSolver, problem::FlowProblem, x::Vector{Float64}, ahead::Vector{Float64})
    l.known = false
    for place in (ahead, x)
        exhausted(problem) && return :exhausted
        problem.hessian_evaluations += 1
        hessian!(l.H, problem.objective, place)
        if all(isfinite, l.H)
            copyto!(l.place, place)
            l.known = true
            l.dt = 0.0
            renewed!(l.age)
            return :renewed
        end
    end
    return :nonfinite
end

function prepare!(l::DirectSolver, problem::FlowProblem, state::FlowState, ahead::Vector{Float64}, renew::Bool)
    status = :kept
    if renew || !l.known || l.age.due
        status = renew_hessian!(l, problem, state.x, ahead)
        status === :renewed || return status
    end
    limit = length(ahead) < REFACTORIZE_ALWAYS ? 0.0 : REFACTORIZE_CHANGE
    l.dt > 0 && slack(l, state.dt) <= limit && return status
    factorize!(l, problem, state.dt) && return status
    status === :renewed && return :indefinite
    status = renew_hessian!(l, problem, state.x, ahead)
    status === :renewed || return status
    return factorize!(l, problem, state.dt) ? :renewed : :indefinite
end

function factorize!(l::DirectSolver, problem::FlowProblem, dt::Float64)
    shifted_hessian!(l.M, l.H, problem, 1 / (ESDIRK_GAMMA * dt))
    problem.factorizations += 1
    positive = LAPACK.potrf!('L', l.M)[2] == 0
    l.dt = positive ? dt : 0.0
    return positive
end

slack(l::DirectSolver, dt::Float64) = abs(dt - l.dt) / (dt + l.dt)

function guess!(d::Vector{Float64}, l::DirectSolver, problem::FlowProblem, dt::Float64)
    LAPACK.potrs!('L', l.M, d)
    # M of another step size is wrong where 1/(gamma dt tauinv) dominates and right where H does: halve the difference.
    dt == l.dt || rmul!(d, 2 * dt / (dt + l.dt))
    return d
end

function solve!(d::Vector{Float64}, l::DirectSolver, problem::FlowProblem, dt::Float64, point::Vector{Float64},
                weight::Vector{Float64})
    guess!(d, l, problem, dt)
    return :solved
end

function extent(l::DirectSolver, point::Vector{Float64}, d::Vector{Float64})
    total = 0.0
    @inbounds @simd for i in eachindex(point)
        total += abs2(point[i] - l.place[i])
    end
    return sqrt(total)
end

function step_done!(l::DirectSolver, iterations::Int)
    note!(l.age, iterations)
    return nothing
end
