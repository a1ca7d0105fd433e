# The stage equations by Cholesky factorisation of M. Hessian and factor are kept over many steps: Newton's rate of
# convergence tells when they are too old.

# Gradients that a Hessian with its factorisation counts as when it is decided whether to evaluate a new one. Measured on
# networks with one hidden layer, P = 33 and 601, N = 10^4: 5 and 25; a deep one, P = 1291, N = 10^3: 110 and 60 more for
# the factorisation.
hessian_price(P::Integer) = 3 + P / 16

# Newton's rate at the likely end of a step above which the Hessian is too old to begin with.
const SLOWEST_RATE = 0.3

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
    known::Bool                         # H is a finite Hessian
    borrowed::Bool                      # the last step used the factor of another step size
    age::Renewal
end

DirectSolver(P::Integer) = DirectSolver(zeros(P, P), zeros(P, P), zeros(P), 0.0, false, false, Renewal(hessian_price(P)))

method_name(::Type{DirectSolver}) = :ESDIRK547L2SA2
usual_cost(::Type{DirectSolver}) = 8

function forget!(l::DirectSolver)
    l.known = false
    return nothing
end

function prepare!(l::DirectSolver, problem::FlowProblem, state::FlowState, ahead::Vector{Float64}, curvature::Float64)
    slow = isfinite(curvature) && curvature * extent(l, ahead, ahead) > SLOWEST_RATE
    # Steps that became expensive with the factor of another step size say nothing against the Hessian.
    (slow || !l.known || (l.age.due && !l.borrowed)) && return renew!(l, problem, state, ahead)
    limit = length(ahead) < REFACTORIZE_ALWAYS || l.age.due ? 0.0 : REFACTORIZE_CHANGE
    l.borrowed = l.dt > 0 && 0 < slack(l, state.dt) <= limit
    l.borrowed || l.dt == state.dt || factorize!(l, problem, state.dt) || return renew!(l, problem, state, ahead)
    return :ready
end

function renew!(l::DirectSolver, problem::FlowProblem, state::FlowState, place::Vector{Float64})
    status = evaluate_hessian!(l, problem, place)
    # `place` is a guess and may be out of bounds.
    status === :nonfinite && (status = evaluate_hessian!(l, problem, state.x))
    status === :ready || return status
    return factorize!(l, problem, state.dt) ? :ready : :indefinite
end

function evaluate_hessian!(l::DirectSolver, problem::FlowProblem, place::Vector{Float64})
    exhausted(problem) && return :exhausted
    problem.hessian_evaluations += 1
    hessian!(l.H, problem.objective, place)
    copyto!(l.place, place)
    l.known = all(isfinite, l.H)
    l.dt = 0.0
    l.borrowed = false
    renewed!(l.age)
    return l.known ? :ready : :nonfinite
end

function factorize!(l::DirectSolver, problem::FlowProblem, dt::Float64)
    shifted_hessian!(l.M, l.H, problem, 1 / (ESDIRK_GAMMA * dt))
    problem.factorizations += 1
    positive = LAPACK.potrf!('L', l.M)[2] == 0
    l.dt = positive ? dt : 0.0
    return positive
end

function guess!(d::Vector{Float64}, l::DirectSolver, problem::FlowProblem, dt::Float64)
    LAPACK.potrs!('L', l.M, d)
    # With M of another step size dt', d is right where H dominates and dt'/dt times too large where 1/(gamma dt tauinv) does:
    # this factor makes both errors the same.
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

# What the factor in `guess!` leaves.
slack(l::DirectSolver, dt::Float64) = abs(dt - l.dt) / (dt + l.dt)

function step_done!(l::DirectSolver, iterations::Int)
    note!(l.age, iterations)
    return nothing
end

# The Frobenius norm is an upper bound, too large by the square root of the number of eigenvalues that stand out.
function largest_eigenvalue(l::DirectSolver, problem::FlowProblem)
    l.known || return 0.0
    total = 0.0
    @inbounds for j in problem.moving, i in problem.moving
        total += problem.tauinv[i] * problem.tauinv[j] * abs2(l.H[i, j])
    end
    return sqrt(total)
end
