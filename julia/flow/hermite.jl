# Dense output for methods without one of their own: the cubic through parameters and velocities at both ends of the step
# (Hermite), error dt^4 x''''/384.

function hermite!(y::AbstractVector{Float64}, state::FlowState, theta::Float64)
    dt, eta = state.dt, 1 - theta
    x, f, xnew, fnew = state.x, state.f, state.xnew, state.fnew
    @inbounds for i in eachindex(x)
        dx = xnew[i] - x[i]
        y[i] = x[i] + theta * (dx + eta * (eta * (dt * f[i] - dx) + theta * (dx - dt * fnew[i])))
    end
    return y
end
