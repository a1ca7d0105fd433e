# The Runge-Kutta-Chebyshev method of order 2: explicit, with as many stages as stability asks for. s stages are stable for
# dt times the largest eigenvalue up to 0.65 s^2: the gradients a unit of time costs fall as the steps grow.
#
# B. P. Sommeijer, L. F. Shampine, J. G. Verwer, "RKC: an explicit solver for parabolic PDEs", J. Comput. Appl. Math. 88
# (1998) 315-326: coefficients in closed form, damping, number of stages and error estimate.

"""
    RKC2(P)

The Runge-Kutta-Chebyshev method of order 2 for `P` parameters: s gradients a step, s about sqrt(1.54 dt rho + 1) for the
largest eigenvalue rho of diag(tauinv) H, and every few steps some products of the Hessian with a vector.
"""
mutable struct RKC2 <: AbstractStepper
    stages::ChebyshevStages
end

RKC2(P::Integer) = RKC2(ChebyshevStages(P))

STEPPERS[:RKC2] = RKC2

name(::RKC2) = :RKC2
error_exponent(::RKC2) = 3

# As measured for RKC3 (there), tolerances 1e-4 and 1e-6: largest error 0.8 tolerances, median 0.07; 12 near the saddle.
calibration(::RKC2) = 0.003
step_cost(s::RKC2) = s.stages.count
restart!(s::RKC2) = (reset!(s.stages.radius); nothing)
accepted!(s::RKC2, state::FlowState) = note_accepted!(s.stages.radius, s.stages.count)
interpolate!(y::AbstractVector{Float64}, s::RKC2, state::FlowState, theta::Float64) = hermite!(y, state, theta)

# With z = dt rho the end of the step carries rounding errors of up to z eps |x|, its velocity, which the error estimate
# sees, z times as much.
limit_dt!(s::RKC2, problem::FlowProblem, state::FlowState, tol::Tolerance) =
    limit_to!(s.stages, problem, state, sqrt(max(tol.abstol, tol.reltol) / eps()))

function attempt!(s::RKC2, problem::FlowProblem, state::FlowState, tol::Tolerance)
    chebyshev_step!(s.stages, problem, state, NoCorrection()) && !exhausted(problem) || return Inf
    evaluate_end!(state, problem)
    return rkc2_error(state, proportional(tol, 2))
end

# x - xnew + dt (f + fnew) / 2 is dt^3 x'''/12; the error of the step is close to dt^3 x'''/15.
function rkc2_error(state::FlowState, tol::Tolerance)
    worst = 0.0
    @inbounds for i in eachindex(state.x)
        e = 0.8 * (state.x[i] - state.xnew[i]) + 0.4 * state.dt * (state.f[i] + state.fnew[i])
        e = abs(e) / scale(tol, state.x[i], state.xnew[i])
        worst = max(worst, e)
    end
    return worst
end
