# L-stable, stiffly accurate Rosenbrock method of order 5(4) with eight stages and dense output of order 4.
#
# G. Steinebach, "Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the Julia
# Differential Equations package", BIT Numer. Math. 63 (2023) 27. The form without Jacobian products in the right-hand
# sides is that of E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, IV.7 (7.25):
#
#     (I/(gamma dt) - J) k_s = f(x + sum_j A_sj k_j) + sum_j C_sj k_j / dt,    x_new = x + sum_j A_8j k_j + k_8,
#
# with k_8 as the error estimate. For the gradient flow J = -diag(tauinv) H; dividing row i by tauinv_i leaves the
# symmetric matrix diag(1/(gamma dt tauinv)) + H, which is positive definite unless the step is longer than 1/gamma
# times the growth time of an unstable direction. There the method would be past the pole of its stability function, so
# a failing Cholesky factorisation rejects the step.

const RODAS5P_GAMMA = 0.21193756319429014

const RODAS5P_A6 = (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256,
                    0.030198172008377946)
const RODAS5P_A = ((3.0,),
                   (2.849394379747939, 0.45842242204463923),
                   (-6.954028509809101, 2.489845061869568, -10.358996098473584),
                   (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
                   RODAS5P_A6,
                   (RODAS5P_A6..., 1.0),
                   (RODAS5P_A6..., 1.0, 1.0))

const RODAS5P_C = ((-14.155112264123755,),
                   (-17.97296035885952, -2.859693295451294),
                   (147.12150275711716, -1.41221402718213, 71.68940251302358),
                   (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
                   (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
                   (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
                    -28.087943162872662),
                   (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
                    -54.66780262877968, -9.48861652309627))

# Dense output: x(theta) = (1-theta) x + theta (xnew + (1-theta) (r1 + theta (r2 + theta r3))), r_m = sum_j H_mj k_j.
const RODAS5P_H = ((25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204,
                    0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493),
                   (-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796,
                    20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372),
                   (11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643,
                    -52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722))

"""
    Rodas5P(P)

Steinebach's L-stable Rosenbrock method of order 5 for `P` parameters: one Hessian, one Cholesky factorisation and
eight gradients a step, 2 P^2 + O(P) memory.
"""
mutable struct Rodas5P <: AbstractStepper
    k::NTuple{8,Vector{Float64}}
    r::NTuple{3,Vector{Float64}}
    stage::Vector{Float64}
    H::Matrix{Float64}
    M::Matrix{Float64}
    hessian_current::Bool
    hessian_finite::Bool
    interpolant_current::Bool
end

function Rodas5P(P::Integer)
    return Rodas5P(ntuple(_ -> zeros(P), 8), ntuple(_ -> zeros(P), 3), zeros(P), zeros(P, P), zeros(P, P), false,
                   false, false)
end

STEPPERS[:Rodas5P] = Rodas5P

# Every attempt factorises anew, and so a Hessian of another point and the factors are not worth their room in a file.
filled(s::Rodas5P) = (H = s.hessian_current ? length(s.stage) : 0, M = 0)

name(::Rodas5P) = :Rodas5P
error_exponent(::Rodas5P) = 5

# Measured as that of DP5: the largest error is 1.6 tolerances, the median 0.06.
calibration(::Rodas5P) = 0.25
step_cost(::Rodas5P) = 9

function restart!(s::Rodas5P)
    s.hessian_current = false
    return nothing
end

function accepted!(s::Rodas5P, state::FlowState)
    s.hessian_current = false
    s.interpolant_current = false
    return nothing
end

# The Hessian is evaluated once a point: a rejected step keeps it.
function refresh_hessian!(s::Rodas5P, problem::FlowProblem, x::Vector{Float64})
    s.hessian_current && return s.hessian_finite
    problem.hessian_evaluations += 1
    hessian!(s.H, problem.objective, x)
    s.hessian_finite = all(isfinite, s.H)
    s.hessian_current = true
    return s.hessian_finite
end

# M = diag(1/(gamma dt tauinv)) + H, factorised.
function factorize!(s::Rodas5P, problem::FlowProblem, dt::Float64)
    shifted_hessian!(s.M, s.H, problem, 1 / (RODAS5P_GAMMA * dt))
    problem.factorizations += 1
    return LAPACK.potrf!('L', s.M)[2] == 0
end

# Right-hand side of one stage, divided by tauinv: -grad + sum_j C_sj k_j / (dt tauinv).
function stage_rhs!(b::Vector{Float64}, problem::FlowProblem, dt::Float64, c::NTuple{M,Float64},
                    k::NTuple{M,Vector{Float64}}) where {M}
    @inbounds for i in problem.moving
        b[i] = combine(c, k, i) / (dt * problem.tauinv[i]) - b[i]
    end
    @inbounds for i in problem.frozen
        b[i] = 0.0
    end
    return b
end

function rodas_stage!(s::Rodas5P, problem::FlowProblem, state::FlowState, ::Val{S}) where {S}
    k = ntuple(j -> s.k[j], Val(S - 1))
    b = s.k[S]
    stage_point!(s.stage, state.x, 1.0, RODAS5P_A[S-1], k)
    problem.gradient_evaluations += 1
    gradient!(b, problem.objective, s.stage)
    stage_rhs!(b, problem, state.dt, RODAS5P_C[S-1], k)
    LAPACK.potrs!('L', s.M, b)
    return nothing
end

function attempt!(s::Rodas5P, problem::FlowProblem, state::FlowState, tol::Tolerance)
    refresh_hessian!(s, problem, state.x) || return Inf
    factorize!(s, problem, state.dt) || return Inf
    b = s.k[1]
    @inbounds for i in eachindex(b)
        b[i] = -state.g[i]
    end
    @inbounds for i in problem.frozen
        b[i] = 0.0
    end
    LAPACK.potrs!('L', s.M, b)
    rodas_stage!(s, problem, state, Val(2))
    rodas_stage!(s, problem, state, Val(3))
    rodas_stage!(s, problem, state, Val(4))
    rodas_stage!(s, problem, state, Val(5))
    rodas_stage!(s, problem, state, Val(6))
    rodas_stage!(s, problem, state, Val(7))
    rodas_stage!(s, problem, state, Val(8))
    worst = 0.0
    @inbounds for i in eachindex(b)
        e = s.k[8][i]
        state.xnew[i] = s.stage[i] + e
        worst = max(worst, abs(e) / scale(tol, state.x[i], state.xnew[i]))
    end
    restore_frozen!(state.xnew, problem, state.x)
    return worst
end

function interpolate!(y::AbstractVector{Float64}, s::Rodas5P, state::FlowState, theta::Float64)
    if !s.interpolant_current
        for m in 1:3, i in eachindex(state.x)
            @inbounds s.r[m][i] = combine(RODAS5P_H[m], s.k, i)
        end
        s.interpolant_current = true
    end
    r1, r2, r3 = s.r
    x, xnew, eta = state.x, state.xnew, 1 - theta
    @inbounds for i in eachindex(x)
        y[i] = eta * x[i] + theta * (xnew[i] + eta * (r1[i] + theta * (r2[i] + theta * r3[i])))
    end
    return y
end
