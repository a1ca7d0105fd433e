# The driver: statuses, budgets, frozen parameters, the trajectory, energy, arguments, allocation.

isdefined(Main, :TestProblems) || include("problems.jl")
using LinearAlgebra, Random

const FLOW_METHODS = (:DP5, :DOP853, :Rodas5P, :ESDIRK547L2SA2, :NewtonKrylov, :RKC2, :RKC3, :auto)

@testset "statuses, $alg" for alg in FLOW_METHODS
    o, x0 = TestProblems.separable(2), [0.1, 2.0]
    flow(; kwargs...) = integrate(o, x0; alg = alg, kwargs...)
    result = flow(maxT = 3.7)
    @test result.status === :maxT && result.t === 3.7
    @test result.iterations == result.accepted + result.rejected
    @test flow(maxT = 1e-9).t === 1e-9
    result = flow(min_gnorm = 1e-3)
    @test result.status === :gradient_tolerance && result.gnorm <= 1e-3
    result = flow(minloss = -0.3)
    @test result.status === :loss_tolerance && result.loss <= -0.3
    result = flow(maxiterations = 3)
    @test result.status === :maxiterations && result.iterations == 3
    @test flow(maxtime = 1e-9).status === :maxtime
    for budget in (1:20..., 33, 41)
        result = flow(maxevaluations = budget, n_samples = 1000)
        @test result.status === :maxevaluations
        @test result.gradient_evaluations + result.hessian_evaluations + result.product_evaluations <= budget
    end
    for answer in (:interrupted, :callback)
        watcher = TestProblems.Watcher(answer, 4)
        result = flow(monitor = watcher)
        @test result.status === answer && result.iterations == 4 && watcher.phases == Set([:flow])
    end
    for zero_budget in ((maxT = 0,), (maxtime = 0,), (maxiterations = 0,), (maxevaluations = 0,))
        result = flow(; zero_budget...)
        @test result.status === :not_run && result.x == x0 && result.trajectory.t == [0.0]
    end
    @test integrate(TestProblems.bounded_domain(), [-1.0]; alg = alg).status === :nonfinite_start
    # A loss that rises whatever is done: no step is small enough.
    calls = Ref(0)
    rising = FunctionObjective(1; value = x -> Float64(calls[] += 1), gradient! = (g, x) -> (g[1] = 1.0),
                               hessian! = (H, x) -> (H[1, 1] = 0.0))
    @test integrate(rising, [0.0]; alg = alg, maxT = 1.0).status === :step_underflow
    @test all(s -> !isempty(MLPFlow.status_message(s)), (:maxT, :stalled, :step_underflow, :diverged))
end

@testset "without maxT the flow arrives, $alg" for alg in FLOW_METHODS
    # At rest to the last bit, or moving within the rounding of the gradient.
    result = integrate(TestProblems.separable(2), [0.1, 2.0]; alg = alg)
    @test result.status in (:gradient_tolerance, :stalled)
    @test result.x ≈ [1, 1] rtol = 1e-6
    o, x0 = TestProblems.teacher_student(MersenneTwister(1); teacher = 1, student = 1)
    alg in (:DP5, :DOP853) && continue
    result = integrate(o, x0; alg = alg)
    @test result.status in (:gradient_tolerance, :stalled)
    @test result.gnorm < 1e-12
end

@testset "divergence, $alg" for alg in FLOW_METHODS
    # Finite time: x = (x0^-2 - 8 t)^(-1/2). Exponential: x = e^t until the loss overflows.
    quartic = FunctionObjective(1; value = x -> -x[1]^4, gradient! = (g, x) -> (g[1] = -4x[1]^3), hessian! = (H, x) -> (H[1, 1] = -12x[1]^2))
    result = integrate(quartic, [1.0]; alg = alg)
    @test result.status === :diverged
    @test isapprox(result.t, 1 / 8; rtol = 1e-4) && all(isfinite, result.x)
    @test result.growth == [1.0]
    # The parameter that runs away is named, the others are not.
    mixed = FunctionObjective(3; value = x -> -x[2]^4 + x[1]^2 + x[3]^2, gradient! = (g, x) -> (g .= (2x[1], -4x[2]^3, 2x[3])),
                              hessian! = (H, x) -> (H .= [2 0 0; 0 -12x[2]^2 0; 0 0 2.0]))
    result = integrate(mixed, [1.0, -1.0, 0.5]; alg = alg)
    @test result.status === :diverged && norm(result.growth) ≈ 1 && result.growth[2] < -0.999
    result = integrate(TestProblems.quadratic(fill(-1.0, 1, 1)), [1.0]; alg = alg)
    @test result.status === :diverged && result.t > 300
