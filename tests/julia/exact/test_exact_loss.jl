# Value, gradient and Hessian of the exact loss: balls hold what BigFloat gives, for points and over boxes.
using LinearAlgebra
using Random
using MLPFlow: Ball, ExactLoss, exact_value_gradient!, exact_hessian!, isinside
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

const EXACT_CASES = (
    (layers = ((3, "tanh", true), (2, "sigmoid", false), (2, "identity", true)), kind = "mse", N = 5, weighted = true, maxnorm = Inf, merge = nothing),
    (layers = ((2, ["gelu", "softplus"], true), (3, "identity", true)), kind = "cross_entropy", N = 4, weighted = true, maxnorm = 0.05,
     merge = (1, (1, 2), 0.3)),
    (layers = ((4, ["g", "normal_cdf", "poly", "silu"], false), (1, "square", true)), kind = "mse", N = 3, weighted = false, maxnorm = Inf, merge = nothing),
    (layers = ((3, ["cube", "exp", "sigmoid2"], true), (1, "identity", false)), kind = "mse", N = 7, weighted = false, maxnorm = 0.01, merge = nothing))

named(name::String) = name == "poly" ? Poly(0.5, -0.25, 0.125, 0.0625) : MLPFlow.activation(name)
named(names::Vector) = map(named, names)

function exact_case(case, rng)
    X, outputs = randn(rng, 2, case.N), case.layers[end][1]
    Y = case.kind == "mse" ? randn(rng, outputs, case.N) : Float64[k == n % outputs + 1 for k in 1:outputs, n in 1:case.N]
    weights = case.weighted ? rand(rng, case.N) : ones(case.N)
    net = Net(layers = Tuple((k, named(f), b) for (k, f, b) in case.layers), input = X, target = Y,
              weights = case.weighted ? weights : nothing, losstype = case.kind == "mse" ? MSE() : CrossEntropy())
    listed = [(k, f isa String ? fill(f, k) : f, b) for (k, f, b) in case.layers]
    layer = net.layers[1]
    pair = case.merge === nothing ? nothing : (1, 2, layer.nout, MLPFlow.columns(layer), case.merge[3])
    truth(x) = Reference.loss(case.kind, listed, x, X, Y, weights, big(case.maxnorm == Inf ? 1e9 : case.maxnorm), pair)
    return net, ExactLoss(net; maxnorm = case.maxnorm, merge = case.merge), truth
end

# Differences with a step of 1e-25 are good to about 1e-48 of the size of higher derivatives.
slack(ball) = MLPFlow.widened(ball, 1e-45 * max(1.0, MLPFlow.magnitude(ball)))

@testset "case $k, box of radius $radius" for (k, case) in enumerate(EXACT_CASES), radius in (0.0, 1e-6, 1e-2)
    rng = MersenneTwister(10 + k)
    net, exact, truth = exact_case(case, rng)
    P = nparams(net)
    centre = 0.7 .* randn(rng, P)
    g, H = zeros(Ball, P), zeros(Ball, P, P)
    box = [Ball(DoubleDouble(c), radius) for c in centre]
    value = exact_value_gradient!(g, exact, box)
    exact_hessian!(H, exact, box)
    @test all(h -> isfinite(h.rad), H)
    setprecision(BigFloat, 512) do
        x = [big(c) + BigFloat(radius) * rand(rng, (-1, 1)) for c in centre]
        @test isinside(truth(x), value)
        gradient = Reference.gradient(truth, copy(x))
        @test all(i -> isinside(gradient[i], slack(g[i])), 1:P)
        hessian = Reference.hessian(truth, copy(x))
        @test all(isinside(hessian[i, j], slack(H[i, j])) for j in 1:P for i in 1:j)
    end
    if radius == 0
        @test all(A -> maximum(b -> b.rad, A) < 1e-28 * maximum(MLPFlow.magnitude, A), (g, H))
        doubles = map(DoubleDouble, centre)
        gd = similar(doubles)
        @test exact_value_gradient!(gd, exact, doubles) == value.mid && gd == map(b -> b.mid, g)
        @test MLPFlow.loss(net, centre; maxnorm = case.maxnorm, merge = case.merge) ≈ value.mid.hi rtol = 1e-13
    end
end

@testset "an objective is the same function, up to the rounding of w/N" begin
    rng = MersenneTwister(20)
    input, target = randn(rng, 2, 50), randn(rng, 1, 50)
    for weights in (nothing, rand(rng, 50)), precision in (Float64, Float32)
        net = Net(layers = ((3, tanh, true), (1, identity, true)), input = input, target = target, weights = weights, precision = precision)
        x = map(DoubleDouble, randn(rng, nparams(net)))
        a, b = exact_value_gradient!(similar(x), ExactLoss(net), x), exact_value_gradient!(similar(x), ExactLoss(NetObjective(net)), x)
        @test weights === nothing ? a == b : abs((a - b).hi) < eps(precision) * a.hi
    end
end
