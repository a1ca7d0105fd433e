# A stabilized method of order 3: the steps of RKC2, with stages corrected by what the last points tell of the third
# derivative.
#
# Let p_k = dt^k x^(k) / k!. Put the Taylor series of the solution into the recurrence of the stages (chebyshev_stages.jl):
# it is satisfied up to
#
#     sum_k tau_jk p_k,   tau_jk = c_j^k - mu_j c_{j-1}^k - nu_j c_{j-2}^k - k mut_j c_{j-1}^(k-1)
#
# with tau_j2 = 0 from stage 4 on. Adding tau_j2 p_2 + tau_j3 p_3 to stage j therefore leaves stages that are right to the
# third order, and a step whose result is too. p_2 and p_3 come from the cubic through the points of the last four steps,
# past and present; velocities are not used, whose stiff parts carry the errors of the points multiplied by rho.
#
# On x' = lambda x the method is x_new = R(z) x + sum_k kappa_k(z) p_k, R that of RKC2, and kappa_3 falls from 0.39 at z = 0 to
# 1.9/|z|: stability is that of RKC2. With steps that grow by the same factor again and again the roots of the characteristic
# polynomial stay below 1 up to a factor of 1.2 (computed for 2 to 25 stages over their intervals; the exception is 1.04 at
# the very end of that of 3 stages; at 1.25 the roots of 3 and 4 stages are 1.14 and 1.01). Faster growth, as at the start, is
# left to order 2. The error is kappa_4 p_4 and what the cubic misses of p_3 and p_2.

const RKC3_GROWTH = 1.2
const RKC3_KAPPA = (0.4, 0.57)      # kappa_3 and kappa_4 at z = 0, for 5 and more stages
const RKC3_POINTS = 3               # past points
const RKC3_PATIENCE = 6             # steps of one order before the next change: it takes four for the points to be alike
const RKC3_GAIN = 1.5               # by which steps of order 2 must be longer to go back to them

"""
    StageCorrection(P)

The terms p_2 and p_3 of this step.
"""
struct StageCorrection
    p2::Vector{Float64}
    p3::Vector{Float64}
end

StageCorrection(P::Integer) = StageCorrection(zeros(P), zeros(P))

function correct!(y::Vector{Float64}, correction::StageCorrection, stage::ChebyshevStage, coefficients::NTuple{4,Float64})
    mu, nu, mut, _ = coefficients
    c, c1, c2 = stage.c
    tau2 = c^2 - mu * c1^2 - nu * c2^2 - 2mut * c1
    tau3 = c^3 - mu * c1^3 - nu * c2^3 - 3mut * c1^2
    p2, p3 = correction.p2, correction.p3
    @inbounds @simd ivdep for i in eachindex(y)
        y[i] += muladd(tau2, p2[i], tau3 * p3[i])
    end
    return y
end

"""
    RKC3(P)

The Runge-Kutta-Chebyshev method of order 3 with stages corrected from past points, for `P` parameters: s gradients a step,
s about sqrt(1.54 dt rho + 1) for the largest eigenvalue rho of diag(tauinv) H, and every few steps some products of the
Hessian with a vector. Steps of order 2 where there are no past points yet, the steps grow fast, or an attempt has failed.
"""
mutable struct RKC3 <: AbstractStepper
    stages::ChebyshevStages
    correction::StageCorrection
    past::NTuple{RKC3_POINTS,Vector{Float64}}   # newest first
    steps::NTuple{RKC3_POINTS,Float64}          # from each of them to the next
    known::Int                                  # how many of them there are
    order::Int
    steps_of_order::Int
    largest_dt::Float64                         # the order's limit for the next step
    err::Float64                                # of the last attempt
    err_order_2::Float64                        # what it would have been with order 2
end

function RKC3(P::Integer)
    return RKC3(ChebyshevStages(P), StageCorrection(P), ntuple(_ -> zeros(P), RKC3_POINTS), ntuple(_ -> 0.0, RKC3_POINTS), 0, 2, 0,
                Inf, Inf, Inf)
end

STEPPERS[:RKC3] = RKC3

name(::RKC3) = :RKC3
error_exponent(s::RKC3) = s.order + 1

# Thirty flows of networks (starts up to four times the usual size, tolerances 1e-3 to 1e-8), all parameters at eleven
# times up to 100, against a reference at 1e-11: with this factor the largest error is 0.5 tolerances, the median 0.08, about
# that of DP5. One flow that passes near a saddle, on which DP5 makes 2.4, comes to 9.8.
calibration(::RKC3) = 0.003
step_cost(s::RKC3) = s.stages.count
interpolate!(y::AbstractVector{Float64}, s::RKC3, state::FlowState, theta::Float64) = hermite!(y, state, theta)

function restart!(s::RKC3)
    reset!(s.stages.radius)
    s.known = 0
    set_order!(s, 2, Inf)
    return nothing
end

function set_order!(s::RKC3, order::Int, largest_dt::Float64)
    order == s.order || (s.steps_of_order = 0)
    s.order = order
    s.largest_dt = largest_dt
    return nothing
end

# Before every attempt. After a failed one the history may be to blame.
function limit_dt!(s::RKC3, problem::FlowProblem, state::FlowState, tol::Tolerance)
    s.stages.radius.attempted && set_order!(s, 2, Inf)
    limit_to!(s.stages, problem, state, rkc3_limit(s.order, tol))
    state.dt = min(state.dt, s.largest_dt)
    return nothing