end

@testset "a gradient with one NaN is not finite, $alg, NaN in place $bad" for alg in FLOW_METHODS, bad in 1:2
    half_known(edge) = FunctionObjective(2; value = x -> sum(abs2, x) / 2, hessian! = (H, x) -> (H .= [1 0; 0 1]),
                                         gradient! = (g, x) -> (g .= x; x[bad] < edge && (g[bad] = NaN)))
    @test integrate(half_known(2.0), [1.0, 1.0]; alg = alg, maxT = 1.0).status === :nonfinite_start
    # x = e^-t comes to the edge at log(2).
    result = integrate(half_known(0.5), [1.0, 1.0]; alg = alg, maxT = 1.0)
    @test result.status === :diverged && isapprox(result.t, log(2); rtol = 1e-6)
end

@testset "regions that are not finite are left alone, $alg" for alg in FLOW_METHODS
    result = integrate(TestProblems.bounded_domain(), [5.0]; alg = alg, maxT = 30.0, dt0 = 25.0)
    @test result.status === :maxT && result.rejected > 0
    @test result.x[1] ≈ 1 rtol = 1e-5
end

@testset "frozen parameters keep their bits, $alg" for alg in FLOW_METHODS
    o, x0 = TestProblems.teacher_student(MersenneTwister(3))
    x0[2] = -0.0
    tauinv = ones(length(x0))
    frozen = [2, 3, 9]
    tauinv[frozen] .= 0
    result = integrate(o, x0; alg = alg, maxT = 50.0, tauinv = tauinv, saveat = [1.3, 20.0])
    same_bits(a, b) = reinterpret.(UInt64, a) == reinterpret.(UInt64, b)
    @test same_bits(result.x[frozen], x0[frozen])
    @test all(same_bits(result.trajectory.x[frozen, j], x0[frozen]) for j in axes(result.trajectory.x, 2))
    @test all(result.x[i] != x0[i] for i in setdiff(1:length(x0), frozen))
    g = zeros(length(x0))
    MLPFlow.gradient!(g, o, result.x)
    @test result.gnorm == maximum(abs.(g[setdiff(1:end, frozen)]))
    # The rest follows the flow of the objective restricted to it.
    free = setdiff(1:length(x0), frozen)
    full(y) = (z = copy(x0); z[free] = y; z)
    restricted = FunctionObjective(length(free); value = y -> MLPFlow.value(o, full(y)),
        gradient! = (g, y) -> (h = zeros(length(x0)); MLPFlow.gradient!(h, o, full(y)); g .= h[free]),
        hessian! = (H, y) -> (h = zeros(length(x0), length(x0)); MLPFlow.hessian!(h, o, full(y)); H .= h[free, free]))
    other = integrate(restricted, x0[free]; alg = alg, maxT = 50.0, abstol = 1e-9, reltol = 1e-9)
    @test result.x[free] ≈ other.x atol = 1e-5
    # Everything frozen: nothing moves, and a flow without an end ends.
    @test integrate(o, x0; alg = alg, tauinv = 0, maxT = 5.0).x == x0
    @test integrate(o, x0; alg = alg, tauinv = 0).status === :gradient_tolerance
end

@testset "trajectory, $alg" for alg in FLOW_METHODS
    o, x0 = TestProblems.separable(2), [0.1, 2.0]
    times = [2.0, 0.5, 1.0, 0.5, 0.0]
    trace = integrate(o, x0; alg = alg, maxT = 3.0, saveat = times).trajectory
    @test trace.t == [0.0, 0.5, 1.0, 2.0, 3.0]
    @test trace.x[:, 1] == x0
    @test trace.loss == [MLPFlow.value(o, trace.x[:, j]) for j in 1:5]
    @test integrate(o, x0; alg = alg, maxT = 3.0, saveat = [3.0]).trajectory.t == [0.0, 3.0]
    for n in (0, 2, 3, 10, 100, 1000), maxT in (1e-6, 1.0, 1e5, Inf)
        trace = integrate(o, x0; alg = alg, maxT = maxT, n_samples = n, min_gnorm = 1e-12).trajectory
        @test issorted(trace.t) && allunique(trace.t) && trace.t[1] == 0
        @test size(trace.x) == (2, length(trace.t)) && length(trace.loss) == length(trace.t)
        @test length(trace.t) <= max(n, 2)
        @test n < 10 || maxT < 1 || length(trace.t) >= 0.4 * n
    end
    # Logarithmic spacing: no gap much wider than the mean one.
    t = integrate(o, x0; alg = alg, maxT = 100.0, n_samples = 50).trajectory.t
    gaps = diff(log.(t[3:end]))
    @test maximum(gaps) < 4 * sum(gaps) / length(gaps)
