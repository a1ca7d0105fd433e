# Explicit Runge-Kutta method of order 5(4) by Dormand and Prince, with Shampine's dense output of order 4.
#
# J. R. Dormand, P. J. Prince, J. Comp. Appl. Math. 6 (1980) 19-26, table 2.
# E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, II.5 table 5.2 and II.6 (dense output).

const DP5_A2 = (1 / 5,)
const DP5_A3 = (3 / 40, 9 / 40)
const DP5_A4 = (44 / 45, -56 / 15, 32 / 9)
const DP5_A5 = (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729)
const DP5_A6 = (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656)
const DP5_A7 = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
# Order 5 minus order 4.
const DP5_E = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# Highest coefficient of the dense output.
const DP5_D = (-12715105075 / 11282082432, 0.0, 87487479700 / 32700410799, -10690763975 / 1880347072,
               701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423)

# The region of absolute stability ends at -3.3 on the negative real axis, and J = -tauinv H has real eigenvalues. Steps
# whose error keeps them somewhat below that limit are already worth less than implicit ones: with 2.0 the choice `:auto`
# was within about 10 % of the faster method on eight architectures (10 to 140 parameters) x tolerances 1e-4, 1e-6, 1e-8 x
# maxT = 100, 10^4; with 3.25 it was up to twice as slow at 1e-8.
const DP5_STIFF_BOUND = 2.0

"""
    DP5(P)

Dormand and Prince's explicit method of order 5 for `P` parameters: six gradients a step.
"""
mutable struct DP5 <: AbstractStepper
    k::NTuple{5,Vector{Float64}}        # stages 2 to 6; stage 1 is state.f, stage 7 state.fnew
    stage::Vector{Float64}
    stiff_steps::Int
    other_steps::Int
    rate::Float64                       # dt times the local Lipschitz constant, from the last step
end

DP5(P::Integer) = DP5(ntuple(_ -> zeros(P), 5), zeros(P), 0, 0, 0.0)

STEPPERS[:DP5] = DP5

name(::DP5) = :DP5
error_exponent(::DP5) = 5

# Forty flows of networks each in three draws (10 to 141 parameters, starts up to four times the usual size, tolerances
# 1e-4 to 1e-8), all parameters at ten times up to 100, against a reference at 1e-12: with this factor the largest error
# is 1.3 tolerances, the median 0.04. With 0.4 one flow that passes near a saddle came to 32.
calibration(::DP5) = 0.1
step_cost(::DP5) = 6
stiff_steps(s::DP5) = s.stiff_steps

restart!(s::DP5) = forget_stiffness!(s)

function attempt!(s::DP5, problem::FlowProblem, state::FlowState, tol::Tolerance)
    x, dt, k1, k7, y = state.x, state.dt, state.f, state.fnew, s.stage
    k2, k3, k4, k5, k6 = s.k
    rhs!(k2, problem, stage_point!(y, x, dt, DP5_A2, (k1,)))
    rhs!(k3, problem, stage_point!(y, x, dt, DP5_A3, (k1, k2)))
    rhs!(k4, problem, stage_point!(y, x, dt, DP5_A4, (k1, k2, k3)))
    rhs!(k5, problem, stage_point!(y, x, dt, DP5_A5, (k1, k2, k3, k4)))
    rhs!(k6, problem, stage_point!(y, x, dt, DP5_A6, (k1, k2, k3, k4, k5)))
    stage_point!(state.xnew, x, dt, DP5_A7, (k1, k2, k3, k4, k5, k6))
    restore_frozen!(state.xnew, problem, x)
    evaluate_end!(state, problem)
    # Stages 6 and 7 belong to the same time.
    s.rate = dt * lipschitz(k7, k6, state.xnew, y)
    return dp5_error(s, state, tol, (k1, k2, k3, k4, k5, k6, k7))
end

function dp5_error(s::DP5, state::FlowState, tol::Tolerance, k::NTuple{7,Vector{Float64}})
    worst = 0.0
    @inbounds for i in eachindex(state.x)
        worst = max(worst, abs(state.dt * combine(DP5_E, k, i)) / scale(tol, state.x[i], state.xnew[i]))
    end
    return worst
end

accepted!(s::DP5, state::FlowState) = count_stiffness!(s, DP5_STIFF_BOUND)

function interpolate!(y::AbstractVector{Float64}, s::DP5, state::FlowState, theta::Float64)
    k = (state.f, s.k..., state.fnew)
    x, xnew, dt, eta = state.x, state.xnew, state.dt, 1 - theta
    @inbounds for i in eachindex(x)
        dx = xnew[i] - x[i]
        r3 = dt * k[1][i] - dx
        r4 = dx - dt * k[7][i] - r3
        r5 = dt * combine(DP5_D, k, i)
        y[i] = x[i] + theta * (dx + eta * (r3 + theta * (r4 + eta * r5)))
    end
    return y
end
