# The driver: statuses, frozen parameters, trajectory, minibatches, continuation, allocation.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

const DISCRETE_RULES = (GradientDescent(learning_rate = 0.05), HeavyBall(learning_rate = 0.02), Nesterov(learning_rate = 0.02),
                        Adam(learning_rate = 0.01), AdamW(learning_rate = 0.01, amsgrad = true), RMSprop(learning_rate = 0.01),
                        RMSprop(learning_rate = 0.001, momentum = 0.5, centered = true))

function discrete_problem(; N = 50, T = Float64)
    rng = MersenneTwister(7)
    input = randn(rng, 2, N)
    net = Net(layers = ((4, tanh, true), (1, identity, true)), input = input, target = sin.(sum(input; dims = 1)), precision = T)
    return NetObjective(net), collect(Float64, random_params(rng, net))
end

@testset "statuses, batchsize $B" for B in (nothing, 8)
    o, x0 = discrete_problem()
    go(; rule = GradientDescent(learning_rate = 0.25), kwargs...) = descend(o, x0, rule; batchsize = B, kwargs...)
    result = go(maxiterations = 11)
    @test result.status === :maxiterations && result.iterations == result.accepted == 11 && result.rejected == 0
    @test result.algorithm === :GradientDescent && result.t == 2.75
    # Rates are not powers of two: ten tenths are one all the same.
    result = go(rule = GradientDescent(learning_rate = 0.1), maxT = 1)
    @test result.status === :maxT && result.t == 1 && result.iterations == 10
    start = MLPFlow.value(o, x0)
    result = go(minloss = start / 4)
    @test result.status === :loss_tolerance && result.loss <= start / 4
    @test B === nothing || result.iterations % cld(50, B) == 0
    result = go(min_gnorm = 0.05)
    @test result.status === :gradient_tolerance && result.gnorm <= 0.05
    @test go(maxtime = 1e-9).status === :maxtime
    for answer in (:interrupted, :callback)
        watcher = TestProblems.Watcher(answer, 4)
        result = go(monitor = watcher)
        @test result.status === answer && result.iterations == 4 && watcher.phases == Set([:flow])
    end
    for zero_budget in ((maxT = 0,), (maxtime = 0,), (maxiterations = 0,))
        result = go(; zero_budget...)
        @test result.status === :not_run && result.x == x0 && result.trajectory.t == [0.0] && result.loss == start
    end
    result = go(rule = GradientDescent(learning_rate = 0.1, schedule = Cosine(30)))
    @test result.status === :schedule_finished && result.iterations == 30
    @test go(rule = GradientDescent(learning_rate = 0.1, schedule = Cosine(30; final = 0.1)), maxiterations = 40).iterations == 40
    # Loss, gradient norm and best point are those of all samples.
    result = go(maxiterations = 12)
    @test result.loss ≈ MLPFlow.value(o, result.x) && result.gnorm ≈ maximum(abs, MLPFlow.gradient!(similar(x0), o, result.x))
    @test result.best_loss ≈ MLPFlow.value(o, result.best_x) && result.best_loss <= min(start, result.loss)
    @test isempty(MLPFlow.status_message(:schedule_finished)) == false
end

@testset "the start is a point like any other" begin
    o, x0 = TestProblems.separable(2), [1.0, -1.0]
    result = descend(o, x0, Adam())
    @test result.status === :gradient_tolerance && result.iterations == 0 && result.trajectory.t == [0.0]
    @test descend(TestProblems.bounded_domain(), [-1.0], Adam()).status === :nonfinite_start
end

@testset "a run that leaves the numbers ends at the last finite iterate, batchsize $B" for B in (nothing, 8)
    o, x0 = discrete_problem()
    result = descend(o, x0, GradientDescent(learning_rate = 1e60); batchsize = B)
    @test result.status === :diverged && all(isfinite, result.x) && all(isfinite, result.best_x)
    @test result.trajectory.x[:, end] == result.x && result.best_loss <= MLPFlow.value(o, x0)
    @test result.t == result.iterations * 1e60
    quartic = FunctionObjective(1; value = x -> -x[1]^4, gradient! = (g, x) -> (g[1] = -4x[1]^3))
    result = descend(quartic, [1.0], GradientDescent(learning_rate = 0.1))
    @test result.status === :diverged && isfinite(result.x[1]) && isfinite(result.loss)
end

@testset "a rise of the loss is no error; the best point is kept" begin
    o = TestProblems.quadratic(fill(1.0, 1, 1))
    watcher = TestProblems.Watcher()
    result = descend(o, [1.0], HeavyBall(learning_rate = 0.5); maxiterations = 30, monitor = watcher)
    @test maximum(diff(watcher.losses)) > 0 && result.best_loss == minimum(watcher.losses) < result.loss
