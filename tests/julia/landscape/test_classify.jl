# What kind of point: functions whose critical points are known, and networks built to have one.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

# A function of two variables with its derivatives.
plane(f, g, h) = FunctionObjective(2; value = x -> f(x...), gradient! = (out, x) -> (out .= g(x...)), hessian! = (H, x) -> (H .= h(x...)))

@testset "functions" begin
    c = classify(TestProblems.saddle(4), zeros(4))
    @test (c.kind, c.index, c.flat_dimension) == (:saddle, 1, 0)
    @test c.eigenvalues == [-4.0, 2.0] && abs(c.direction[4]) == 1
    c = classify(TestProblems.saddle(4), [0.0, 0.0, 0.0, -1.0])
    @test (c.kind, c.index, c.flat_dimension) == (:minimum, 0, 0)
    @test c.eigenvalues == [2.0] && c.levels[1] < 1e-13
    @test isempty(c.direction) && isempty(c.neurons)
    @test classify(TestProblems.rosenbrock(), [1.0, 1.0]).kind === :minimum
    c = classify(TestProblems.rosenbrock(), [1.0, 1.0 + 1e-6])
    @test c.kind === :not_critical && isapprox(c.gnorm, 4e-4; rtol = 1e-3)
    @test classify(TestProblems.rosenbrock(), [1.0, 1.0 + 1e-6]; min_gnorm = 1e-3).kind === :minimum
    @test_throws DimensionMismatch classify(TestProblems.rosenbrock(), [1.0])
    @test_throws ArgumentError classify(TestProblems.rosenbrock(), [1.0, 1.0]; min_gnorm = -1)
end

@testset "degenerate points: $name" for (name, o, flat, loss) in (
        ("a level valley", plane((x, y) -> (y - x^2)^2, (x, y) -> (-4x * (y - x^2), 2 * (y - x^2)),
                                 (x, y) -> [12x^2-4y -4x; -4x 2.0]), 1, :level),
        ("a floor that falls although the straight line rises",
         plane((x, y) -> (y - x^2)^2 - x^4 / 2, (x, y) -> (-4x * (y - x^2) - 2x^3, 2 * (y - x^2)),
               (x, y) -> [6x^2-4y -4x; -4x 2.0]), 1, :falls),
        ("a floor that rises", plane((x, y) -> (y - x^2)^2 + x^4 / 2, (x, y) -> (-4x * (y - x^2) + 2x^3, 2 * (y - x^2)),
                                     (x, y) -> [18x^2-4y -4x; -4x 2.0]), 1, :rises),
        ("a monkey saddle", plane((x, y) -> x^3 - 3x * y^2, (x, y) -> (3x^2 - 3y^2, -6x * y), (x, y) -> [6x -6y; -6y -6x]), 2, :falls),
        ("a constant", plane((x, y) -> 3.0, (x, y) -> (0.0, 0.0), (x, y) -> [0.0 0.0; 0.0 0.0]), 2, :level),
        ("Powell's singular function", TestProblems.powell(), 2, :rises))
    c = classify(o, zeros(o.n))
    @test (c.kind, c.index, c.flat_dimension, c.flat_loss) == (:degenerate, 0, flat, loss)
    @test (loss === :falls) == !isempty(c.direction)
end

@testset "a valley seen from a point next to it" begin
    # Along the valley the curvature is proportional to the distance from it: a gradient of 1e-9 makes 2e-9 of it, of either sign.
    valley = plane((x, y) -> (y - x^2)^2, (x, y) -> (-4x * (y - x^2), 2 * (y - x^2)), (x, y) -> [12x^2-4y -4x; -4x 2.0])
    for off in (1e-9, -1e-9)
        c = classify(valley, [0.0, off]; min_gnorm = 1e-8)
        @test (c.kind, c.index, c.flat_dimension, c.flat_loss) == (:degenerate, 0, 1, :level)
    end
end

