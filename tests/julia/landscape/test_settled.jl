# A run whose gradient met the tolerance has converged, but not on a way to infinity.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using Random

quiet = (verbosity = 0, result = :raw)

@testset "a margin that grows for ever" begin
    rng = MersenneTwister(1)
    X = randn(rng, 2, 40)
    net = Net(layers = ((2, identity, true),), input = X, target = [x > 0 ? 1 : 2 for x in X[1, :]], losstype = CrossEntropy())
    p = random_params(rng, net)
    for min_gnorm in (1e-4, 1e-9)
        run = train(net, p; min_gnorm = min_gnorm, maxiterations_ode = 500, quiet...)
        @test run.gnorm <= min_gnorm && run.status === :at_infinity && !run.converged
        @test occursin("maxnorm", status_message(run.status))
    end
    bounded = train(net, p; min_gnorm = 1e-9, maxnorm = 1.0, maxiterations_ode = 500, quiet...)
    @test bounded.converged && bounded.status === :gradient_tolerance
    # With the weights of the first input frozen the second one decides, and its margin is negative: a minimum.
    frozen = train(net, zeros(6); tauinv = [0, 0, 1, 1, 1, 1], min_gnorm = 1e-9, maxiterations_ode = 500, quiet...)
    @test frozen.converged && frozen.status === :gradient_tolerance
end

@testset "minima, strict and degenerate" begin
    rng = MersenneTwister(2)
    X = randn(rng, 2, 60)
    noisy = randn(rng, 1, 60)
    layers(k) = ((k, tanh, true), (1, identity, true))
    few = Net(layers = layers(6), input = X[:, 1:5], target = noisy[:, 1:5])
    many = Net(layers = layers(2), input = X, target = noisy .* 0.1 .+ sum(tanh, X; dims = 1))
    for net in (few, many), seed in 1:3
        run = train(net, random_params(MersenneTwister(seed), net); maxT = 100, min_gnorm = 1e-10, minloss = 0, quiet...)
        @test run.converged == (run.gnorm <= 1e-10) && run.status !== :at_infinity
    end
end

@testset "objectives of any kind" begin
    run = MLPFlow.run_training(TestProblems.runaway(1.0), [1.0]; min_gnorm = 1e-7, maxiterations_ode = 1000)
    @test run.status === :at_infinity && !run.converged
    run = MLPFlow.run_training(TestProblems.rosenbrock(), [-1.2, 1.0]; min_gnorm = 1e-10)
    @test run.status in (:gradient_tolerance, :loss_tolerance) && run.converged
    r = TestProblems.runaway(1.0)
    blind = FunctionObjective(1; value = r.value, gradient! = r.gradient!)      # no Hessian: nothing is claimed
    run = MLPFlow.run_training(blind, [1.0]; alg = :DP5, min_gnorm = 1e-3, maxtime_optim = 0)
    @test run.status === :gradient_tolerance && run.converged
    # A frozen parameter cannot run away.
    @test MLPFlow.runs_away(r, [1e4]; min_gnorm = 1e-3) && !MLPFlow.runs_away(r, [1e4]; tauinv = 0.0, min_gnorm = 1e-3)
end
