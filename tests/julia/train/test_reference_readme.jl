# The calls of a script written for the reference package, in their order, with its keywords; budgets in iterations instead of seconds.
module TestReferenceScript

using MLPFlow, LinearAlgebra, Random, Test

@testset "finite data" begin
    Random.seed!(11)
    inp = randn(2, 1_000)
    w_teach, a_teach = randn(4, 2), randn(1, 4)
    target = a_teach * sigmoid.(w_teach * inp)
    n = Net(layers = ((5, sigmoid, false), (1, identity, false)), input = inp, target = target)
    p = random_params(n)
    @test size(n(p)) == (1, 1_000) && size(n(p, randn(2, 100))) == (1, 100)
    budget = (maxtime_ode = 20, maxtime_optim = 20, maxiterations_ode = 20, maxiterations_optim = 20, verbosity = 0)
    res = train(n, p; budget...)
    x = params(res["x"])
    @test loss(n, x) == res["loss"] <= loss(n, params(res["ode_x"]))
    @test maximum(abs, gradient(n, x)) == res["gnorm"]
    spectrum = hessian_spectrum(n, x)
    @test issorted(spectrum.values) && hessian(n, x) ≈ spectrum.vectors * Diagonal(spectrum.values) * spectrum.vectors'
    ps = ntuple(_ -> random_params(n), 4)
    @test [r["loss"] for r in MLPFlow.train(n, ps; budget...)] == [train(n, q; budget...)["loss"] for q in ps]
end

@testset "parameters and layers as written from Python" begin
    w, b1, a, b2 = randn(5, 2), zeros(5), randn(1, 5), zeros(1)
    p = params((w, b1), (a, b2))
    n = Net(layers = ((5, sigmoid, true), (1, identity, true)), input = randn(2, 50), target = randn(1, 50))
    @test params(params2dict(p)) == p && loss(n, p) == loss(n, params2dict(p))
    n2 = Net(layers = ((5, sigmoid, false), (4, g, true), (2, identity, false)), input = randn(2, 50), target = randn(2, 50))
    p2 = params((w, nothing), (randn(4, 5), zeros(4)), (randn(2, 4), nothing))
    @test isfinite(loss(n2, p2)) && length(gradient(n2, p2)) == 10 + 24 + 8
end

# Infinite data, where the engine has it.
isdefined(MLPFlow, :NetI) && @testset "infinite data" begin
    Random.seed!(12)
    d = 9
    inp = randn(d, 10^4)
    w_teach, a_teach = I(d)[1:d-1, :], ones(d - 1)'
    target = a_teach * relu.(w_teach * inp)
    n = Net(layers = ((2, relu, false), (1, identity, false)), input = inp, target = target)
    p = random_params(n)
    xt = Params(w1 = w_teach, w2 = a_teach)
    ni = MLPFlow.NetI(p, xt, Val(relu))
    res = train(ni, p; maxiterations_ode = 20, maxiterations_optim = 0, verbosity = 0)
    for x in (params(res["init"]), params(res["x"]))
        # 10^4 samples: the two differ by the sampling error of a mean, some percent.
        @test isapprox(loss(n, x), loss(ni, x); rtol = 0.2)
    end
    @test loss(ni, params(res["x"])) <= loss(ni, params(res["init"]))
end

end
