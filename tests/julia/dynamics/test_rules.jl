# Rules and schedules against their formulas, written plainly in BigFloat; the steps of PyTorch are compared with in Python.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

"The last of `steps` iterates of one parameter with gradient `slope(x)`."
function last_iterate(rule, slope, x0, steps)
    o = FunctionObjective(1; value = x -> 0.0, gradient! = (g, x) -> (g[1] = slope(x[1])))
    return descend(o, [x0], rule; maxiterations = steps).x[1]
end

@testset "gradient descent on a parabola" begin
    # x_k = (1 - rate lambda)^k x_0
    for (rate, lambda) in ((0.1, 1.0), (0.3, 5.0), (1e-3, -2.0))
        x = last_iterate(GradientDescent(learning_rate = rate), x -> lambda * x, 2.0, 40)
        @test x ≈ 2 * (1 - big(rate) * lambda)^40 rtol = 1e-13
    end
    @test last_iterate(GradientDescent(learning_rate = 0.1, weight_decay = 0.5), x -> x, 2.0, 40) ≈ 2 * (1 - big(0.1) * 1.5)^40 rtol = 1e-13
    @test last_iterate(Descent(eta = 0.2), x -> x, 1.0, 3) == last_iterate(GradientDescent(learning_rate = 0.2), x -> x, 1.0, 3)
end

@testset "momentum on a parabola" begin
    # (x_k, v_k) is the k-th power of a 2 x 2 matrix applied to (x_0, 0).
    rate, m, lambda = big(0.05), big(0.9), big(3.0)
    ball = [1-rate*lambda -rate*m; lambda m]
    @test last_iterate(HeavyBall(learning_rate = 0.05), x -> 3x, 2.0, 60) ≈ (ball^60*[2, 0])[1] rtol = 1e-12
    ahead = [1-rate*lambda*(1+m) -rate*m^2; lambda m]
    @test last_iterate(Nesterov(learning_rate = 0.05), x -> 3x, 2.0, 60) ≈ (ahead^60*[2, 0])[1] rtol = 1e-12
end

slope(x) = x + sin(3x)

# The published algorithms, line by line.
function published_adam(x, steps; rate, b1, b2, eps, coupled = 0, decoupled = 0, amsgrad = false)
    x, m, v, top = big(x), big(0), big(0), big(0)
    for k in 1:steps
        g = slope(x) + coupled * x
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g^2
        top = amsgrad ? max(top, v) : v
        x = x - rate * decoupled * x - rate * (m / (1 - b1^k)) / (sqrt(top / (1 - b2^k)) + eps)
    end
    return x
end

function published_rmsprop(x, steps; rate, a, eps, momentum = 0, centered = false)
    x, v, mean, speed = big(x), big(0), big(0), big(0)
    for _ in 1:steps
        g = slope(x)
        v = a * v + (1 - a) * g^2
        mean = a * mean + (1 - a) * g
        speed = momentum * speed + g / (sqrt(v - (centered ? mean^2 : 0)) + eps)
        x = x - rate * speed
    end
    return x
end