@testset "infinity" begin
    for offset in (0.0, 1.0), x in (1e3, -1e5)
        c = classify(TestProblems.runaway(offset), [x])
        @test c.kind === :infinity && c.direction == [sign(x)]
    end
    @test classify(TestProblems.linear(), [0.0]).kind === :not_critical     # its gradient does not fall
    c = classify(TestProblems.bounded_domain(), [-1.0])
    @test c.kind === :not_critical && occursin("not finite", MLPFlow.explain(c))
end

const DATA = randn(MersenneTwister(3), 2, 120)
layers(k, f) = ((k, f, true), (1, identity, true))
noisy_targets() = TeacherNet(layers = layers(3, tanh), Din = 2, rng = MersenneTwister(4))(DATA) .+ 0.1 .* randn(MersenneTwister(5), 1, 120)
minimum_of(net, seed; kwargs...) =
    train(net, random_params(MersenneTwister(seed), net); maxT = 200, maxiterations_optim = 1000, result = :raw, verbosity = 0, kwargs...)

# The first of n neurons becomes two, with the parts gamma and 1 - gamma of its outgoing weight.
function split_first(net, x, gamma)
    p = Params(net, x)
    w1, w2 = p.w1, p.w2
    return vcat(vec(w1[[1; axes(w1, 1)], :]), vec(hcat(gamma * w2[:, 1], (1 - gamma) * w2[:, 1], w2[:, 2:end])))
end

@testset "networks: a strict minimum, and what splitting a neuron makes of it" begin
    net = Net(layers = layers(2, tanh), input = DATA, target = noisy_targets())
    run = minimum_of(net, 1)
    c = classify(net, run)
    @test (c.kind, c.index, c.flat_dimension) == (:minimum, 0, 0)
    @test c.eigenvalues[1] ≈ eigvals(Symmetric(hessian(net, run.x)))[1] rtol = 1e-10
    @test c.gnorm <= c.gnorm_rounding < 1e-13
    for off in (1e-3, 1e-9)
        moved = classify(net, run.x .+ off)
        @test moved.kind === :not_critical && moved.gnorm > 100 * moved.gnorm_rounding
    end
    # Fukumizu and Amari (2000): on the line of splittings the Hessian has one zero eigenvalue, and those of a block that is
    # proportional to gamma (1 - gamma): what is a minimum for gamma in (0, 1) is a saddle outside, or the other way round, or
    # a saddle on both sides. At gamma = 0 the block vanishes: the index falls to that of the rest.
    larger = Net(layers = layers(3, tanh), input = DATA, target = noisy_targets())
    inside, outside = classify(larger, split_first(net, run.x, 0.4)), classify(larger, split_first(net, run.x, -0.4))
    @test outside.kind === :saddle && outside.flat_dimension == 1
    @test inside.flat_dimension == 1
    @test inside.index + outside.index == 3         # the block is 3 x 3 (two weights and a bias) and definite nowhere
    @test classify(larger, split_first(net, run.x, 1.4)).index == outside.index
    boundary = classify(larger, split_first(net, run.x, 0.0))
    @test (boundary.kind, boundary.flat_dimension, boundary.flat_loss) == (:degenerate, 4, :falls)
end

@testset "networks: dead neurons and more parameters than data" begin
    net = Net(layers = layers(1, tanh), input = DATA, target = noisy_targets())
    x = minimum_of(net, 2).x
    # A relu that is never active, next to the minimum: its three incoming weights and its outgoing weight do nothing.
    mixed = Net(layers = ((2, [tanh, relu], true), (1, identity, true)), input = DATA, target = noisy_targets())
    w1, w2 = Params(net, x).w1, Params(net, x).w2
    dead = vcat(vec(vcat(w1, [0.1 0.2 -50.0])), vec([w2[1] 0.7 w2[2]]))
    c = classify(mixed, dead)
    @test (c.kind, c.index, c.flat_dimension, c.flat_loss) == (:degenerate, 0, 4, :level)
    # 6 samples and 25 parameters: the fit is exact on a manifold of dimension 19.
    few = Net(layers = layers(6, tanh), input = DATA[:, 1:6], target = noisy_targets()[:, 1:6])
    c = classify(few, minimum_of(few, 1))
    @test (c.kind, c.index, c.flat_dimension, c.flat_loss) == (:degenerate, 0, 19, :level)
