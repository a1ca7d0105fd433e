# Diagonally implicit Runge-Kutta method of order 5(4), L-stable and stiffly accurate, with dense output of order 4: stages,
# error and interpolation. The linear algebra is exchangeable, see stage_solver.jl.
#
# C. A. Kennedy, M. H. Carpenter, "Diagonally implicit Runge-Kutta methods for stiff ODEs", Applied Numerical Mathematics 146
# (2019) 221-244. With the increments z_i = X_i - x and k_i = dt f(X_i) the stages are
#
#     z_i = base_i + gamma k_i,    base_i = sum_{j<i} a_ij k_j,    i = 2, ..., 7,    x_new = x + z_7.
#
# The first stage is explicit. Its k_1 is that of the last stage before, which the stiffly accurate method has at the same
# point: like all k_i it comes from the stage's equation, not from a gradient.

const STAGE_FAILURE = 2.0^5             # what a step counts as whose stages do not converge: half of it is tried next

"""
    ESDIRK{L}(P)

Kennedy and Carpenter's ESDIRK5(4)7L[2]SA2 for `P` parameters with linear algebra by an `L <: StageSolver`: seven gradients a
step and a few more where a stage needs a second Newton iteration.

- `:ESDIRK547L2SA2`, with `DirectSolver`: Hessian and Cholesky factorisation, kept over many steps, 2 P^2 + O(P) memory
- `:NewtonKrylov`, with `KrylovSolver`: products of the Hessian with vectors, O(P) memory
"""
mutable struct ESDIRK{L<:StageSolver} <: AbstractStepper
    solver::L
    k::NTuple{7,Vector{Float64}}        # dt times the derivative at each stage
    z::NTuple{7,Vector{Float64}}        # each stage's increment
    past_k::NTuple{3,Vector{Float64}}   # of PAST_STAGES of the last step
    past_z::NTuple{3,Vector{Float64}}   # relative to its end
    dt_past::Float64                    # its size; 0 when there is none
    slope::Vector{Float64}              # derivative at the current point
    base::Vector{Float64}
    point::Vector{Float64}
    r::Vector{Float64}
    weight::Vector{Float64}             # one over the tolerance
    curvature::Float64                  # Newton's rate of convergence divided by `extent`; Inf: not known
    correction::Float64                 # size of the last correction
    iterations::Int                     # of Newton's method in this attempt
    unverified::Bool                    # the last stage of the step just taken has not been compared with its gradient
end

function ESDIRK{L}(P::Integer) where {L<:StageSolver}
    work(n) = ntuple(_ -> zeros(P), n)
    return ESDIRK{L}(L(P), work(7), work(7), work(3), work(3), 0.0, work(5)..., Inf, 0.0, 0, false)
end

const ESDIRK547L2SA2 = ESDIRK{DirectSolver}
const NewtonKrylov = ESDIRK{KrylovSolver}

STEPPERS[:ESDIRK547L2SA2] = ESDIRK547L2SA2
STEPPERS[:NewtonKrylov] = NewtonKrylov

name(::ESDIRK{L}) where {L} = method_name(L)
error_exponent(::ESDIRK) = 5

# Sixty-three flows of networks (seven architectures, 13 to 121 parameters, starts at one, two and four times the usual size),
# tolerances 1e-4, 1e-6, 1e-8, all parameters at ten times up to 100, against a reference at 1e-12: with this factor the
# largest error is 8.4 tolerances, at the end of a flow past a saddle where Rodas5P has 9.4; the median is 0.2.
calibration(::ESDIRK) = 0.5
step_cost(::ESDIRK{L}) where {L} = usual_cost(L)

function restart!(s::ESDIRK)
    s.dt_past = 0.0
    s.curvature = Inf
    s.unverified = false
    forget!(s.solver)
    return nothing
end

function accepted!(s::ESDIRK, state::FlowState)
    @inbounds @simd for i in eachindex(s.slope)
        s.slope[i] = s.k[7][i] / state.dt
    end
    for (m, j) in enumerate(PAST_STAGES)
        copyto!(s.past_k[m], s.k[j])
        s.past_z[m] .= s.z[j] .- s.z[7]
    end
    s.dt_past = state.dt
    s.unverified = true
    step_done!(s.solver, s.iterations)
    return nothing
end

