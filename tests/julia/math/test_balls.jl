# A ball holds every exact result: random balls of all sizes, random numbers in them, BigFloat as judge.
using Random
using MLPFlow: Ball
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

random_size(rng, low, high) = 10.0^(low + (high - low) * rand(rng))

function random_ball(rng, low = -3, high = 3)
    h = randn(rng) * random_size(rng, low, high)
    mid = DoubleDouble(MLPFlow.fast_two_sum(h, h * eps() * (rand(rng) - 0.5))...)
    return Ball(mid, rand(rng, Bool) ? 0.0 : abs(h) * random_size(rng, -35, 1))
end

# A number of the ball, often one of its ends.
number_in(rng, b::Ball) = BigFloat(b.mid) + BigFloat(b.rad) * rand(rng, (-1, 1, 2 * rand(rng) - 1, 0))

hasbounds(y::Ball) = isfinite(y.mid) && isfinite(y.mid.lo) && isfinite(y.rad)

"""How many of `n` results of `f` on numbers of random balls lie outside the ball that `f` makes of the balls."""
function count_outside(f, rng, n, draws...)
    outside = 0
    for _ in 1:n
        balls = map(draw -> draw(), draws)
        y = f(balls...)
        hasbounds(y) && !MLPFlow.isinside(f(map(b -> number_in(rng, b), balls)...), y) && (outside += 1)
    end
    return outside
end

@testset "arithmetic" begin
    rng = MersenneTwister(3)
    setprecision(BigFloat, 3000) do
        for (low, high) in ((-3, 3), (-300, 300), (-310, -290)), f in (+, -, *, /)
            ball() = random_ball(rng, low, high)
            @test count_outside(f, rng, 2000, ball, ball) == 0
        end
        for f in (x -> x + 0.1, x -> 0.3 - x, x -> x * -1e-200, x -> x / 7.0, x -> 7.0 / x)
            @test count_outside(f, rng, 1500, () -> random_ball(rng, -200, 3)) == 0
        end
    end
    @test !isfinite((Ball(1.0) / Ball(DoubleDouble(0.5), 0.6)).rad)
    @test MLPFlow.mignitude(Ball(DoubleDouble(-2.0), 0.5)) ≈ 1.5 && MLPFlow.magnitude(Ball(DoubleDouble(-2.0), 0.5)) ≈ 2.5
end

# Balls are sharp, too: what is added to the radius is of the size of a rounding error of double-double arithmetic.
@testset "sharpness" begin
    x = Ball(DoubleDouble(1 // 3))
    @test (x + x).rad < 1e-30 && (x * x).rad < 1e-30 && (x / x).rad < 1e-30
    @test MLPFlow.exp_and_expm1(x)[1].rad < 1e-29 && MLPFlow.log1p_wide(x).rad < 1e-29
    @test MLPFlow.normal_tail_density(x)[1].rad < 1e-29
end

exponential(x) = x isa BigFloat ? exp(x) : MLPFlow.exponential(x)
logarithm(x) = x isa BigFloat ? log(x) : MLPFlow.logarithm(x)

@testset "exp and log of wide balls" begin
    rng = MersenneTwister(4)
    wide_positive() = (m = random_size(rng, -3, 3); Ball(DoubleDouble(m), 0.9 * m * rand(rng)))
    setprecision(BigFloat, 400) do
        @test count_outside(exponential, rng, 2000, () -> Ball(DoubleDouble(50 * randn(rng)), random_size(rng, -40, 0))) == 0
        @test count_outside(logarithm, rng, 2000, wide_positive) == 0
    end
end
