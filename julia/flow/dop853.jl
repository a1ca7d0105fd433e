# Explicit Runge-Kutta method of order 8(5,3) by Dormand and Prince, with dense output of order 7.
#
# E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I (1993), II.5 (the method), II.6 (dense output)
# and II.10 (error estimate).

# The region of absolute stability ends at -6.4 on the negative real axis. The bound is about the same part of it as DP5's.
const DOP853_STIFF_BOUND = 4.0

# The error of the dense output in units of its highest coefficient. For x' = -lambda x the last term is at most 0.0084 of that
# coefficient, and the error 1/7 of the term for 0.7 <= dt lambda <= 6.4, less for smaller steps.
const DOP853_DENSE_ERROR = 0.0012

"""
    DOP853(P)

Dormand and Prince's explicit method of order 8 for `P` parameters: twelve gradients a step, and three more (in stiff stretches
27) in a step that is sampled. Cheaper than DP5 where the flow is not stiff and the tolerance at most about 1e-5.
"""
mutable struct DOP853 <: AbstractStepper
    k::NTuple{10,Vector{Float64}}       # see `dop853_stages`
    r::NTuple{4,Vector{Float64}}        # highest coefficients of the dense output
    stage::Vector{Float64}
    stiff_steps::Int
    other_steps::Int
    rate::Float64                       # dt times the local Lipschitz constant, from the last step
    tolerance::Tolerance                # of the last step
    interpolant_current::Bool
end

function DOP853(P::Integer)
    return DOP853(ntuple(_ -> zeros(P), 10), ntuple(_ -> zeros(P), 4), zeros(P), 0, 0, 0.0, Tolerance(0.0, 0.0), false)
end

STEPPERS[:DOP853] = DOP853

name(::DOP853) = :DOP853
error_exponent(::DOP853) = 8

# Forty flows of networks each in three draws (as for DP5): the largest error is 2.1 tolerances, the median 0.2. With 1.0 one
# flow that passes near a saddle came to 12.
calibration(::DOP853) = 0.4

# Eleven stages and the end, and the three stages of the dense output.
step_cost(::DOP853) = 15
stiff_steps(s::DOP853) = s.stiff_steps

function restart!(s::DOP853)
    s.interpolant_current = false
    return forget_stiffness!(s)
end

# Stages 1 to 16. Memory is shared by stages of which the later does not need the earlier: 2 and 3 by the tableau, and the
# stages of the dense output, which needs none of 2 to 5.
dop853_stages(s::DOP853, state::FlowState) = (state.f, s.k[1], s.k..., state.fnew, s.k[1], s.k[2], s.k[3])

pick(k::NTuple{16,Vector{Float64}}, stages::NTuple{M,Int}) where {M} = ntuple(m -> k[stages[m]], Val(M))

function dop853_stage!(s::DOP853, problem::FlowProblem, state::FlowState, dt::Float64, ::Val{S}) where {S}
    k = dop853_stages(s, state)
    stage_point!(s.stage, state.x, dt, DOP853_A[S-1], pick(k, DOP853_STAGES[S-1]))
    rhs!(k[S], problem, s.stage)
    return nothing
end

# The end `y` of a step of size dt from state.x, by eleven stages.
function dop853_step!(y::Vector{Float64}, s::DOP853, problem::FlowProblem, state::FlowState, dt::Float64)
    dop853_stage!(s, problem, state, dt, Val(2))
    dop853_stage!(s, problem, state, dt, Val(3))
    dop853_stage!(s, problem, state, dt, Val(4))
    dop853_stage!(s, problem, state, dt, Val(5))
    dop853_stage!(s, problem, state, dt, Val(6))
    dop853_stage!(s, problem, state, dt, Val(7))
    dop853_stage!(s, problem, state, dt, Val(8))
    dop853_stage!(s, problem, state, dt, Val(9))
    dop853_stage!(s, problem, state, dt, Val(10))
    dop853_stage!(s, problem, state, dt, Val(11))
    dop853_stage!(s, problem, state, dt, Val(12))
    return stage_point!(y, state.x, dt, DOP853_A[12], pick(dop853_stages(s, state), DOP853_STAGES[12]))
end

function attempt!(s::DOP853, problem::FlowProblem, state::FlowState, tol::Tolerance)
    s.interpolant_current = false
    s.tolerance = tol
    dop853_step!(state.xnew, s, problem, state, state.dt)
    restore_frozen!(state.xnew, problem, state.x)
    return dop853_error(state, tol, pick(dop853_stages(s, state), DOP853_STAGES[12]))
end

# Estimates e5 = O(dt^6) and e3 = O(dt^4), in the maximum norm, combine to e5^2 / sqrt(e5^2 + e3^2/100) = O(dt^8), which
# follows the error of the dense output. `max` and `hypot` hand NaN on.
function dop853_error(state::FlowState, tol::Tolerance, k::NTuple{8,Vector{Float64}})
    e5, e3 = 0.0, 0.0
    @inbounds for i in eachindex(state.x)
        w = state.dt / scale(tol, state.x[i], state.xnew[i])
        e5 = max(e5, abs(w * combine(DOP853_E5, k, i)))
        e3 = max(e3, abs(w * combine(DOP853_E3, k, i)))
    end
    return e5 == 0 ? 0.0 : e5 * (e5 / hypot(e5, 0.1 * e3))
