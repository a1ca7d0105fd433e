# Every activation with its two derivatives against BigFloat, at ordinary and at extreme arguments.
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

const POLY = Poly(0.5, -0.25, 1 / 8, 1 / 16)
named_activation(name) = name == "poly" ? POLY : MLPFlow.activation(name)

# Relative to the size of f near x, since derivatives cross zero. The absolute part is what central differences can resolve
# where f is flat, and where results are subnormal; the tails of the Gaussian functions have their own tests.
close_to(a, b, scale, f) = abs(a - b) <= 2e-15 * (abs(b) + scale) + 1e-24 * abs(f) + 1e-300

@testset "$name and its derivatives" for name in sort(collect(keys(Reference.ACTIVATIONS)))
    f, exact = named_activation(name), Reference.ACTIVATIONS[name]
    rng = MersenneTwister(2)
    for x in vcat(3 .* randn(rng, 100), 20 .* randn(rng, 50), 1e-4 .* randn(rng, 20), 1e-12)
        name == "relu" && abs(x) < 1e-20 && continue
        v, d1, d2 = MLPFlow.derivatives(f, x)
        e, e1, e2 = Float64.(Reference.derivatives(exact, x))
        scale = abs(e) + abs(e1)
        ok = close_to(v, e, 0, 0) && close_to(d1, e1, abs(e1), e) && close_to(d2, e2, scale, e)
        ok || @error "$name at $x: value, derivatives $((v, d1, d2)), expected $((e, e1, e2))"
        @test ok
        @test isapprox(f(x), e; rtol = 4e-15, atol = 1e-300)
        @test MLPFlow.activation_value(f, x) ≈ v rtol = 1e-15
    end
end

@testset "$name stays a number far out" for name in setdiff(keys(Reference.ACTIVATIONS), ["exp"])
    for x in (1e9, -1e9, 1e3, -1e3, 1e100, -1e100)
        @test !any(isnan, MLPFlow.derivatives(named_activation(name), x))
    end
end

@testset "at zero" begin
    @test MLPFlow.derivatives(relu, 0.0) == (0.0, 0.0, 0.0)
    @test MLPFlow.derivatives(selu, 0.0)[2] ≈ 1.05070098 * 1.67326324
    @test isnan(MLPFlow.derivatives(relu, NaN)[1])
end

@testset "value and slope of $(MLPFlow.activation_name(f)), $T" for T in (Float64, Float32),
        f in (MLPFlow.BUILTIN_ACTIVATIONS..., POLY)
    for x in T.((-800, -3.1, -0.2, 0, 0.7, 5, 120))
        v, d1, d2 = MLPFlow.derivatives(f, x)
        @test (v, d1, d2) isa Tuple{T,T,T}
        @test isequal(MLPFlow.value_and_slope(f, x), (v, d1)) && isequal(MLPFlow.activation_value(f, x), v)
    end
end

@testset "the second derivative is evaluated only where it is asked for" begin
    f = UserActivation("picky", x -> x^2, x -> 2x, x -> error("not asked for"))
    @test MLPFlow.value_and_slope(f, 3.0) == (9.0, 6.0)
    @test MLPFlow.activation_value(f, 3.0) == 9.0
    @test_throws ErrorException MLPFlow.derivatives(f, 3.0)
end

swish(x) = x / (1 + exp(-x))
MLPFlow.deriv(::typeof(swish)) = x -> (s = 1 / (1 + exp(-x)); s + x * s * (1 - s))
MLPFlow.second_deriv(::typeof(swish)) = x -> (s = 1 / (1 + exp(-x)); s * (1 - s) * (2 + x * (1 - 2s)))

@testset "user-made activations" begin
    rng = MersenneTwister(3)
    X, Y = randn(rng, 2, 5), randn(rng, 1, 5)
    mine = UserActivation("mine", swish, MLPFlow.deriv(swish), MLPFlow.second_deriv(swish))
    nets = [Net(layers = ((3, f, true), (1, identity, true)), input = X, target = Y) for f in (silu, swish, mine)]
    p = random_params(rng, nets[1])
    for net in nets[2:3]
        @test loss(net, p) ≈ loss(nets[1], p) rtol = 1e-13
        @test gradient(net, p) ≈ gradient(nets[1], p) rtol = 1e-13
        @test hessian(net, p) ≈ hessian(nets[1], p) rtol = 1e-12
    end
    @test MLPFlow.deriv(tanh)(0.3) ≈ 1 - tanh(0.3)^2
    @test_throws ArgumentError Net(layers = ((3, sin, true), (1, identity, true)), input = X, target = Y)
    @test_throws ArgumentError MLPFlow.activation("tangent")
    @test_throws ArgumentError Poly()
end