end

@testset "gradient descent is the Euler method for the flow" begin
    o, x0 = discrete_problem()
    flow = integrate(o, x0; maxT = 2.0, abstol = 1e-10, reltol = 1e-10).x
    errors = [maximum(abs, descend(o, x0, GradientDescent(learning_rate = h); maxT = 2.0).x - flow) for h in (0.02, 0.01, 0.005)]
    @test 1.9 < errors[1] / errors[2] < 2.1 && 1.9 < errors[2] / errors[3] < 2.1
end

@testset "frozen parameters keep their bits: $(nameof(typeof(rule)))" for rule in DISCRETE_RULES
    o, x0 = discrete_problem()
    x0[2] = -0.0
    tauinv = ones(length(x0))
    frozen = [2, 3, 9]
    tauinv[frozen] .= 0
    for B in (nothing, 8)
        result = descend(o, x0, rule; maxiterations = 20, tauinv = tauinv, batchsize = B)
        @test reinterpret.(UInt64, result.x[frozen]) == reinterpret.(UInt64, x0[frozen])
        @test all(result.x[i] != x0[i] for i in setdiff(1:length(x0), frozen))
        g = MLPFlow.gradient!(similar(x0), o, result.x)
        @test result.gnorm == maximum(abs.(g[setdiff(1:end, frozen)]))
    end
    @test descend(o, x0, rule; tauinv = 0).status === :gradient_tolerance
    # Half the rate is half the rate.
    halved = descend(o, x0, GradientDescent(learning_rate = 0.5); tauinv = 0.5, maxiterations = 9).x
    @test halved == descend(o, x0, GradientDescent(learning_rate = 0.25); maxiterations = 9).x
end

mutable struct Recorder <: MLPFlow.AbstractMonitor
    xs::Vector{Vector{Float64}}
    ts::Vector{Float64}
end

MLPFlow.signal(m::Recorder, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64, stepsize::Float64,
               x::Vector{Float64}) = (push!(m.xs, copy(x)); push!(m.ts, t); :continue)

@testset "the trajectory holds iterates, batchsize $B" for B in (nothing, 7)
    o, x0 = discrete_problem()
    for steps in (1, 2, 5, 30, 3000), n in (0, 2, 3, 20)
        all_of_them = Recorder([], [])
        result = descend(o, x0, Adam(); maxiterations = steps, n_samples = n, monitor = all_of_them, batchsize = B)
        trace = result.trajectory
        @test trace.t[1] == 0 && trace.x[:, 1] == x0 && trace.t[end] == result.t && trace.x[:, end] == result.x
        @test issorted(trace.t) && allunique(trace.t) && length(trace.t) <= max(n, 2)
        @test steps < 3000 || n < 20 || length(trace.t) == n
        @test n < 20 || length(trace.t) >= min(steps + 1, 20)
        at = [findfirst(==(t), all_of_them.ts) for t in trace.t[2:end]]
        @test trace.x[:, 2:end] == hcat(all_of_them.xs[at]...)
        @test trace.loss ≈ [MLPFlow.value(o, trace.x[:, j]) for j in axes(trace.x, 2)] rtol = 1e-13
    end
    # Evenly spaced in the logarithm: beyond the first steps no gap is much wider than the mean one.
    numbers = round.(Int, descend(o, x0, GradientDescent(learning_rate = 1.0 / 1024); maxiterations = 20_000, n_samples = 50).trajectory.t .* 1024)
    gaps = diff(log.(numbers[20:end]))
    @test maximum(gaps) < 3 * sum(gaps) / length(gaps)
end

@testset "a batch of all samples is the full batch" begin
    o, x0 = discrete_problem()
    @test descend(o, x0, Adam(); batchsize = 50, maxiterations = 9).x == descend(o, x0, Adam(); maxiterations = 9).x
    drawn = descend(o, x0, Adam(); batchsize = 50, replacement = true, maxiterations = 9)
    @test drawn.x != descend(o, x0, Adam(); maxiterations = 9).x && drawn.gradient_evaluations == 9 + 10
end

@testset "the same seed gives the same bits" begin
    o, x0 = discrete_problem()
    run(seed) = descend(o, x0, Adam(); batchsize = 8, batchseed = seed, maxiterations = 100).x
    @test run(1) == run(1) != run(2)
end

