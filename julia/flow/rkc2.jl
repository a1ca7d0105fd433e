# The Runge-Kutta-Chebyshev method of order 2: explicit, with as many stages as stability asks for. s stages are stable
# for dt times the largest eigenvalue up to 0.65 s^2, so the gradients spent grow with its square root only.
#
# B. P. Sommeijer, L. F. Shampine, J. G. Verwer, "RKC: an explicit solver for parabolic PDEs", J. Comput. Appl. Math. 88
# (1998) 315-326: coefficients in closed form, damping, number of stages and error estimate.

const RKC2_DAMPING = 2 / 13

# The end of the step carries rounding errors of about (dt rho) eps |x|, its velocity dt rho times as much, and the error
# estimate contains that velocity: (dt rho)^2 eps is kept below the tolerance.
rkc2_limit(tol::Tolerance) = sqrt(max(tol.abstol, tol.reltol) / eps())

"""
    RKC2(P)

The Runge-Kutta-Chebyshev method of order 2 for `P` parameters: s + 1 gradients a step, s about sqrt(1.54 dt rho + 1) for
the largest eigenvalue rho of diag(tauinv) H, and a few products of the Hessian with a vector every few steps.
"""
mutable struct RKC2 <: AbstractStepper
    radius::SpectralRadius
    stages::Int
    y::Vector{Float64}
    before::Vector{Float64}
    f::Vector{Float64}
end

RKC2(P::Integer) = RKC2(SpectralRadius(P), 2, zeros(P), zeros(P), zeros(P))

STEPPERS[:RKC2] = RKC2

name(::RKC2) = :RKC2
error_exponent(::RKC2) = 3
calibration(::RKC2) = 0.1
step_cost(s::RKC2) = s.stages + 1
restart!(s::RKC2) = (reset!(s.radius); nothing)
accepted!(s::RKC2, state::FlowState) = note_accepted!(s.radius, s.stages + 1)

function limit_dt!(s::RKC2, problem::FlowProblem, state::FlowState, tol::Tolerance)
    rho = refresh!(s.radius, problem, state)
    rho > 0 && (state.dt = min(state.dt, rkc2_limit(tol) / rho))
    return nothing
end

# 1.54 = 1 / 0.649: the interval of s stages ends beyond 0.65 (s^2 - 1).
rkc2_stages(z::Float64) = max(2, 1 + floor(Int, sqrt(1.54 * z + 1)))

# The stage 1 of s stages with which the last one is the step.
function rkc2_first_stage(s::Int)
    w0 = 1 + RKC2_DAMPING / s^2
    stage = ChebyshevStage(w0, 1.0)
    for _ in 2:s
        stage, _ = next_stage(stage)
    end
    return ChebyshevStage(w0, stage.dt[1] / stage.ddt[1])
end

function attempt!(s::RKC2, problem::FlowProblem, state::FlowState, tol::Tolerance)
    rho = refresh!(s.radius, problem, state)
    s.radius.attempted = true
    isfinite(rho) || return Inf
    s.stages = rkc2_stages(state.dt * rho)
    x, dt, f0, y, before = state.x, state.dt, state.f, s.y, s.before
    stage = rkc2_first_stage(s.stages)
    copyto!(before, x)
    stage_point!(y, x, dt, (first_coefficient(stage),), (f0,))
    for _ in 2:s.stages
        exhausted(problem) && return Inf
        rhs!(s.f, problem, y)
        stage, coefficients = next_stage(stage)
        chebyshev_stage!(before, y, x, s.f, f0, dt, coefficients)
        y, before = before, y
    end
    exhausted(problem) && return Inf
    copyto!(state.xnew, y)
    restore_frozen!(state.xnew, problem, x)
    evaluate_end!(state, problem)
    return rkc2_error(state, tol)
end

# y_n - y_{n+1} + dt (f_n + f_{n+1}) / 2 is -dt^3 y'''/12; the step's own error is dt^3 y''' / 15.
function rkc2_error(state::FlowState, tol::Tolerance)
    worst = 0.0
    @inbounds for i in eachindex(state.x)
        e = 0.8 * (state.x[i] - state.xnew[i]) + 0.4 * state.dt * (state.f[i] + state.fnew[i])
        e = abs(e) / scale(tol, state.x[i], state.xnew[i])
        e <= worst || (worst = e)
    end
    return worst
end

function interpolate!(y::AbstractVector{Float64}, s::RKC2, state::FlowState, theta::Float64)
    return hermite!(y, state, theta)
end
