# Newton's iteration for one stage: z = base + gamma dt f(x + z), that is
#
#     (z - base) / (gamma dt tauinv) + grad L(x + z) = 0.
#
# E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, IV.8: the increment z is the unknown, and the stage's
# derivative follows from the equation, not from another gradient, so that no error of z is multiplied by a stiff eigenvalue.

const NEWTON_LIMIT = 8
const NEWTON_NOISE = 0.1                # corrections that no longer shrink below this are rounding
const NEWTON_TRIFLE = 1e-4 * NEWTON_TOLERANCE   # corrections that are good enough, and too small to tell a rate
const CURVATURE_MEMORY = 0.7            # part of the largest curvature seen that is remembered each time

# -(z - base)/(gamma dt tauinv) - g, which may overwrite g.
function stage_residual!(r::Vector{Float64}, problem::FlowProblem, dt::Float64, z::Vector{Float64}, base::Vector{Float64},
                         g::Vector{Float64})
    @inbounds for i in problem.moving
        r[i] = -g[i] - (z[i] - base[i]) / (ESDIRK_GAMMA * dt * problem.tauinv[i])
    end
    @inbounds for i in problem.frozen
        r[i] = 0.0
    end
    return r
end

function weighted_norm(d::Vector{Float64}, weight::Vector{Float64})
    worst = 0.0
    @inbounds for i in eachindex(d)
        e = abs(d[i]) * weight[i]
        worst = max(worst, e)
    end
    return worst
end

# The error that is left after a correction of size 1 when each is `rate` times the one before.
remainder(rate::Float64) = rate < 1 ? rate / (1 - rate) : Inf

# After the first correction the rate is not known; the distance from the Hessian's place tells what it will be.
function expected_rate(s::ESDIRK, extent::Float64, dt::Float64)
    changed = extent > 0 ? s.curvature * extent : 0.0
    return changed + slack(s.solver, dt)
end

function learn!(s::ESDIRK, rate::Float64, extent::Float64, dt::Float64)
    extent > 0 || return nothing
    seen = max(rate - slack(s.solver, dt), 0.0) / extent
    s.curvature = isfinite(s.curvature) ? max(seen, CURVATURE_MEMORY * s.curvature) : seen
    return nothing
end

function newton!(s::ESDIRK, problem::FlowProblem, state::FlowState, z::Vector{Float64})
    last, reach = Inf, 0.0
    for m in 1:NEWTON_LIMIT
        exhausted(problem) && return :exhausted
        status = correct!(s, problem, state, z)
        status === :solved || return status
        size = weighted_norm(s.r, s.weight)
        isfinite(size) || return :nonfinite
        m > 1 && learn!(s, size / last, reach, state.dt)
        reach = extent(s.solver, s.point, s.r)
        rate = m == 1 ? expected_rate(s, reach, state.dt) : size / last
        s.correction = size
        if size <= NEWTON_TRIFLE || remainder(rate) * size <= NEWTON_TOLERANCE
            return :converged
        elseif m > 1 && rate >= 1
            return size <= NEWTON_NOISE ? :converged : :slow
        elseif m > 1 && rate^(NEWTON_LIMIT - m) * remainder(rate) * size > NEWTON_TOLERANCE
            return :slow
        end
        last = size
    end
    return :slow
end

# One correction of z; it stays in s.r, and the point to which it belongs in s.point.
function correct!(s::ESDIRK, problem::FlowProblem, state::FlowState, z::Vector{Float64})
    @inbounds @simd for i in eachindex(z)
        s.point[i] = state.x[i] + z[i]
    end
    s.iterations += 1
    problem.gradient_evaluations += 1
    gradient!(s.r, problem.objective, s.point)
    stage_residual!(s.r, problem, state.dt, z, s.base, s.r)
    status = solve!(s.r, s.solver, problem, state.dt, s.point, s.weight)
    @inbounds @simd for i in eachindex(z)
        z[i] += s.r[i]
    end
    return status
end