# What a file would hold of a run: all that changes in it.
function moved_state(from)
    o, x0 = discrete_problem()
    to = MLPFlow.DescentRun(o, x0, from.rule; maxiterations = 143, batchsize = 8, batchseed = 5)
    to.at, to.memory, to.sampler = deepcopy(from.at), deepcopy(from.memory), deepcopy(from.sampler)
    to.loss0, to.best_x, to.best_loss = from.loss0, copy(from.best_x), from.best_loss
    epochs, found = to.batches.epochs, from.batches.epochs
    epochs.epoch, epochs.position, epochs.order[:] = found.epoch, found.position, found.order
    return to
end

@testset "a run goes on from its state: $(nameof(typeof(rule)))" for rule in DISCRETE_RULES
    o, x0 = discrete_problem()
    whole = descend(o, x0, rule; maxiterations = 143, batchsize = 8, batchseed = 5)
    first_part = MLPFlow.DescentRun(o, x0, rule; maxiterations = 60, batchsize = 8, batchseed = 5)
    @test MLPFlow.start!(first_part) === :continue && MLPFlow.proceed!(first_part) === :maxiterations
    second = moved_state(first_part)
    result = MLPFlow.finish(second, MLPFlow.proceed!(second))
    @test result.x == whole.x && result.best_x == whole.best_x && result.best_loss == whole.best_loss && result.t == whole.t
    @test result.trajectory.t == whole.trajectory.t && result.trajectory.x == whole.trajectory.x
end

@testset "single precision" begin
    o, x0 = discrete_problem()
    single, _ = discrete_problem(T = Float32)
    for B in (nothing, 8)
        @test descend(single, x0, Adam(); batchsize = B, maxiterations = 50).x ≈ descend(o, x0, Adam(); batchsize = B, maxiterations = 50).x rtol = 1e-4
    end
end

@testset "the step loop does not allocate: $(nameof(typeof(rule))), batchsize $B" for rule in DISCRETE_RULES, B in (nothing, 8)
    o, x0 = discrete_problem()
    quiet = (n_samples = 2, batchsize = B, maxtime = 1e6)
    bytes(n) = @allocated descend(o, x0, rule; maxiterations = n, quiet...)
    bytes(10)
    @test bytes(1200) - bytes(600) <= 0
end

@testset "training with a rule" begin
    rng = MersenneTwister(2)
    input = randn(rng, 2, 60)
    net = Net(layers = ((3, tanh, true), (1, identity, true)), input = input, target = input[1:1, :] .* input[2:2, :])
    p = random_params(rng, net)
    run(; options...) = train(net, p; result = :raw, verbosity = 0, options...)
    found = run(alg = Adam(learning_rate = 1e-2), batchsize = 16, batchseed = 3, maxiterations_ode = 400, maxiterations_optim = 500, min_gnorm = 1e-12)
    @test found.flow.algorithm === :Adam && found.flow.iterations == 400 && found.status === found.optim.status
    @test found.options[:alg] == Adam(learning_rate = 1e-2) && found.options[:batchsize] == 16
    direct = descend(NetObjective(net), collect(p), Adam(learning_rate = 1e-2); batchsize = 16, batchseed = 3, maxiterations = 400)
    @test found.flow.x == direct.x
    polished = MLPFlow.optimize(NetObjective(net), direct.best_x; maxiterations = 500, min_gnorm = 1e-12, minloss = 2e-32)
    @test found.x == polished.x && found.loss < direct.best_loss < loss(net, p)
    @test run(alg = :Adam, maxiterations_ode = 10, maxtime_optim = 0).flow.x == run(alg = Adam(), maxiterations_ode = 10, maxtime_optim = 0).x
    @test run(alg = Descent(eta = 0.1), maxT = 1, maxiterations_optim = 0).flow.t == 1
    for bad in ((batchsize = 10,), (alg = :DP5, batchsize = 10), (alg = :GradientDescent,), (alg = Adam(), batchsize = 61),
                (alg = Adam(), batchsize = 0), (alg = Adam(), batchseed = -1, batchsize = 3), (alg = Adam(), maxT = -1))
        @test_throws ArgumentError run(; bad...)
    end
    @test_throws ArgumentError descend(TestProblems.separable(2), [1.0, 2.0], Adam(); batchsize = 1)
end

@testset "wrong arguments: $(first(bad))" for bad in ((:maxT => -1,), (:maxT => NaN,), (:maxtime => -1,), (:maxiterations => -1,),
        (:min_gnorm => -1,), (:minloss => NaN,), (:n_samples => -1,), (:tauinv => [1.0],), (:tauinv => -1,))
    @test_throws ArgumentError descend(TestProblems.separable(2), [1.0, 2.0], Adam(); bad...)
    @test_throws ArgumentError descend(TestProblems.separable(2), [1.0], Adam())
end
