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

# `atan` of BigFloat takes two arguments.
angle_of(y, x) = y isa BigFloat ? atan(y, x) : MLPFlow.angle_of(y, x)
root(x) = x isa BigFloat ? sqrt(x) : MLPFlow.root(x)
sine(x) = x isa BigFloat ? sin(x) : MLPFlow.sin_and_cos(x)[1]
cosine(x) = x isa BigFloat ? cos(x) : MLPFlow.sin_and_cos(x)[2]

@testset "roots, sines and angles" begin
    rng = MersenneTwister(6)
    positive() = (m = random_size(rng, -30, 30); Ball(DoubleDouble(m), rand(rng, (0.0, 1.1 * m * rand(rng)))))
    point(scale) = Ball(DoubleDouble(scale * randn(rng)) + 1e-17 * randn(rng))
    near_right() = Ball(DoubleDouble(random_size(rng, -20, 20)) + 1e-17 * rand(rng), random_size(rng, -40, -20))
    setprecision(BigFloat, 600) do
        @test count_outside(root, rng, 2000, positive) == 0
        @test count_outside(sine, rng, 1000, () -> point(10.0)) == 0 && count_outside(cosine, rng, 1000, () -> point(10.0)) == 0
        @test count_outside(angle_of, rng, 2000, () -> point(1.0), () -> point(1.0)) == 0
        @test count_outside(angle_of, rng, 2000, () -> random_ball(rng), near_right) == 0
        wide(m) = Ball(DoubleDouble(m), 0.2 * rand(rng))
        @test count_outside(angle_of, rng, 2000, () -> wide(randn(rng)), () -> wide(0.3 + rand(rng))) == 0
    end
    x, y = Ball(DoubleDouble(1 // 3)), Ball(DoubleDouble(2 // 7))
    @test MLPFlow.root(x).rad < 1e-31 && MLPFlow.angle_of(y, x).rad < 1e-30
    @test !isfinite(MLPFlow.angle_of(Ball(DoubleDouble(0.1), 0.2), Ball(DoubleDouble(0.1), 0.2)).rad)
    @test !isfinite(MLPFlow.root(Ball(DoubleDouble(0.1), 0.2)).rad) && isnan(MLPFlow.root(DoubleDouble(-1.0)).hi)
    @test MLPFlow.angle_of(DoubleDouble(1.0), DoubleDouble(0.0)) == DoubleDouble(big(pi) / 2)
end