end

@testset "the loss never rises along the flow, $alg" for alg in FLOW_METHODS
    for seed in 1:5, tol in (1e-2, 1e-4, 1e-6)
        o, x0 = TestProblems.teacher_student(MersenneTwister(seed))
        watcher = TestProblems.Watcher()
        result = integrate(o, 3 .* x0; alg = alg, maxT = 1e3, abstol = tol, reltol = tol, monitor = watcher)
        rise = maximum(diff(watcher.losses))
        @test rise <= tol * maximum(watcher.losses) + tol^2
        @test result.best_loss == minimum([watcher.losses; MLPFlow.value(o, 3 .* x0)])
        @test result.best_loss == MLPFlow.value(o, result.best_x)
    end
end

@testset "auto hands over when the flow is stiff" begin
    A = TestProblems.symmetric(MersenneTwister(1), 10.0 .^ (-3:0.5:3))
    stiff = integrate(TestProblems.quadratic(A), ones(13); maxT = 100.0)
    @test stiff.algorithm === :ESDIRK547L2SA2 && stiff.iterations < 500
    @test integrate(TestProblems.quadratic(A), ones(13); alg = :DP5, maxT = 100.0).iterations > 10^4
    # Kinks look stiff, but implicit steps are no longer there: the explicit method comes back.
    rng = MersenneTwister(5)
    net = Net(; layers = ((10, relu, true), (1, identity, true)), input = randn(rng, 2, 200), target = randn(rng, 1, 200))
    kinks(alg) = integrate(NetObjective(net), collect(random_params(MersenneTwister(6), net)); alg = alg, maxT = 10.0,
                           abstol = 1e-4, reltol = 1e-4)
    @test kinks(:auto).gradient_evaluations < 1.5 * kinks(:DP5).gradient_evaluations
    # An implicit step costs little here; tolerances of high order methods begin explicit all the same, and stay so while nothing is stiff.
    cheap = integrate(TestProblems.separable(3), [0.1, 0.2, 0.3]; maxT = 3.0)
    @test cheap.algorithm === :ESDIRK547L2SA2
    explicit = integrate(TestProblems.separable(3), [0.1, 0.2, 0.3]; alg = :DP5, maxT = 3.0)
    @test cheap.gradient_evaluations < 1.5 * explicit.gradient_evaluations
    mild = integrate(TestProblems.separable(3), [0.1, 0.2, 0.3]; maxT = 3.0, abstol = 1e-9, reltol = 1e-9)
    @test mild.algorithm === :DOP853 && mild.hessian_evaluations == 0
end

@testset "wrong arguments: $(first(bad))" for bad in (
        (:alg => :Euler,), (:maxT => -1,), (:maxT => NaN,), (:abstol => 0,), (:reltol => -1,), (:maxtime => -1,),
        (:maxiterations => -1,), (:maxevaluations => -1,), (:min_gnorm => -1,), (:minloss => NaN,), (:n_samples => -1,),
        (:dt0 => 0.0,), (:dt0 => Inf,), (:tauinv => [1.0],), (:tauinv => -1,), (:tauinv => [1, NaN],), (:saveat => [2.0],),
        (:saveat => [-1.0],))
    @test_throws ArgumentError integrate(TestProblems.separable(2), [1.0, 2.0]; maxT = 1.0, bad...)
end

@testset "wrong start" begin
    @test_throws ArgumentError integrate(TestProblems.separable(2), [1.0])
    @test_throws ArgumentError integrate(TestProblems.separable(2), [1.0, NaN])
end

@testset "one parameter, one sample" begin
    o, x0 = TestProblems.teacher_student(MersenneTwister(1); teacher = 1, student = 1, N = 1)
    for alg in FLOW_METHODS
        @test integrate(o, x0; alg = alg, maxT = 1e4).status === :maxT
    end
end

# An objective that allocates nothing: sum of lambda_i x_i^2/2 with a coupling of neighbours.
struct Chain <: MLPFlow.AbstractObjective
    lambda::Vector{Float64}
end

MLPFlow.nparams(o::Chain) = length(o.lambda)

