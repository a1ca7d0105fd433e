# Activations with three derivatives: points and balls hold the exact values.
using Random
using MLPFlow: Ball, jet, enclosed_derivatives, isinside
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

const SMOOTH = Dict{String,Any}(name => MLPFlow.activation(name) for name in
    ("identity", "sigmoid", "tanh", "softplus", "gelu", "silu", "square", "cube", "exp", "g", "sigmoid2", "normal_cdf"))
SMOOTH["poly"] = Poly(0.5, -0.25, 0.125, 0.0625)

# f, f', f'', f''' by central differences of order 2.
function four_values(f, x::BigFloat)
    h = big(10.0)^-40
    at = [f(x + k * h) for k in -2:2]
    return at[3], (at[4] - at[2]) / 2h, (at[4] - 2 * at[3] + at[2]) / h^2, (at[5] - 2 * at[4] + 2 * at[2] - at[1]) / 2h^3
end

const DIFFERENCES = 1e-70     # error of the differences: h^2 times fifth derivatives, and 308 digits less 120

everyday(rng) = vcat(randn(rng, 15), 5 .* randn(rng, 15),
                     [0.0, -0.0, 1.0, -1.0, 1e-12, -1e-30, 0.125, 8.0, -8.1, 36.0, -36.0, 40.0, -40.0])

@testset "points: $name" for name in sort(collect(keys(SMOOTH)))
    rng, f, exact = MersenneTwister(5), SMOOTH[name], Reference.ACTIVATIONS[name]
    setprecision(BigFloat, 1024) do
        for x in everyday(rng)
            balls, truth, doubles = jet(f, Ball(x)), four_values(exact, big(x)), jet(f, DoubleDouble(x))
            for k in 1:4
                size = max(1.0, MLPFlow.magnitude(balls[k]))
                @test isinside(truth[k], MLPFlow.widened(balls[k], DIFFERENCES * size))
                @test balls[k].rad <= 1e-28 * max(size, x^4)
                @test doubles[k] == balls[k].mid
            end
        end
    end
end

@testset "balls: $name" for name in sort(collect(keys(SMOOTH)))
    rng, f, exact = MersenneTwister(6), SMOOTH[name], Reference.ACTIVATIONS[name]
    setprecision(BigFloat, 1024) do
        for x in everyday(rng), digits in (0.0, 1.5, 4.0, 12.0)
            b = Ball(DoubleDouble(x), 10.0^-digits)
            y = enclosed_derivatives(f, b)
            @test all(v -> isfinite(v.rad), y)
            for side in (-1, 1, 2 * rand(rng) - 1)
                truth = four_values(exact, big(x) + BigFloat(b.rad) * side)
                @test all(k -> isinside(truth[k], MLPFlow.widened(y[k], DIFFERENCES * max(1.0, MLPFlow.magnitude(y[k])))), 1:3)
            end
        end
    end
end

@testset "bounds of fourth derivatives" begin
    setprecision(BigFloat, 1024) do
        h = big(10.0)^-30
        for (name, f) in SMOOTH, x in -4:0.25:4
            exact, b = Reference.ACTIVATIONS[name], big(x)
            fourth = sum(c * exact(b + k * h) for (c, k) in zip((1, -4, 6, -4, 1), -2:2)) / h^4
            @test abs(fourth) <= MLPFlow.fourth_derivative_bound(f, Ball(x)) * (1 + 1e-12) + 1e-20
        end
    end
end

@testset "not analytic: relu, selu and user-made activations" begin
    for x in (0.7, -0.7, 0.0)
        v = enclosed_derivatives(relu, Ball(DoubleDouble(x), 1e-3))
        @test isinside(big(max(x + 1e-3, 0)), v[1]) && isinside(big(max(x - 1e-3, 0)), v[1])
        @test isinside(big(x > 0 ? 1.0 : 0.0), v[2])
    end
    growth = big(1.05070098) * big(1.67326324)
    @test abs(BigFloat(jet(selu, DoubleDouble(-0.3))[1]) - growth * expm1(big(-0.3))) < 1e-30
    @test isinside(growth * expm1(big(-0.3) - 1e-3), enclosed_derivatives(selu, Ball(DoubleDouble(-0.3), 1.001e-3))[1])
    @test isinside(growth * expm1(big(-1e-4)), enclosed_derivatives(selu, Ball(DoubleDouble(0.0), 1e-3))[1])
    sine = UserActivation("sine", sin, cos, x -> -sin(x))
    @test abs(BigFloat(jet(sine, DoubleDouble(0.3))[3]) + sin(big(0.3))) < 1e-30
    @test_throws ArgumentError jet(UserActivation("atan", atan, x -> 1 / (1 + x^2), x -> -2x / (1 + x^2)^2), DoubleDouble(0.3))
    @test_throws ArgumentError jet(sine, Ball(0.3))
    @test MLPFlow.isanalytic(tanh) && !MLPFlow.isanalytic(relu) && !MLPFlow.isanalytic(sine)
end
