# The stages of Runge, Kutta and Chebyshev, which RKC2 and RKC3 share.
#
# B. P. Sommeijer, L. F. Shampine, J. G. Verwer, "RKC: an explicit solver for parabolic PDEs", J. Comput. Appl. Math. 88
# (1998) 315-326. On x' = lambda x, z = dt lambda, stage j is the polynomial a_j + b_j T_j(w0 + w1 z), a_j = 1 - b_j T_j(w0);
# with b_j = T_j''(w0) / T_j'(w0)^2 (b_0 = b_1 = b_2) all stages but the first have order 2 at their abscissas
# c_j = b_j w1 T_j'(w0), and with w1 = T_s'(w0) / T_s''(w0) stage s ends the step, c_s = 1:
#
#     Y_1 = x + c_1 dt f(x),   Y_j = x + mu_j (Y_{j-1} - x) + nu_j (Y_{j-2} - x) + dt (mut_j f(Y_{j-1}) + gat_j f(x)).
#
# The errors of all stages are damped by those that follow, so directions far stiffer than the step is long stay where
# the slow ones lead them. That is not so for the four last stages of ROCK4 (A. Abdulle, SIAM J. Sci. Comput. 23 (2002)
# 2041), which amplify rounding errors and a stage's distance from the slow manifold by up to 0.01 z^4. Flows of networks have
# few very stiff directions, and these turn with the parameters: there a step of ROCK4 with z = -50 was 10^5 times less
# accurate in the stiffest direction than one of RKC2, and its error estimate kept its steps nearly as short as explicit ones.

const RKC_DAMPING = 2 / 13

"""
    ChebyshevStage(w0, w1)

Stage 1. `next_stage` leads to the next one; the fields hold T_j, T_j', T_j'' at w0 and b_j, of this stage and of the one
before, and the abscissas c_j of this stage and of the two before.
"""
struct ChebyshevStage
    w0::Float64
    w1::Float64
    t::NTuple{2,Float64}
    dt::NTuple{2,Float64}
    ddt::NTuple{2,Float64}
    b::NTuple{2,Float64}
    c::NTuple{3,Float64}
end

# b_2 = T_2'' / T_2'^2 = 4 / (4 w0)^2.
function ChebyshevStage(w0::Float64, w1::Float64)
    b = 1 / (4 * w0^2)
    return ChebyshevStage(w0, w1, (w0, 1.0), (1.0, 0.0), (0.0, 0.0), (b, b), (b * w1, 0.0, 0.0))
end

# The stage 1 of s stages that make a step.
function first_stage(s::Int)
    w0 = 1 + RKC_DAMPING / s^2
    stage = ChebyshevStage(w0, 1.0)
    for _ in 2:s
        stage, _ = next_stage(stage)
    end
    return ChebyshevStage(w0, stage.dt[1] / stage.ddt[1])
end

"""
    next_stage(s) -> stage, (mu, nu, mut, gat)

Stage j + 1 and its coefficients.
"""
function next_stage(s::ChebyshevStage)
    w0 = s.w0
    t = 2w0 * s.t[1] - s.t[2]
    dt = 2 * s.t[1] + 2w0 * s.dt[1] - s.dt[2]
    ddt = 4 * s.dt[1] + 2w0 * s.ddt[1] - s.ddt[2]
    b = ddt / dt^2
    mut = 2 * s.w1 * b / s.b[1]
    coefficients = (2w0 * b / s.b[1], -b / s.b[2], mut, -(1 - s.b[1] * s.t[1]) * mut)
    c = (b * s.w1 * dt, s.c[1], s.c[2])
    return ChebyshevStage(w0, s.w1, (t, s.t[1]), (dt, s.dt[1]), (ddt, s.ddt[1]), (b, s.b[1]), c), coefficients
end

# s stages are stable up to z = 0.653 (s^2 - 1); 1.54 = 1 / 0.649.
chebyshev_stages(z::Float64) = max(2, 1 + floor(Int, sqrt(1.54 * z + 1)))

# What is added to a stage: here nothing, in RKC3 the part of the third derivative.
struct NoCorrection end

correct!(y::Vector{Float64}, ::NoCorrection, stage::ChebyshevStage, coefficients::NTuple{4,Float64}) = y

"""
    ChebyshevStages(P)

What a step of Runge, Kutta and Chebyshev needs: the estimate of the largest eigenvalue, the number of stages of the last
attempt, two stages and a velocity.
"""
mutable struct ChebyshevStages
    radius::SpectralRadius
    count::Int
    y::Vector{Float64}
    before::Vector{Float64}
    f::Vector{Float64}
end

ChebyshevStages(P::Integer) = ChebyshevStages(SpectralRadius(P), 2, zeros(P), zeros(P), zeros(P))

# All stages of the step, the last one into state.xnew. False when their number is not known or the budget ends.
function chebyshev_step!(s::ChebyshevStages, problem::FlowProblem, state::FlowState, correction)
    rho = refresh!(s.radius, problem, state)
    s.radius.attempted = true
    isfinite(rho) || return false
    s.count = chebyshev_stages(state.dt * rho)
    x, dt, f0, y, before = state.x, state.dt, state.f, s.y, s.before
    stage = first_stage(s.count)
    copyto!(before, x)
    stage_point!(y, x, dt, (stage.c[1],), (f0,))
    correct!(y, correction, stage, (0.0, 0.0, 0.0, 0.0))
    for _ in 2:s.count
        exhausted(problem) && return false
        rhs!(s.f, problem, y)
        stage, coefficients = next_stage(stage)
        chebyshev_stage!(before, y, x, s.f, f0, dt, coefficients)
        correct!(before, correction, stage, coefficients)
        y, before = before, y
    end
    copyto!(state.xnew, y)
    restore_frozen!(state.xnew, problem, x)
    return true
end

# x + mu (y - x) + nu (before - x) + dt (mut f + gat f0), over `before`: one pass over memory.
function chebyshev_stage!(before::Vector{Float64}, y::Vector{Float64}, x::Vector{Float64}, f::Vector{Float64},
                          f0::Vector{Float64}, dt::Float64, c::NTuple{4,Float64})
    mu, nu, mut, gat = c[1], c[2], dt * c[3], dt * c[4]
    @inbounds @simd ivdep for i in eachindex(x)
        before[i] = x[i] + (mu * (y[i] - x[i]) + nu * (before[i] - x[i]) + (mut * f[i] + gat * f0[i]))
    end
    return before
end

# A step cannot be longer than `limit` / rho.
function limit_to!(s::ChebyshevStages, problem::FlowProblem, state::FlowState, limit::Float64)
    rho = refresh!(s.radius, problem, state)
    rho > 0 && (state.dt = min(state.dt, limit / rho))
    return nothing
end

# The error of a step of order p, kept below the tolerance, lets errors of tol^(p/(p+1)) come together over the flow. To
# make these proportional to the tolerance, the part that one step may use up shrinks with it below PROPORTIONAL_FROM.
const PROPORTIONAL_FROM = 3e-7

function proportional(tol::Tolerance, p::Int)
    return tighten(tol, min(1.0, max(tol.abstol, tol.reltol) / PROPORTIONAL_FROM)^(1 / p))
end
