# A stabilized explicit method of order 4: n + 2 gradients a step, stable for dt times the largest eigenvalue up to 0.35 n^2.
#
# Its stability polynomial R of degree n is that of ROCK4: A. Abdulle, "Fourth order Chebyshev methods with recurrence
# relation", SIAM J. Sci. Comput. 23 (2002) 2041-2054, damped to 0.95. ROCK4 itself makes it as a product, a recurrence of
# n - 4 stages and then four stages whose polynomial grows to 0.01 z^4 where that of the recurrence is as small: rounding
# errors of the last recurrence stages come out 0.01 z^4 times larger, 10^4 eps at z = 500, 10^9 eps at 10^4. Here R is a sum:
#
#     Y_j     the stages of Runge, Kutta and Chebyshev (chebyshev_stages.jl), all of size 1, j = 1, ..., n
#     y_1     = x + sum_j a_j (Y_j - x)                          order 2 at the abscissa 1/2
#     y_2     = x + sum_j b_j (Y_j - x) + dt d f(y_1)            order 3 at the abscissa 4/5
#     x_new   = x + sum_j c_j (Y_j - x) + dt e f(y_2)
#     error   = sum_j h_j (Y_j - x) = 0.01 dt^4 x'''' + ...
#
# The Y_j have order 2, and where their order ends the weights of [[tau]] and [tau tau], of [[[tau]]] and [[tau tau]] are
# still in the true ratio (for large n): so linear combinations reach every condition up to order 4 but those of
# [tau tau tau] and [tau [tau]], which one evaluation of f at a point of order 3 supplies; d f(y_1) does the same for the
# fifth order's conditions as seen through y_2. The polynomials of y_1 and y_2 fall like 1/z, so that z times them is of size 10,
# and rounding errors are amplified by about 0.4 z^2. The weights (scripts/fit_rkc4.jl) satisfy all conditions of order 4.

const RKC4_FILE = joinpath(@__DIR__, "rkc4_coefficients.tsv")
Base.include_dependency(RKC4_FILE)

const RKC4_D = 512 / 625            # weight of f(y_1) in y_2
const RKC4_E = 125 / 256            # weight of f(y_2) in the result

"""
    RKC4Coefficients

The method with `n` stages Y_j: stable up to dt rho = `limit`; the coefficients of the stages 2 to n; the weights of Y_1 to Y_n
in y_1, y_2, the result and the error estimate.
"""
struct RKC4Coefficients
    n::Int
    limit::Float64
    first::Float64
    stages::Vector{NTuple{4,Float64}}
    weights::Vector{NTuple{4,Float64}}
end

function RKC4Coefficients(line::AbstractString)
    n, limit, w0, w1, numbers = split(line, '\t'; limit = 5)
    n, v = parse(Int, n), parse.(Float64, split(numbers, '\t'))
    weights = [(v[j], v[n+j], v[2n+j], v[3n+j]) for j in 1:n]
    stage = ChebyshevStage(parse(Float64, w0), parse(Float64, w1))
    first, stages = first_coefficient(stage), NTuple{4,Float64}[]
    for _ in 2:n
        stage, coefficients = next_stage(stage)
        push!(stages, coefficients)
    end
    return RKC4Coefficients(n, parse(Float64, limit), first, stages, weights)
end

const RKC4_TABLE = [RKC4Coefficients(line) for line in Iterators.drop(eachline(RKC4_FILE), 1)]

# The end of the step carries rounding errors of up to 0.4 z^2 eps |x|, z = dt rho; its velocity, which dense output
# uses, z times as much. With this limit they stay below the tolerance.
rkc4_limit(tol::Tolerance) = min(0.98 * RKC4_TABLE[end].limit, cbrt(RKC4_ROUNDING * max(tol.abstol, tol.reltol) / eps()))

const RKC4_ROUNDING = 100.0

"""
    RKC4(P)

The stabilized method of order 4 for `P` parameters: n + 2 gradients a step, n the smallest degree of the table that is
stable for dt times the largest eigenvalue of diag(tauinv) H, and a few products of the Hessian with a vector every few steps.
"""
mutable struct RKC4 <: AbstractStepper
    radius::SpectralRadius
    history::StepHistory
    row::Int                            # of the table
    y::Vector{Float64}
    before::Vector{Float64}
    f::Vector{Float64}
    sums::NTuple{4,Vector{Float64}}     # of the weighted Y_j - x
