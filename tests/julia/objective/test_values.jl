# Value, gradient and Hessian against the BigFloat reference: 1 to 4 layers, every activation, both losses, weights,
# penalties, both forms of the Gauss-Newton part.
using LinearAlgebra, Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

function report_difference(what, actual, expected, tolerance)
    scale = max(maximum(abs, expected), 1e-3)
    error = maximum(abs, actual .- expected) / scale
    ok = error <= tolerance
    ok || @error "$what: largest difference $error of the largest entry, allowed $tolerance" index = argmax(abs.(actual .- expected))
    return ok
end

const NAMES = setdiff(sort(collect(keys(Reference.ACTIVATIONS))), ["poly"])

# One case a seed: the architecture, the data and the options are drawn from it, so that all combinations come up.
function random_case(seed)
    rng = MersenneTwister(seed)
    L, Din, N = 1 + seed % 4, rand(rng, 1:2), (1, 3, 9)[1+seed%3]
    widths = [rand(rng, 1:3) for _ in 1:L]
    kind = isodd(seed ÷ 2) ? "mse" : "cross_entropy"
    spec = map(1:L) do l
        one_each = l < L && rand(rng, Bool)
        name = l == L && rand(rng, Bool) ? "identity" : rand(rng, NAMES)
        (widths[l], one_each ? rand(rng, NAMES, widths[l]) : fill(name, widths[l]), rand(rng, Bool))
    end
    X = randn(rng, Din, N)
    Y = kind == "mse" ? randn(rng, widths[L], N) : (q = rand(rng, widths[L], N); q ./ sum(q; dims = 1))
    weights = rand(rng, Bool) ? ones(N) : 0.5 .+ rand(rng, N)
    maxnorm = rand(rng, (Inf, 0.02))
    merge = widths[1] > 1 && rand(rng, Bool) ? (1, (1, 2), 0.7) : nothing
    layers = [(k, map(MLPFlow.activation, names), bias) for (k, names, bias) in spec]
    net = Net(layers = layers, input = X, target = Y, weights = weights, losstype = MLPFlow.losstype(kind))
    x = 0.6 .* randn(rng, nparams(net))
    first_layer = merge === nothing ? nothing : (1, 2, widths[1], Din + spec[1][3], merge[3])
    f = p -> Reference.loss(kind, spec, p, X, Y, weights, maxnorm, first_layer)
    return net, x, (maxnorm = maxnorm, merge = merge), f, "seed $seed: $kind $spec N = $N"
end

@testset "derivatives in BigFloat" begin
    for seed in 1:48
        net, x, options, f, name = random_case(seed)
        g = Float64.(Reference.gradient(f, big.(x)))
        H = Float64.(Reference.hessian(f, big.(x)))
        @test isapprox(loss(net, x; options...), Float64(f(big.(x))); rtol = 1e-13, atol = 1e-60)
        @test report_difference("gradient, $name", gradient(net, x; options...), g, 1e-12)
        for folded in (true, false)
            o = NetObjective(net; options...)
            o.second_order = MLPFlow.SecondOrder{Float64}(o.layers, o.samples; folded = folded)
            g2, H2 = similar(g), similar(H)
            v = value_gradient_hessian!(g2, H2, o, x)
            @test isapprox(v, loss(net, x; options...); rtol = 1e-14)
            @test report_difference("gradient with Hessian, $name", g2, g, 1e-12)
            @test report_difference("Hessian, folded = $folded, $name", H2, H, 1e-12)
            @test H2 == H2'
        end
    end
end

@testset "labels are one-hot rows" begin
    rng = MersenneTwister(5)
    X, labels = randn(rng, 3, 20), rand(rng, 1:4, 20)
    layers = ((5, tanh, true), (4, identity, true))
    onehot = [Float64(labels[n] == k) for k in 1:4, n in 1:20]
    a = Net(layers = layers, input = X, target = labels, losstype = CrossEntropy())
    b = Net(layers = layers, input = X, target = onehot, losstype = CrossEntropy())
    p = random_params(rng, a)
    @test loss(a, p) == loss(b, p) && gradient(a, p) == gradient(b, p) && hessian(a, p) == hessian(b, p)
end

@testset "other data in the call" begin
    rng = MersenneTwister(6)
    X, Y, X2, Y2, w = randn(rng, 2, 9), randn(rng, 1, 9), randn(rng, 2, 5), randn(rng, 1, 5), rand(rng, 5)
    layers = ((3, tanh, true), (1, identity, true))
    net, other = Net(layers = layers, input = X, target = Y), Net(layers = layers, input = X2, target = Y2, weights = w)
    p = random_params(rng, net)
    @test loss(net, p; input = X2, target = Y2, weights = w) == loss(other, p)
    @test hessian(net, p; input = X2, target = Y2, weights = w) == hessian(other, p)
    @test gradient(net, p; input = X, target = Y) == gradient(net, p)
    @test hessian_spectrum(net, p).values ≈ eigvals(Symmetric(hessian(net, p)))
end