function attempt!(s::ESDIRK, problem::FlowProblem, state::FlowState, tol::Tolerance)
    s.dt_past > 0 || copyto!(s.slope, state.f)
    @inbounds for i in eachindex(s.weight)
        s.weight[i] = 1 / scale(tol, state.x[i], state.x[i])
    end
    s.unverified && verify!(s, problem, state)
    look_ahead!(s, problem, state)
    status = prepare!(s.solver, problem, state, s.point, s.curvature)
    status === :ready && (status = stages!(s, problem, state))
    # The driver needs one more gradient, at the end.
    status === :converged && return exhausted(problem) ? Inf : finish_step!(s, problem, state, tol)
    return status === :slow || status === :indefinite ? STAGE_FAILURE : Inf
end

# The gradient at the end of the last step, which the driver evaluated, shows how far Newton's iteration was from its limit in
# the last stage, and so how fast it converges. Conjugate gradients do without: products would cost more than they tell.
verify!(s::ESDIRK, problem::FlowProblem, state::FlowState) = nothing

function verify!(s::ESDIRK{DirectSolver}, problem::FlowProblem, state::FlowState)
    s.unverified = false
    s.correction > NEWTON_TRIFLE || return nothing
    stage_residual!(s.r, problem, s.dt_past, s.z[7], s.base, state.g)
    guess!(s.r, s.solver, problem, s.dt_past)
    rate = weighted_norm(s.r, s.weight) / s.correction
    isfinite(rate) && learn!(s, rate, extent(s.solver, state.x, s.r), s.dt_past)
    return nothing
end

# Where a new Hessian would be evaluated: at the likely end of this step, since it serves this step and some after it; where
# the Hessian changes too fast for that, in the middle.
function look_ahead!(s::ESDIRK, problem::FlowProblem, state::FlowState)
    part = 0.0
    if s.dt_past > 0
        part = s.curvature * state.dt * norm(s.slope) <= SLOWEST_RATE ? 1.0 : 0.5
    end
    @inbounds @simd for i in eachindex(s.point)
        s.point[i] = state.x[i] + part * state.dt * s.slope[i]
    end
    return restore_frozen!(s.point, problem, state.x)
end

function stages!(s::ESDIRK, problem::FlowProblem, state::FlowState)
    s.iterations = 0
    @inbounds @simd for i in eachindex(s.slope)
        s.k[1][i] = state.dt * s.slope[i]
    end
    status = stage!(s, problem, state, Val(2))
    status === :converged && (status = stage!(s, problem, state, Val(3)))
    status === :converged && (status = stage!(s, problem, state, Val(4)))
    status === :converged && (status = stage!(s, problem, state, Val(5)))
    status === :converged && (status = stage!(s, problem, state, Val(6)))
    status === :converged && (status = stage!(s, problem, state, Val(7)))
    return status
end

function stage!(s::ESDIRK, problem::FlowProblem, state::FlowState, stage::Val{S}) where {S}
    k, z, base = s.k[S], s.z[S], s.base
    combine!(base, ESDIRK_A[S], ntuple(j -> s.k[j], Val(S - 1)))
    predict!(s, problem, state.dt, stage)
    status = newton!(s, problem, state, z)
    status === :slow && (status = retry_stage!(s, problem, state, stage))
    @inbounds @simd for i in eachindex(k)
        k[i] = (z[i] - base[i]) / ESDIRK_GAMMA
    end
    return status
end

# The stage once more, with a Hessian of its own.
function retry_stage!(s::ESDIRK, problem::FlowProblem, state::FlowState, stage::Val{S}) where {S}
    extrapolate!(s.z[S], s.r, s, state.dt, stage)
    s.point .= state.x .+ s.z[S]
    status = renew!(s.solver, problem, state, s.point)
    status === :ready || return status
    predict!(s, problem, state.dt, stage)
    return newton!(s, problem, state, s.z[S])
end

function finish_step!(s::ESDIRK, problem::FlowProblem, state::FlowState, tol::Tolerance)
    worst = 0.0
    @inbounds for i in eachindex(state.x)
        state.xnew[i] = state.x[i] + s.z[7][i]
        e = abs(combine(ESDIRK_E, s.k, i)) / scale(tol, state.x[i], state.xnew[i])
        worst = max(worst, e)
    end
    restore_frozen!(state.xnew, problem, state.x)
    return worst
end

function interpolate!(y::AbstractVector{Float64}, s::ESDIRK, state::FlowState, theta::Float64)
    x, xnew, eta = state.x, state.xnew, 1 - theta
    q = map((a, b, c) -> theta * eta * (a + theta * (b + theta * c)), ESDIRK_Q...)
    @inbounds for i in eachindex(x)
        y[i] = eta * x[i] + theta * xnew[i] + combine(q, s.k, i)
    end
    return y
end
