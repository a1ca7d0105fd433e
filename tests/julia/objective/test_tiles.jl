# The cut into tiles must not show: any N gives the mean over samples taken one by one; evaluations in place allocate nothing.
using LinearAlgebra, Random

const DEEP = ((4, [tanh, softplus, gelu, relu], true), (3, sigmoid, false), (2, identity, true))

@testset "N = $N, $(typeof(kind))" for N in (1, 3, 7, 8, 9, 63, 64, 65, 128, 200, 1000), kind in (MSE(), CrossEntropy())
    rng = MersenneTwister(N)
    X, w = randn(rng, 3, N), 0.5 .+ rand(rng, N)
    Y = kind isa MSE ? randn(rng, 2, N) : (q = rand(rng, 2, N); q ./ sum(q; dims = 1))
    net = Net(layers = DEEP, input = X, target = Y, weights = w, losstype = kind)
    p = random_params(rng, net)
    single(f, n) = f(Net(layers = DEEP, input = X[:, n:n], target = Y[:, n:n], weights = w[n:n], losstype = kind), p)
    @test isapprox(loss(net, p), sum(single(loss, n) for n in 1:N) / N; rtol = 1e-13)
    @test isapprox(gradient(net, p), sum(single(gradient, n) for n in 1:N) / N; rtol = 1e-12)
    N <= 200 && @test isapprox(hessian(net, p), sum(single(hessian, n) for n in 1:N) / N; rtol = 1e-12)
end

@testset "wide layers take the BLAS path" begin
    rng = MersenneTwister(1)
    X, Y = randn(rng, 30, 70), randn(rng, 2, 70)
    net = Net(layers = ((40, tanh, true), (2, identity, true)), input = X, target = Y)
    p = random_params(rng, net)
    output = p.w2 * vcat(tanh.(p.w1 * vcat(X, ones(1, 70))), ones(1, 70))
    @test isapprox(net(p), output; rtol = 1e-13)
    @test isapprox(loss(net, p), sum(abs2, output .- Y) / 70; rtol = 1e-13)
    g, v = gradient(net, p), normalize(randn(rng, length(p)))
    h = 1e-5
    @test isapprox(dot(g, v), (loss(net, p .+ h .* v) - loss(net, p .- h .* v)) / 2h; rtol = 1e-7)
    @test isapprox(hessian(net, p) * v, (gradient(net, p .+ h .* v) .- gradient(net, p .- h .* v)) ./ 2h; rtol = 1e-6)
end

function allocations(o, x)
    g, H = zeros(length(x)), zeros(length(x), length(x))
    calls() = (value(o, x), value_gradient!(g, o, x), hessian!(H, o, x), value_gradient_hessian!(g, H, o, x))
    calls()
    return (@allocated(value(o, x)), @allocated(value_gradient!(g, o, x)), @allocated(hessian!(H, o, x)),
            @allocated(value_gradient_hessian!(g, H, o, x)))
end

@testset "no allocation: $(typeof(kind)), folded = $folded" for kind in (MSE(), CrossEntropy()), folded in (true, false)
    rng = MersenneTwister(2)
    for layers in (DEEP, ((20, tanh, true), (30, Poly(0, 1, 0.1), true), (2, identity, true)))
        net = Net(layers = layers, input = randn(rng, 3, 500), target = kind isa MSE ? randn(rng, 2, 500) : rand(rng, 1:2, 500), losstype = kind)
        o = NetObjective(net; maxnorm = 0.1, merge = (1, (1, 2), 1.0))
        o.second_order = MLPFlow.SecondOrder{Float64}(o.layers, o.samples; folded = folded)
        x = collect(random_params(rng, net))
        allocations(o, x)
        @test allocations(o, x) == (0, 0, 0, 0)
    end
end