@testset "Adam, AdamW, RMSprop after their papers" begin
    same(a, b) = isapprox(a, b; rtol = 1e-12)
    usual = (rate = big(0.01), b1 = big(0.9), b2 = big(0.999), eps = big(1e-8))
    @test same(last_iterate(Adam(learning_rate = 0.01), slope, 2.0, 100), published_adam(2.0, 100; usual...))
    @test same(last_iterate(Adam(learning_rate = 0.01, weight_decay = 0.3), slope, 2.0, 100),
               published_adam(2.0, 100; usual..., coupled = big(0.3)))
    @test same(last_iterate(Adam(learning_rate = 0.05, beta1 = 0.3, beta2 = 0.6, epsilon = 0.01, amsgrad = true), slope, 2.0, 30),
               published_adam(2.0, 30; rate = big(0.05), b1 = big(0.3), b2 = big(0.6), eps = big(0.01), amsgrad = true))
    @test same(last_iterate(AdamW(learning_rate = 0.01, weight_decay = 0.3), slope, 2.0, 100),
               published_adam(2.0, 100; usual..., decoupled = big(0.3)))
    @test same(last_iterate(RMSprop(learning_rate = 0.001), slope, 2.0, 100),
               published_rmsprop(2.0, 100; rate = big(0.001), a = big(0.99), eps = big(1e-8)))
    @test same(last_iterate(RMSprop(learning_rate = 0.001, alpha = 0.8, epsilon = 0.1, momentum = 0.7, centered = true), slope, 2.0, 100),
               published_rmsprop(2.0, 100; rate = big(0.001), a = big(0.8), eps = big(0.1), momentum = big(0.7), centered = true))
end

"Monitor that notes the learning rates."
struct Rates <: MLPFlow.AbstractMonitor
    rates::Vector{Float64}
end

MLPFlow.signal(m::Rates, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64, stepsize::Float64,
               x::Vector{Float64}) = (push!(m.rates, stepsize); :continue)

@testset "schedules" begin
    factors(schedule, ks) = [MLPFlow.rate_factor(schedule, k) for k in ks]
    @test factors(Constant(), 0:3) == ones(4)
    @test factors(Cosine(4), 0:5) ≈ [1, (1 + sqrt(0.5)) / 2, 0.5, (1 - sqrt(0.5)) / 2, 0, 0] atol = 1e-15
    @test factors(Cosine(4), 4:5) == [0, 0]
    @test factors(Cosine(2; final = 0.2), 0:3) ≈ [1, 0.6, 0.2, 0.2]
    @test factors(StepDecay(2; factor = 0.5), 0:5) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    @test factors(WarmUp(4; start = 0.2), 0:5) ≈ [0.2, 0.4, 0.6, 0.8, 1, 1]
    @test factors(WarmUp(2; start = 0.5, after = StepDecay(1)), 0:4) ≈ [0.5, 0.75, 1, 0.1, 0.01]
    @test factors(WarmUp(1; after = WarmUp(2; after = Cosine(3))), 3:6) == factors(Cosine(3), 0:3)
    watcher = Rates([])
    rule = GradientDescent(learning_rate = 0.5, schedule = StepDecay(2; factor = 0.5))
    descend(TestProblems.separable(1), [0.1], rule; maxiterations = 5, monitor = watcher)
    @test watcher.rates == [0.5, 0.5, 0.25, 0.25, 0.125]
end

@testset "bad options" for bad in (
        () -> GradientDescent(learning_rate = 0), () -> GradientDescent(learning_rate = Inf), () -> GradientDescent(learning_rate = NaN),
        () -> GradientDescent(learning_rate = 0.1, weight_decay = -1), () -> GradientDescent(learning_rate = 0.1, schedule = 3),
        () -> HeavyBall(learning_rate = 0.1, momentum = 1), () -> HeavyBall(learning_rate = 0.1, dampening = 2),
        () -> Nesterov(learning_rate = 0.1, momentum = -0.1), () -> Adam(beta1 = 1.0), () -> Adam(beta2 = -1), () -> Adam(epsilon = -1),
        () -> AdamW(learning_rate = -1), () -> RMSprop(alpha = 1), () -> RMSprop(momentum = NaN), () -> Cosine(0),
        () -> Cosine(3; final = 2), () -> StepDecay(0), () -> StepDecay(3; factor = 0), () -> WarmUp(0), () -> WarmUp(3; start = 0))
    @test_throws ArgumentError bad()
end

@testset "a rule needs its learning rate" begin
    @test_throws UndefKeywordError GradientDescent()
    @test_throws ArgumentError MLPFlow.named_rule(:Nesterov)
    @test MLPFlow.named_rule(:Adam) == Adam()
end
