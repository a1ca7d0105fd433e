# The one step-size controller: proportional-integral, in the logarithm of the step size.
#
# K. Gustafsson, M. Lundh, G. Soderlind, "A PI stepsize control for the numerical solution of ordinary differential
# equations", BIT 28 (1988) 270-287; Hairer, Wanner, Solving Ordinary Differential Equations II, IV.2. The integral part
# alone would oscillate where stability limits the step of an explicit method.

const PI_SAFETY = 0.9
const PI_SHRINK = 0.2           # a step never shrinks by more, unless it met a number that is not finite
const PI_GROW = 6.0
const PI_NONFINITE = 0.1
const PI_ERROR_FLOOR = 1e-10    # errors below it count as this: an accidental zero must not set the pace
const PI_FIRST_ERROR = 1e-4
const PI_ALPHA = 0.85           # exponents of this error and of the last one, times 1/k; Hairer's 0.17 and 0.04 for k = 5
const PI_BETA = 0.2

"""
    PIController()

Memory of the step-size controller: the last accepted error and whether the last step was rejected.
"""
mutable struct PIController
    last_error::Float64
    after_rejection::Bool
end

PIController() = PIController(PI_FIRST_ERROR, false)

function reset!(c::PIController)
    c.last_error = PI_FIRST_ERROR
    c.after_rejection = false
    return c
end

"""
    dt_after_acceptance!(c, dt, err, k) -> Float64

The next step size after a step of size `dt` with scaled error `err <= 1`, for an error estimate of O(dt^k).
"""
function dt_after_acceptance!(c::PIController, dt::Float64, err::Float64, k::Int)
    e = max(err, PI_ERROR_FLOOR)
    factor = PI_SAFETY * e^(-PI_ALPHA / k) * c.last_error^(PI_BETA / k)
    factor = clamp(factor, PI_SHRINK, c.after_rejection ? 1.0 : PI_GROW)
    c.last_error = e
    c.after_rejection = false
    return dt * factor
end

"""
    dt_after_rejection!(c, dt, err, k) -> Float64

The step size to try after the error `err` (> 1, or not finite) of a step of size `dt`.
"""
function dt_after_rejection!(c::PIController, dt::Float64, err::Float64, k::Int)
    c.after_rejection = true
    isfinite(err) || return dt * PI_NONFINITE
    return dt * clamp(PI_SAFETY * max(err, 1.0)^(-1 / k), PI_SHRINK, PI_SAFETY)
end

"""
    first_dt(problem, state, tol, k, evaluations) -> Float64

A first step size from the sizes of x, x' and an estimate of x''. Spends one gradient evaluation, more where the flow is
not finite nearby, and at most `evaluations`. Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.4 (4.14).
"""
function first_dt(problem::FlowProblem, state::FlowState, tol::Tolerance, k::Int, evaluations::Int)
    d0, d1, d2 = 0.0, 0.0, 0.0
    for i in eachindex(state.x)
        w = scale(tol, state.x[i], state.x[i])
        d0 = max(d0, abs(state.x[i]) / w)
        d1 = max(d1, abs(state.f[i]) / w)
    end
    h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1
    evaluations >= 1 || return h0
    for _ in 1:min(evaluations, 30)
        @. state.xnew = state.x + h0 * state.f
        rhs!(state.fnew, problem, state.xnew)
        all(isfinite, state.fnew) && break
        h0 /= 10
    end
    for i in eachindex(state.x)
        d2 = max(d2, abs(state.fnew[i] - state.f[i]) / (h0 * scale(tol, state.x[i], state.x[i])))
    end
    h1 = max(d1, d2) <= 1e-15 ? max(1e-6, 1e-3 * h0) : (0.01 / max(d1, d2))^(1 / k)
    dt = min(100 * h0, h1)
    return isfinite(dt) && dt > 0 ? dt : h0
end