function MLPFlow.value_gradient!(g::AbstractVector, o::Chain, x::AbstractVector)
    total = 0.0
    for i in eachindex(x)
        left = i > 1 ? x[i] - x[i-1] : 0.0
        right = i < length(x) ? x[i+1] - x[i] : 0.0
        g[i] = o.lambda[i] * x[i] + left - right
        total += o.lambda[i] * x[i]^2 / 2 + left^2 / 2
    end
    return total
end

MLPFlow.value(o::Chain, x::AbstractVector) = MLPFlow.value_gradient!(similar(x), o, x)

function MLPFlow.hessian!(H::AbstractMatrix, o::Chain, x::AbstractVector)
    fill!(H, 0.0)
    for i in eachindex(x)
        H[i, i] = o.lambda[i] + (i > 1) + (i < length(x))
        i > 1 && (H[i, i-1] = H[i-1, i] = -1.0)
    end
    return H
end

function MLPFlow.hvp!(w::AbstractVector, o::Chain, x::AbstractVector, v::AbstractVector)
    for i in eachindex(x)
        w[i] = o.lambda[i] * v[i] + (i > 1 ? v[i] - v[i-1] : 0.0) + (i < length(x) ? v[i] - v[i+1] : 0.0)
    end
    return w
end

@testset "the step loop does not allocate, $alg" for alg in (:DP5, :DOP853, :Rodas5P, :ESDIRK547L2SA2, :RKC2, :RKC3)
    o = Chain(10.0 .^ (-3:0.5:3))
    bytes(n) = @allocated integrate(o, ones(13); alg = alg, maxT = 1e8, maxiterations = n, n_samples = 2)
    bytes(10)
    # LAPACK's wrappers allocate a few words a call.
    @test bytes(400) - bytes(200) <= 200 * (alg === :Rodas5P ? 9 * 64 : 0)
end

@testset "which method ran when" begin
    A = TestProblems.symmetric(MersenneTwister(1), 10.0 .^ (-3:0.5:3))
    result = integrate(TestProblems.quadratic(A), randn(MersenneTwister(2), 13); maxT = 100.0, abstol = 1e-8, reltol = 1e-8)
    @test result.handovers[1] == (0.0, :DOP853) && length(result.handovers) >= 2
    @test result.handovers[end][2] === result.algorithm
    @test issorted(first.(result.handovers)) && 0 < result.handovers[2][1] < 100
    fixed = integrate(TestProblems.quadratic(A), randn(MersenneTwister(2), 13); maxT = 1.0, alg = :Rodas5P)
    @test fixed.handovers == [(0.0, :Rodas5P)] && isempty(fixed.growth)
end

@testset "parameters that run away" begin
    # log(1 + e^-x): x grows like log t. 1/(1 + x^2): like t^(1/4).
    logistic = FunctionObjective(2; value = x -> log1p(exp(-x[1])) + x[2]^2,
        gradient! = (g, x) -> (g .= (-1 / (1 + exp(x[1])), 2x[2])),
        hessian! = (H, x) -> (s = 1 / (1 + exp(x[1])); H .= [s*(1-s) 0; 0 2]))
    result = integrate(logistic, [0.0, 1.0]; maxiterations = 300)
    @test result.status === :diverged && isapprox(result.growth, [1, 0]; atol = 1e-6)
    result = integrate(TestProblems.runaway(0.5), [-1.0]; maxiterations = 300)
    @test result.status === :diverged && result.growth == [-1.0]
    # Asked for, a final time or a tolerance is what ended the run, and still the drift is told.
    result = integrate(logistic, [0.0, 1.0]; maxT = 1e6)
    @test result.status === :maxT && isapprox(result.growth, [1, 0]; atol = 1e-6)
    result = integrate(logistic, [0.0, 1.0]; min_gnorm = 1e-8)
    @test result.status === :gradient_tolerance && isapprox(result.growth, [1, 0]; atol = 1e-6)
    # Minima, also degenerate ones, and flows on their way are not at infinity.
    @test isempty(integrate(TestProblems.powell(), [3.0, -1.0, 0.0, 1.0]; maxiterations = 300).growth)
    @test isempty(integrate(TestProblems.separable(2), [0.1, 2.0]; maxiterations = 300).growth)
    o, x0 = TestProblems.teacher_student(MersenneTwister(2))
    for T in (0.1, 1.0, 10.0, 100.0, 1e3, 1e4)
        @test isempty(integrate(o, 1e-2 .* x0; maxT = T).growth)
    end
end
