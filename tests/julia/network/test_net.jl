# Networks and teachers: outputs, data kept, bad input.
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

@testset "outputs for N = $N" for N in (1, 3, 7, 8, 9, 63, 64, 65, 200)
    rng = MersenneTwister(N)
    X = randn(rng, 2, N)
    net = Net(layers = ((3, [tanh, relu, tanh], true), (2, softplus, false), (2, identity, true)), input = X, target = randn(rng, 2, N))
    p = random_params(rng, net)
    spec = ((3, ["tanh", "relu", "tanh"], true), (2, ["softplus", "softplus"], false), (2, ["identity", "identity"], true))
    expected = hcat((Float64.(Reference.output(spec, big.(collect(p)), big.(X[:, n]))) for n in 1:N)...)
    @test net(p) ≈ expected rtol = 1e-13
    @test net(p, X[:, 1:1]) ≈ expected[:, 1:1] rtol = 1e-13
    @test net(params2dict(p)) == net(p) == net(collect(p))
    @test MLPFlow.inputs(net) == X
end

@testset "a net owns its data" begin
    X, Y = randn(MersenneTwister(1), 2, 10), randn(MersenneTwister(2), 1, 10)
    net = Net(layers = ((3, tanh, true), (nothing, identity, true)), input = X, target = Y)
    p = random_params(MersenneTwister(3), net)
    before = loss(net, p)
    X .= 0
    Y .= 0
    @test loss(net, p) == before
    @test net.layers[end].nout == 1
    @test occursin("13 parameters, 10 samples", sprint(show, MIME("text/plain"), net))
end

@testset "teacher" begin
    rng = MersenneTwister(6)
    teacher = TeacherNet(layers = ((4, sigmoid, false), (1, identity, false)), Din = 2, rng = rng)
    X = randn(rng, 2, 50)
    @test teacher(X) ≈ teacher.p.w2 * sigmoid.(teacher.p.w1 * X)
    net = Net(layers = ((4, sigmoid, false), (1, identity, false)), input = X, target = teacher(X))
    @test loss(net, teacher.p) < 1e-30
    again = TeacherNet(p = teacher.p, layers = ((4, sigmoid, false), (1, identity, false)), input = X)
    @test again(X) == teacher(X)
    @test size(teacher(zeros(2, 0))) == (1, 0)
    @test_throws DimensionMismatch teacher(zeros(3, 4))
    @test_throws ArgumentError TeacherNet(layers = ((4, sigmoid, false), (1, identity, false)))
end

good = (layers = ((3, tanh, true), (1, identity, true)), input = ones(2, 4), target = ones(1, 4))
@testset "bad input: $e" for (e, change) in (
        ("no layers", (layers = (),)), ("width 0", (layers = ((0, tanh, true), (1, identity, true)),)),
        ("no function", (layers = ((3, "tanh", true), (1, identity, true)),)), ("layer of two entries", (layers = ((3, tanh), (1, identity, true)),)),
        ("two activations for three neurons", (layers = ((3, [tanh, relu], true), (1, identity, true)),)),
        ("last width", (layers = ((3, tanh, true), (2, identity, true)),)), ("no samples", (input = ones(2, 0), target = ones(1, 0))),
        ("transposed", (input = ones(4, 2),)), ("NaN input", (input = [1 NaN 1 1; 1 1 1 1],)), ("Inf target", (target = [1 Inf 1 1],)),
        ("weights of the wrong length", (weights = ones(3),)), ("negative weight", (weights = [1, 1, 1, -1],)), ("Din", (Din = 3,)),
        ("labels out of range", (layers = ((3, tanh, true), (2, identity, true)), target = [1, 2, 3, 1], losstype = CrossEntropy())),
        ("labels from 0", (layers = ((3, tanh, true), (2, identity, true)), target = [0, 1, 1, 1], losstype = CrossEntropy())),
        ("no probabilities", (layers = ((3, tanh, true), (2, identity, true)), target = ones(2, 4), losstype = CrossEntropy())),
        ("unknown keyword", (activations = 1,)))
    @test_throws Union{ArgumentError,DimensionMismatch,MethodError} Net(; merge(good, change)...)
end

@testset "parameters that do not fit" begin
    net = Net(; good...)
    @test_throws DimensionMismatch loss(net, zeros(12))
    @test_throws DimensionMismatch loss(net, params((ones(2, 3), nothing), (ones(1, 7), nothing)))
    @test_throws DimensionMismatch gradient!(zeros(3), net, zeros(13))
    @test_throws DimensionMismatch hessian!(zeros(3, 3), net, zeros(13))
    @test_throws ArgumentError loss(net, zeros(13); merge = (3, (1, 2), 1.0))
    @test_throws ArgumentError loss(net, zeros(13); merge = (1, (2, 2), 1.0))
    @test_throws ArgumentError loss(net, zeros(13); merge = (1, (1, 4), 1.0))
end