end

# Stage 12 belongs to the time of the end of the step, whose velocity is known only now.
function accepted!(s::DOP853, state::FlowState)
    s.rate = state.dt * lipschitz(state.fnew, s.k[10], state.xnew, s.stage)
    return count_stiffness!(s, DOP853_STIFF_BOUND)
end

# In a step near the limit of stability the dense output magnifies the fast directions, up to 25 times, while the end of the step
# is accurate. Where it would miss the tolerance asked for, and evaluations are left, shorter steps find the samples.
function prepare_interpolation!(s::DOP853, problem::FlowProblem, state::FlowState)
    s.interpolant_current && return nothing
    prepare_stages!(s, problem, state)
    missed = !(calibration(s) * dense_error(s, state) <= 1)
    missed && spare_evaluations(problem) >= 24 && prepare_thirds!(s, problem, state)
    # Where a stage met a number that is not finite, the cubic polynomial through the ends of the step remains.
    all(r -> all(isfinite, r), s.r) || foreach(r -> fill!(r, 0.0), s.r)
    s.interpolant_current = true
    return nothing
end

function prepare_stages!(s::DOP853, problem::FlowProblem, state::FlowState)
    dop853_stage!(s, problem, state, state.dt, Val(14))
    dop853_stage!(s, problem, state, state.dt, Val(15))
    dop853_stage!(s, problem, state, state.dt, Val(16))
    k = pick(dop853_stages(s, state), DOP853_D_STAGES)
    for m in 1:4
        weighted_sum!(s.r[m], state.dt, DOP853_D[m], k)
    end
    return nothing
end

function weighted_sum!(y::Vector{Float64}, dt::Float64, a::NTuple{M,Float64}, k::NTuple{M,Vector{Float64}}) where {M}
    @inbounds for i in eachindex(y)
        y[i] = dt * combine(a, k, i)
    end
    return y
end

# Scaled as the error of the step is.
function dense_error(s::DOP853, state::FlowState)
    worst = 0.0
    @inbounds for i in eachindex(state.x)
        worst = max(worst, DOP853_DENSE_ERROR * abs(s.r[4][i]) / scale(s.tolerance, state.x[i], state.xnew[i]))
    end
    return worst
end

# The polynomial through values and velocities at the ends of the step: x + theta (dx + eta (r2 + theta r3)), eta = 1 - theta.
@inline function cubic(state::FlowState, i::Int)
    @inbounds dx = state.xnew[i] - state.x[i]
    @inbounds r2 = state.dt * state.f[i] - dx
    @inbounds r3 = dx - state.dt * state.fnew[i] - r2
    return dx, r2, r3
end

# The polynomial of degree 7 through values and velocities at the ends and at theta = 1/3 and 2/3, where steps of that size end.
function prepare_thirds!(s::DOP853, problem::FlowProblem, state::FlowState)
    r4, r5, r6, r7 = s.r
    rhs!(r5, problem, dop853_step!(r4, s, problem, state, state.dt / 3))
    rhs!(r7, problem, dop853_step!(r6, s, problem, state, 2 * state.dt / 3))
    @inbounds for i in eachindex(state.x)
        dx, r2, r3 = cubic(state, i)
        # q(theta) = r4 + theta r5 + theta eta (r6 + theta r7), times (theta eta)^2, is what the cubic polynomial misses.
        q1 = 81 / 4 * (r4[i] - (state.x[i] + dx / 3 + 2 / 9 * r2 + 2 / 27 * r3))
        q2 = 81 / 4 * (r6[i] - (state.x[i] + 2 / 3 * dx + 2 / 9 * r2 + 4 / 27 * r3))
        slope1 = 81 / 4 * (state.dt * r5[i] - (dx + (r2 + r3) / 3)) - 3 * q1
        slope2 = 81 / 4 * (state.dt * r7[i] - (dx - r2 / 3)) + 3 * q2
        r7[i] = 54 * (q2 - q1) - 9 * (slope1 + slope2)
        r5[i] = 3 * (q2 - q1) - 2 / 9 * r7[i]
        r6[i] = 3 * (r5[i] - slope2)
        r4[i] = q1 - r5[i] / 3 - 2 / 9 * r6[i] - 2 / 27 * r7[i]
    end
    return nothing
end

function interpolate!(y::AbstractVector{Float64}, s::DOP853, state::FlowState, theta::Float64)
    r4, r5, r6, r7 = s.r
    eta = 1 - theta
    @inbounds for i in eachindex(state.x)
        dx, r2, r3 = cubic(state, i)
        high = r4[i] + theta * (r5[i] + eta * (r6[i] + theta * r7[i]))
        y[i] = state.x[i] + theta * (dx + eta * (r2 + theta * (r3 + eta * high)))
    end
    return y
end
