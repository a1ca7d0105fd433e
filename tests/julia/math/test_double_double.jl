# Double-double numbers against BigFloat: every operation within its proved bound, functions to about 31 digits.
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

const UU = 2.0^-106

# Random numbers with random low parts, over `spread` binary orders of magnitude.
function random_double(rng, spread = 30)
    h = randn(rng) * exp2(rand(rng, -spread:spread))
    return DoubleDouble(MLPFlow.fast_two_sum(h, h * eps() * (rand(rng) - 0.5))...)
end

"""The largest relative error of `f` in units of 2^-106, over `n` draws of arguments."""
function worst_relative(f, exact, draw, n)
    worst = 0.0
    for _ in 1:n
        arguments = draw()
        y, Y = f(arguments...), exact(map(BigFloat, arguments)...)
        error = iszero(Y) ? abs(BigFloat(y)) : abs(BigFloat(y) - Y) / abs(Y)
        worst = max(worst, Float64(error / UU))
    end
    return worst
end

@testset "arithmetic within the bounds of Joldes, Muller and Popescu" begin
    rng = MersenneTwister(1)
    pair(spread) = () -> (random_double(rng, spread), random_double(rng, spread))
    near() = (x = random_double(rng); (x, -x * (1 + 10.0^-rand(rng, 1:30) * randn(rng))))
    setprecision(BigFloat, 2400) do
        for spread in (2, 300)
            @test worst_relative(+, +, pair(spread), 5000) <= 3.01
            @test worst_relative(-, -, pair(spread), 5000) <= 3.01
            @test worst_relative(*, *, pair(spread), 5000) <= 4.01
            @test worst_relative(/, /, pair(spread), 5000) <= 15.01
        end
        @test worst_relative(+, +, near, 5000) <= 3.01
        @test worst_relative(+, +, () -> (random_double(rng), randn(rng)), 5000) <= 2.01
        @test worst_relative(*, *, () -> (random_double(rng), randn(rng)), 5000) <= 2.01
        @test worst_relative(/, /, () -> (random_double(rng), randn(rng)), 5000) <= 3.01
        @test worst_relative(sqrt, sqrt, () -> (abs(random_double(rng, 300)),), 5000) <= 3.13
        @test worst_relative(x -> x^3, x -> x^3, () -> (random_double(rng),), 1000) <= 9
    end
end

@testset "elementary functions" begin
    rng = MersenneTwister(2)
    small(digits) = () -> (DoubleDouble(randn(rng) * 10.0^-rand(rng, 0:digits)),)
    setprecision(BigFloat, 600) do
        for (f, exact, draw, bound) in (
            (exp, exp, () -> (DoubleDouble(1300 * (rand(rng) - 0.5)),), 8), (exp, exp, small(20), 8),
            (expm1, expm1, small(250), 10), (expm1, expm1, () -> (random_double(rng, 5),), 10),
            (log, log, () -> (abs(random_double(rng, 300)),), 10),
            (log1p, log1p, () -> (DoubleDouble((1.9 * rand(rng) - 0.9) * 10.0^-rand(rng, 0:20)),), 20),
            (log, log, () -> (1 + DoubleDouble(randn(rng) * 10.0^-rand(rng, 1:25)),), 20),
            (tanh, tanh, small(30), 12), (MLPFlow.erf, Reference.bigerf, small(10), 16),
            (MLPFlow.erfc, Reference.bigerfc, () -> (DoubleDouble(8 * rand(rng) - 4),), 200))
            worst = worst_relative(f, exact, draw, 2000)
            worst <= bound || @error "$f is off by $worst times 2^-106, allowed are $bound"
            @test worst <= bound
        end
        for x in (randn(rng, 500) .* 100), (f, y) in ((sin, sin(DoubleDouble(x))), (cos, cos(DoubleDouble(x))))
            @test abs(BigFloat(y) - f(big(x))) <= 1e-31
        end
    end
end

@testset "comparisons, conversions, limits" begin
    x = DoubleDouble(1.0, 1e-20)
    @test x > 1 && !(x < 1) && x != 1 && x == x && -x < 0 && abs(-x) == x && isless(1.0, x)
    @test Float64(x) === 1.0 && BigFloat(x) == big(1.0) + big(1e-20)
    @test abs(BigFloat(DoubleDouble(1 // 3) * 3 - 1)) < 1e-31 && abs(BigFloat(DoubleDouble(pi)) - pi) < 1e-32
    @test BigFloat(DoubleDouble(2^62 + 1)) == big(2)^62 + 1 && DoubleDouble(3) + 1 // 2 == 3.5
    @test x + big(1) isa BigFloat && x + 1 isa DoubleDouble && 2x isa DoubleDouble && sum([x, x]) == 2x
    @test exp(DoubleDouble(-1000.0)) == 0 && exp(DoubleDouble(1000.0)).hi == Inf && isnan(exp(DoubleDouble(NaN)))
    @test log(DoubleDouble(0.0)).hi == -Inf && tanh(DoubleDouble(-900.0)) == -1
    @test MLPFlow.erf(DoubleDouble(50.0)) == 1 && MLPFlow.erfc(DoubleDouble(-50.0)) == 2
    @test sprint(show, DoubleDouble(big"0.1")) == "DoubleDouble(1.0000000000000000000000000000000e-1)"
    @test MLPFlow.decimal(big"999.96", 4) == "1.000e3" && MLPFlow.decimal(big"-0.00123456", 3) == "-1.23e-3"
    @test MLPFlow.decimal(big"0.0", 5) == "0" && MLPFlow.decimal(big"5e-324", 1) == "5e-324"
end