end

# See `limit_dt!` of RKC2; the error estimate of order 3 sees no velocities, only dense output does, with weight 0.15.
rkc3_limit(order::Int, tol::Tolerance) = sqrt((order == 2 ? 1 : 50) * max(tol.abstol, tol.reltol) / eps())

function attempt!(s::RKC3, problem::FlowProblem, state::FlowState, tol::Tolerance)
    tol = proportional(tol, s.order)
    if s.order == 2
        chebyshev_step!(s.stages, problem, state, NoCorrection()) && !exhausted(problem) || return Inf
        evaluate_end!(state, problem)
        s.err = rkc2_error(state, tol)
    else
        nodes = s.steps ./ state.dt
        nodes = (-nodes[1], -nodes[1] - nodes[2], -nodes[1] - nodes[2] - nodes[3])
        differentiate_past!(s.correction, s.past, nodes, state.x)
        chebyshev_step!(s.stages, problem, state, s.correction) || return Inf
        s.err, s.err_order_2 = rkc3_errors(s, nodes, state, tol)
    end
    return s.err
end

# 1 / (n_i (n_i - n_j) (n_i - n_k)) for the three nodes: of the cubic s (s - n_j) (s - n_k) that is 1 at n_i.
function node_weights(n::NTuple{3,Float64})
    return (1 / (n[1] * (n[1] - n[2]) * (n[1] - n[3])), 1 / (n[2] * (n[2] - n[1]) * (n[2] - n[3])),
            1 / (n[3] * (n[3] - n[1]) * (n[3] - n[2])))
end

# p_2 and p_3 of the cubic through x at 0 and the past points at `nodes` (in units of dt).
function differentiate_past!(correction::StageCorrection, past::NTuple{3,Vector{Float64}}, nodes::NTuple{3,Float64},
                             x::Vector{Float64})
    a, b, c = node_weights(nodes)
    n1, n2, n3 = nodes
    a2, b2, c2 = -(n2 + n3) * a, -(n1 + n3) * b, -(n1 + n2) * c
    x1, x2, x3 = past
    p2, p3 = correction.p2, correction.p3
    @inbounds @simd ivdep for i in eachindex(x)
        d1, d2, d3 = x1[i] - x[i], x2[i] - x[i], x3[i] - x[i]
        p2[i] = a2 * d1 + b2 * d2 + c2 * d3
        p3[i] = a * d1 + b * d2 + c * d3
    end
    return correction
end

# What the cubic through the past misses at the end of the step is (1 - n_1) (1 - n_2) (1 - n_3) p_4; along the step it misses
# s (s - n_1) (s - n_2) (s - n_3) p_4 = (s^4 - e1 s^3 + e2 s^2 + ...) p_4. The error of order 3, and that of order 2.
function rkc3_errors(s::RKC3, nodes::NTuple{3,Float64}, state::FlowState, tol::Tolerance)
    n1, n2, n3 = nodes
    a, b, c = node_weights(nodes)
    a, b, c = (1 - n2) * (1 - n3) * a, (1 - n1) * (1 - n3) * b, (1 - n1) * (1 - n2) * c
    part = (RKC3_KAPPA[2] - (n1 + n2 + n3) * RKC3_KAPPA[1]) / ((1 - n1) * (1 - n2) * (1 - n3))
    x, xnew, p3 = state.x, state.xnew, s.correction.p3
    x1, x2, x3 = s.past
    worst3, worst2 = 0.0, 0.0
    @inbounds for i in eachindex(x)
        w = scale(tol, x[i], xnew[i])
        e = xnew[i] - x[i] - (a * (x1[i] - x[i]) + b * (x2[i] - x[i]) + c * (x3[i] - x[i]))
        e = abs(part * e) / w
        worst3 = max(worst3, e)
        worst2 = max(worst2, abs(RKC3_KAPPA[1] * p3[i]) / w)
    end
    return worst3, worst2
end

function accepted!(s::RKC3, state::FlowState)
    note_accepted!(s.stages.radius, s.stages.count)
    x1, x2, x3 = s.past
    copyto!(x3, state.x)
    s.past = (x3, x1, x2)
    s.steps = (state.dt, s.steps[1], s.steps[2])
    s.known = min(s.known + 1, RKC3_POINTS)
    s.steps_of_order += 1
    choose_order!(s, state.dt)
    return nothing
end

# Order 3 once steps of order 2 do not want to grow faster than it can; order 2 where its steps would be clearly longer.
function choose_order!(s::RKC3, dt::Float64)
    limit = RKC3_GROWTH * dt
    order_2 = wanted_dt(dt, s.order == 2 ? s.err : s.err_order_2, 3)
    if s.order == 2
        ready = s.known == RKC3_POINTS && order_2 <= limit
        set_order!(s, ready ? 3 : 2, ready ? limit : Inf)
    else
        order_3 = min(limit, wanted_dt(dt, s.err, 4))
        back = s.steps_of_order > RKC3_PATIENCE && order_2 > RKC3_GAIN * order_3
        set_order!(s, back ? 2 : 3, back ? order_2 : limit)
    end
    return nothing
end

wanted_dt(dt::Float64, err::Float64, k::Int) = PI_SAFETY * dt * max(err, PI_ERROR_FLOOR)^(-1 / k)