end

RKC4(P::Integer) = RKC4(SpectralRadius(P), StepHistory(P), 1, zeros(P), zeros(P), zeros(P), ntuple(_ -> zeros(P), 4))

STEPPERS[:RKC4] = RKC4

name(::RKC4) = :RKC4
error_exponent(::RKC4) = 4
calibration(::RKC4) = 0.1
step_cost(s::RKC4) = RKC4_TABLE[s.row].n + 2

function restart!(s::RKC4)
    reset!(s.radius)
    reset!(s.history)
    return nothing
end

function accepted!(s::RKC4, state::FlowState)
    note_accepted!(s.radius, step_cost(s))
    remember!(s.history, state)
    return nothing
end

interpolate!(y::AbstractVector{Float64}, s::RKC4, state::FlowState, theta::Float64) = hermite!(y, s.history, state, theta)

function limit_dt!(s::RKC4, problem::FlowProblem, state::FlowState, tol::Tolerance)
    rho = refresh!(s.radius, problem, state)
    rho > 0 && (state.dt = min(state.dt, rkc4_limit(tol) / rho))
    return nothing
end

# The first row of the table whose interval covers z; one past the last when none does.
function rkc4_row(z::Float64)
    row = 1
    while row <= length(RKC4_TABLE) && RKC4_TABLE[row].limit < z
        row += 1
    end
    return row
end

# sums += weights (y - x), one pass over memory.
function add_stage!(sums::NTuple{4,Vector{Float64}}, weights::NTuple{4,Float64}, y::Vector{Float64}, x::Vector{Float64})
    s1, s2, s3, s4 = sums
    w1, w2, w3, w4 = weights
    @inbounds @simd ivdep for i in eachindex(x)
        step = y[i] - x[i]
        s1[i] = muladd(w1, step, s1[i])
        s2[i] = muladd(w2, step, s2[i])
        s3[i] = muladd(w3, step, s3[i])
        s4[i] = muladd(w4, step, s4[i])
    end
    return nothing
end

# y = x + sum + c f
function outer_stage!(y::Vector{Float64}, x::Vector{Float64}, sum::Vector{Float64}, c::Float64, f::Vector{Float64})
    @inbounds @simd ivdep for i in eachindex(x)
        y[i] = x[i] + muladd(c, f[i], sum[i])
    end
    return y
end

function attempt!(s::RKC4, problem::FlowProblem, state::FlowState, tol::Tolerance)
    rho = refresh!(s.radius, problem, state)
    s.radius.attempted = true
    row = isfinite(rho) ? rkc4_row(state.dt * rho) : typemax(Int)
    row <= length(RKC4_TABLE) || return Inf
    s.row = row
    chebyshev_stages!(s, RKC4_TABLE[row], problem, state) || return Inf
    x, dt, f, y = state.x, state.dt, s.f, s.y
    exhausted(problem) && return Inf
    rhs!(f, problem, outer_stage!(y, x, s.sums[1], 0.0, state.f))
    exhausted(problem) && return Inf
    outer_stage!(y, x, s.sums[2], dt * RKC4_D, f)
    rhs!(f, problem, y)
    outer_stage!(state.xnew, x, s.sums[3], dt * RKC4_E, f)
    restore_frozen!(state.xnew, problem, x)
    return rkc4_error(s.sums[4], state, tol)
end

# All Y_j and their sums; false when the budget ends on the way.
function chebyshev_stages!(s::RKC4, method::RKC4Coefficients, problem::FlowProblem, state::FlowState)
    x, f0, y, before = state.x, state.f, s.y, s.before
    foreach(sum -> fill!(sum, 0.0), s.sums)
    copyto!(before, x)
    stage_point!(y, x, state.dt, (method.first,), (f0,))
    add_stage!(s.sums, method.weights[1], y, x)
    for j in 2:method.n
        exhausted(problem) && return false
        rhs!(s.f, problem, y)
        chebyshev_stage!(before, y, x, s.f, f0, state.dt, method.stages[j-1])
        y, before = before, y
        add_stage!(s.sums, method.weights[j], y, x)
    end
    return true
end

function rkc4_error(e::Vector{Float64}, state::FlowState, tol::Tolerance)
    worst = 0.0
    @inbounds for i in eachindex(e)
        a = abs(e[i]) / scale(tol, state.x[i], state.xnew[i])
        a <= worst || (worst = a)
    end
    return worst
end