end

@testset "networks: infinity" begin
    separable = findall(abs.(DATA[1, :] .+ DATA[2, :]) .> 0.3)
    labels = [DATA[1, i] + DATA[2, i] > 0 ? 1 : 2 for i in separable]
    net = Net(layers = ((2, identity, true),), input = DATA[:, separable], target = labels, losstype = CrossEntropy())
    for maxT in (100.0, 1e6)                     # on the way, far from it, and at the rounding level
        c = classify(net, minimum_of(net, 1; maxT = maxT, maxiterations_optim = 0))
        @test c.kind === :infinity && sort(c.neurons) == [(1, 1), (1, 2)]
    end
    c = classify(net, minimum_of(net, 1))
    @test c.kind === :infinity && c.gnorm < 1e-14
    @test gradient(net, minimum_of(net, 1).x)' * c.direction < 0
    # A sigmoid that wants to be a step, with one sample on it: the path to infinity is not radial.
    x = reshape(collect(-1:0.1:1), 1, :)
    step = Net(layers = layers(1, sigmoid), input = x, target = (x .> 0.25) .+ 0.1 .* sin.(7 .* x))
    run = train(step, [5.0, -1.0, 1.0, 0.0]; maxT = 1e6, maxiterations_optim = 1000, verbosity = 0, result = :raw)
    c = classify(step, run)
    @test c.kind === :infinity && c.neurons == [(1, 1)]
    @test c.direction[1] > 0 && isapprox(c.direction[2] / c.direction[1], -0.2; atol = 1e-3)
    # Two neurons become one another while their outgoing weights grow: together the derivative of a neuron.
    x = reshape(collect(-3:0.05:3), 1, :)
    derivative = Net(layers = layers(2, tanh), input = x, target = x .* (1 .- tanh.(x) .^ 2))
    # Not so far on the way that what is left to gain is rounding.
    run = train(derivative, [1.1, 0.9, 0.02, -0.01, 5.0, -5.0, 0.0]; maxT = 1e4, optim_solver = :newton, maxiterations_optim = 80,
                verbosity = 0, result = :raw)
    c = classify(derivative, run)
    @test c.kind === :infinity && sort(c.neurons) == [(1, 1), (1, 2)]
    @test c.direction[5] ≈ -c.direction[6] rtol = 1e-2
end

@testset "frozen parameters, penalties, sentences" begin
    net = Net(layers = layers(2, tanh), input = DATA, target = noisy_targets())
    tauinv = ones(9)
    tauinv[[1, 7]] .= 0
    run = minimum_of(net, 1; tauinv = tauinv)
    @test classify(net, run).kind === :minimum
    @test classify(net, run.x).kind === :not_critical
    @test_throws ArgumentError classify(net, run.x; tauinv = 0)
    separable = Net(layers = ((2, identity, true),), input = [-1.0 1.0], target = [1, 2], losstype = CrossEntropy())
    bounded = train(separable, zeros(4) .+ 0.1; maxnorm = 0.5, verbosity = 0, result = :raw)
    # The sum of the logits does not change the loss, but the bound on the norm: a strict minimum.
    @test classify(separable, bounded; maxnorm = 0.5).kind === :minimum
    @test classify(separable, bounded).kind === :infinity
    c = classify(separable, bounded)
    @test occursin("neuron 1 of layer 1", MLPFlow.explain(c))
    @test occursin("neuron 0 of layer 0", MLPFlow.explain(c; first = 0)) && occursin("counted from 0", MLPFlow.explain(c; first = 0))
    @test startswith(sprint(show, c), "Classification(:infinity): At infinity")
end
