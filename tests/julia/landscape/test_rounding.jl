# The levels of rounding against the true errors, from evaluations in BigFloat.

isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))
isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

function rounding_case(name, kind, N, scale, at_minimum, rng)
    outputs = kind == "mse" ? 1 : 3
    X = randn(rng, 2, N)
    Y = kind == "mse" ? randn(rng, 1, N) : Float64.(hcat([(1:3) .== rand(rng, 1:3) for _ in 1:N]...))
    net = Net(layers = ((2, name == "tanh" ? tanh : sigmoid, true), (outputs, identity, true)), input = X, target = Y,
              losstype = kind == "mse" ? MSE() : CrossEntropy())
    o = NetObjective(net)
    x = scale .* randn(rng, nparams(net))
    at_minimum && (x = optimize(o, x; maxiterations = 100, min_gnorm = 0.0).x)
    layers = [(2, fill(name, 2), true), (outputs, fill("identity", outputs), true)]
    return MLPFlow.picture(o, x), y -> Reference.loss(kind, layers, y, X, Y, ones(N), Inf, nothing)
end

@testset "levels cover the true errors: $name, $kind, N = $N, weights of size $scale, $(at_minimum ? "at" : "off") a minimum" for
        name in ("tanh", "sigmoid"), kind in ("mse", "cross_entropy"), (N, scale) in ((5, 1.0), (150, 8.0)), at_minimum in (false, true)
    p, f = rounding_case(name, kind, N, scale, at_minimum, MersenneTwister(N))
    errors = abs.(p.g .- Reference.gradient(f, big.(p.x)))
    # The reference's own differences end at 1e-45.
    @test all(errors .<= p.rounding.gradient .+ 1e-45)
    @test abs(p.loss - f(big.(p.x))) <= p.rounding.value
    # No more than a few thousand times too careful: a gradient that is not rounding is not called so.
    @test maximum(p.rounding.gradient) <= 5000 * maximum(errors)
end

@testset "levels of eigenvalues: $kind, weights of size $scale" for kind in ("mse", "cross_entropy"), scale in (0.5, 3.0)
    p, f = rounding_case("sigmoid", kind, 6, scale, false, MersenneTwister(5))
    exact = Reference.hessian(f, big.(p.x))
    error = opnorm(Float64.(p.H .- exact))
    @test error <= p.rounding.hessian
    @test maximum(abs.(p.lambda .- eigvals(Symmetric(Float64.(exact))))) <= p.rounding.hessian
    @test p.rounding.hessian <= 1e-12 * maximum(abs, p.lambda)
end

@testset "single precision has larger levels" begin
    X, Y = randn(MersenneTwister(1), 2, 50), randn(MersenneTwister(2), 1, 50)
    make(T) = NetObjective(Net(layers = ((3, tanh, true), (1, identity, true)), input = X, target = Y, precision = T))
    x = randn(MersenneTwister(3), 13)
    single, double = MLPFlow.picture(make(Float32), x), MLPFlow.picture(make(Float64), x)
    @test all(abs.(single.g .- double.g) .<= single.rounding.gradient .+ 4 * eps(Float32) * maximum(abs, double.g))   # the data are rounded too
    @test maximum(single.rounding.gradient) > 1e7 * maximum(double.rounding.gradient)
end

@testset "objectives of which nothing is known, and frozen parameters" begin
    rosenbrock = TestProblems.rosenbrock()
    for x in ([1.0, 1.0], [-1.2, 1.0], [0.3, -7.1])
        p = MLPFlow.picture(rosenbrock, x)
        b = big.(x)
        exact = [-400 * b[1] * (b[2] - b[1]^2) - 2 * (1 - b[1]), 200 * (b[2] - b[1]^2)]
        @test all(abs.(p.g .- exact) .<= p.rounding.gradient)
    end
    net = Net(layers = ((3, tanh, true), (1, identity, true)), input = randn(MersenneTwister(1), 2, 50),
              target = randn(MersenneTwister(2), 1, 50))
    x = randn(MersenneTwister(3), 13)
    free = [1, 4, 5, 9, 13]
    o = NetObjective(net)
    whole, part = MLPFlow.picture(o, x), MLPFlow.picture(MLPFlow.RestrictedObjective(o, x, free), x[free])
    @test part.g == whole.g[free]
    @test all(0.1 .< part.rounding.gradient ./ whole.rounding.gradient[free] .< 10)
end
