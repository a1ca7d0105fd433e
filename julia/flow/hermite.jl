# Dense output for methods without one of their own, from parameters and velocities at the ends of steps.

# The cubic through both ends of the step (Hermite): error O(dt^4).
function hermite!(y::AbstractVector{Float64}, state::FlowState, theta::Float64)
    dt, eta = state.dt, 1 - theta
    x, f, xnew, fnew = state.x, state.f, state.xnew, state.fnew
    @inbounds for i in eachindex(x)
        dx = xnew[i] - x[i]
        y[i] = x[i] + theta * (dx + eta * (eta * (dt * f[i] - dx) + theta * (dx - dt * fnew[i])))
    end
    return y
end

"""
    StepHistory(P)

The start of this step and of the one before, for the quintic through three points: parameters, velocities, step sizes.
"""
mutable struct StepHistory
    x::Vector{Float64}              # start of the accepted step
    f::Vector{Float64}
    x_before::Vector{Float64}
    f_before::Vector{Float64}
    dt::Float64                     # 0: there is no such step
    dt_before::Float64
end

StepHistory(P::Integer) = StepHistory(zeros(P), zeros(P), zeros(P), zeros(P), 0.0, 0.0)

function reset!(h::StepHistory)
    h.dt = h.dt_before = 0.0
    return h
end

# The step from `state.x` was accepted.
function remember!(h::StepHistory, state::FlowState)
    h.x, h.x_before = h.x_before, h.x
    h.f, h.f_before = h.f_before, h.f
    h.dt_before = h.dt
    copyto!(h.x, state.x)
    copyto!(h.f, state.f)
    h.dt = state.dt
    return h
end

"""
    hermite!(y, h, state, theta) -> y

The quintic through the ends of the step just accepted and the start of the one before (values and velocities), error
O(dt^6); the cubic when there is none before. With the cubic H and q = dt_before / dt it is
H(theta) + theta^2 (1 - theta)^2 (A + B theta), A and B from what H misses at theta = -q.
"""
function hermite!(y::AbstractVector{Float64}, h::StepHistory, state::FlowState, theta::Float64)
    h.dt_before > 0 || return hermite!(y, state, theta)
    dt, eta, q = state.dt, 1 - theta, h.dt_before / state.dt
    x, f, xnew, fnew = state.x, state.f, state.xnew, state.fnew
    bump, slope = (q * (1 + q))^2, -2q * (1 + q) * (1 + 2q)
    @inbounds for i in eachindex(x)
        dx = xnew[i] - x[i]
        r, s = dt * f[i] - dx, dx - dt * fnew[i]
        # H(theta) = x + theta (dx + (1 - theta) ((1 - theta) r + theta s)) and its derivative, at -q
        inner = (1 + q) * ((1 + q) * r - q * s)
        missed = h.x_before[i] - (x[i] - q * (dx + inner))
        missed_slope = dt * h.f_before[i] - (dx + inner + q * (2 * (1 + q) * r - (1 + 2q) * s))
        b = (missed_slope - slope * missed / bump) / bump
        a = missed / bump + b * q
        y[i] = x[i] + theta * (dx + eta * (eta * r + theta * s + theta * eta * (a + b * theta)))
    end
    return y
end
