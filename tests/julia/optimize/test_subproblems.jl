# The steps of the methods against small dense solutions: conjugate gradients, Krylov spaces, damping, dogleg.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

quadratic_model(g, H, s) = dot(g, s) + dot(s, H * s) / 2

# The global minimiser in a ball, by bisection on the multiplier in the eigenbasis in BigFloat (no hard case).
function ball_minimum(g, H, radius)
    values, Q = eigen(Symmetric(H))
    slopes, lambda = big.(Q' * g), big.(values)
    step(mu) = -slopes ./ (lambda .+ mu)
    lambda[1] > 0 && norm(step(0)) <= radius && return Float64.(Q * step(0))
    low, high = max(-lambda[1], big(0)), norm(slopes) / radius + abs(lambda[1])
    for _ in 1:200
        middle = (low + high) / 2
        norm(step(middle)) > radius ? (low = middle) : (high = middle)
    end
    return Float64.(Q * step(high))
end

function random_model(rng, trial)
    n = rand(rng, 2:12)
    spectrum = abs.(randn(rng, n)) .* 10.0 .^ rand(rng, -2:2, n)
    trial % 3 == 0 && (spectrum[1] *= -1)
    return randn(rng, n), TestProblems.symmetric(rng, spectrum)
end

@testset "conjugate gradients of Steihaug and Toint" begin
    rng = MersenneTwister(11)
    for trial in 1:200
        g, H = random_model(rng, trial)
        n, radius = length(g), 10.0^rand(rng, -2:3)
        cg = MLPFlow.Steihaug(n)
        product!(out, v) = mul!(out, H, v)
        length_ = MLPFlow.steihaug!(cg, product!, g, radius, 0.0, 20n)
        @test length_ ≈ norm(cg.s) && length_ <= radius * (1 + 1e-10)
        @test cg.predicted ≈ -quadratic_model(g, H, cg.s) rtol = 1e-8
        # At least what the minimiser along the gradient gains (Cauchy's point), at most what is there.
        bent = dot(g, H * g)
        t = bent > 0 ? min(dot(g, g) / bent, radius / norm(g)) : radius / norm(g)
        @test cg.predicted >= -quadratic_model(g, H, -t .* g) * (1 - 1e-10)
        @test cg.predicted <= -quadratic_model(g, H, ball_minimum(g, H, radius)) * (1 + 1e-6)
        # Steihaug (1983): at least half of that when the model is convex (Yuan 2000).
        isposdef(H) && @test cg.predicted >= -0.5 * quadratic_model(g, H, ball_minimum(g, H, radius))
        newton = -(H \ g)
        isposdef(H) && norm(newton) < 0.9 * radius && @test cg.s ≈ newton rtol = 1e-6
        cg.negative && @test dot(cg.d, H * cg.d) < 0 && !cg.interior
    end
end

krylov!(n, g, H, radius, tolerance, most) = begin
    model, products = MLPFlow.SpectralModel(n, false), Ref(0)
    product!(out, v) = (products[] += 1; mul!(out, H, v))
    how = MLPFlow.krylov_model!(model, MLPFlow.Lanczos(n), product!, g, 1.0, radius, tolerance, most)
    model, how, products[]
end

@testset "the Krylov space holds the minimiser in the ball" begin
    rng = MersenneTwister(12)
    for trial in 1:200
        g, H = random_model(rng, trial)
        n, radius = length(g), 10.0^rand(rng, -2:3)
        model, how, products = krylov!(n, g, H, radius, 0.0, n)
        @test how === :accurate && products <= n
        @test model.Q' * model.Q ≈ I atol = 1e-12
        for r in (radius, radius / 4, radius / 64)        # one space for every smaller ball
            MLPFlow.trust_region_step!(model, r)
            s, best = model.Q * model.shat, ball_minimum(g, H, r)
            @test norm(s) <= r * (1 + 1e-8)
            @test quadratic_model(g, H, s) ≈ quadratic_model(g, H, best) rtol = 1e-6
        end
        # Stopped earlier, what is left of the gradient is what was asked for.
        model, how, products = krylov!(n, g, H, 1e8, 1e-3 * norm(g), n)
        length_ = MLPFlow.trust_region_step!(model, 1e8)
        s = model.Q * model.shat
        @test how === :accurate
        isposdef(H) && @test length_ < 1e8 && norm(g + H * s) <= 1e-3 * norm(g) * (1 + 1e-6) + 1e-10 * opnorm(H) * norm(s)
    end
    # A condition of 1e12, where the recurrences would need far more steps than there are parameters.
    H = TestProblems.symmetric(rng, 10.0 .^ range(-12, 0; length = 60))
    g = randn(rng, 60)
    model, how, products = krylov!(60, g, H, 1e20, 1e-8 * norm(g), 60)
    MLPFlow.trust_region_step!(model, 1e20)
    @test how === :accurate && products <= 60 && norm(g + H * (model.Q * model.shat)) <= 1e-3 * norm(g)
    # An invariant space ends the process; a full one says so.
    @test krylov!(3, [1.0, 0, 0], Matrix(Diagonal([2.0, 3, 4])), 10.0, 0.0, 3)[2:3] == (:accurate, 1)
    @test krylov!(3, ones(3), Matrix(Diagonal([2.0, 3, 4])), 10.0, 0.0, 2)[2:3] == (:exhausted, 2)
    @test krylov!(1, [1.0], fill(NaN, 1, 1), 1.0, 0.0, 1)[2] === :nonfinite
end

@testset "more directions than a basis holds: the recurrences go on" begin
    # Quartic and badly conditioned in 400 parameters, by products alone.
    n = 400
    weights = 10.0 .^ range(0, 6; length = n)
    bowl = FunctionObjective(n; value = x -> sum(weights .* x .^ 2) + sum(abs2, x .^ 2),
                             gradient! = (g, x) -> (g .= 2 .* weights .* x .+ 4 .* x .^ 3),
                             hvp! = (out, x, v) -> (out .= (2 .* weights .+ 12 .* x .^ 2) .* v))
    @test n > MLPFlow.largest_basis(n) == MLPFlow.LARGEST_BASIS
    method = MLPFlow.NewtonCG(n, false)
    options = MLPFlow.OptimOptions(solver = :newton_cg, min_gnorm = 1e-12, minloss = -Inf, maxtime = Inf, maxiterations = 100,
                                   maxevaluations = 10^6, patience = 100)
    run = MLPFlow.OptimRun(bowl, randn(MersenneTwister(3), n), options, NoMonitor(), time())
    r = MLPFlow.minimize!(run, method)
    @test r.converged && method.recurrences
    @test norm(r.x, Inf) <= 1e-12
    # Never more products than the budget allows, in either way of making a step.
    for budget in (2, 3, 50, 299, 302, 400, 1500, 4000)
        r = optimize(bowl, ones(n); solver = :newton_cg, maxevaluations = budget, minloss = -Inf)
        @test r.gradient_evaluations + r.product_evaluations <= budget
    end
    # Memory for as many directions as 128 MB hold.
    @test MLPFlow.largest_basis(10^5) == 167 && MLPFlow.largest_basis(10^7) == 20 && MLPFlow.largest_basis(5) == 5
end

# A linear least-squares problem, as an objective.
linear_squares(A, b) = ResidualObjective(size(A, 2), size(A, 1); residuals! = (r, x) -> (mul!(r, A, x); r .-= b), jacobian! = (J, x) -> (J .= A))

function run_at(o, x)
    options = MLPFlow.OptimOptions(solver = :auto, min_gnorm = 0, minloss = -Inf, maxtime = Inf, maxiterations = 10, maxevaluations = 10^6, patience = 10)
    run = MLPFlow.OptimRun(o, x, options, NoMonitor(), time())
    MLPFlow.evaluate_start!(run)
    return run
end

# Both forms of the model of the same problem.
function both_models(A, b, x; D = ones(length(x)))
    run = run_at(linear_squares(A, b), x)
    models = (MLPFlow.NormalModel(length(x)), MLPFlow.FactoredModel(size(A)...))
    for model in models
        @test MLPFlow.refresh!(model, run)
        copyto!(model.D, D)
    end
    return models, run
end

@testset "damped steps, $m residuals of $n parameters" for (m, n) in ((7, 4), (4, 4), (3, 5), (1, 3), (30, 1))
    rng = MersenneTwister(10m + n)
    A, b, x, D = randn(rng, m, n), randn(rng, m), randn(rng, n), 0.5 .+ rand(rng, n)
    models, run = both_models(A, b, x; D = D)
    g, G = 2 .* A' * (A * x - b), 2 .* A' * A
    for model in models, mu in (1e-3, 1.0, 1e4)
        s, v = zeros(n), randn(rng, n)
        @test MLPFlow.factorize!(model, mu)
        @test MLPFlow.newton_step!(s, model) ≈ -(G + mu * Diagonal(D .^ 2)) \ g rtol = 1e-9
        @test MLPFlow.solve!(zeros(n), model, v) ≈ -(G + mu * Diagonal(D .^ 2)) \ v rtol = 1e-9
        @test MLPFlow.curvature(model, v) ≈ dot(v, G * v) rtol = 1e-12
        @test MLPFlow.expected_gradient!(zeros(n), model, v) ≈ g + G * v rtol = 1e-12
        @test MLPFlow.predicted_reduction(model, s) ≈ sum(abs2, A * x - b) - sum(abs2, A * (x + s) - b) rtol = 1e-8
        @test MLPFlow.scaled_norm(model, s) ≈ norm(D .* s)
        @test model.diagonal ≈ [G[j, j] for j in 1:n]
    end
end

@testset "a Jacobian without full rank" begin
    rng = MersenneTwister(6)
    A = randn(rng, 8, 2) * randn(rng, 2, 5)             # rank 2
    b = randn(rng, 8)
    models, _ = both_models(A, b, zeros(5))
    for model in models
        @test !MLPFlow.factorize!(model, 0.0)           # seen as singular
        mu = MLPFlow.factorize_safely!(model, 0.0)
        @test 0 < mu < 1e-8 * MLPFlow.largest_ratio(model)
    end
    least = sum(abs2, b - A * (pinv(A) * b))
    for solver in (:levenberg_marquardt, LevenbergMarquardt(damping = :radius), LevenbergMarquardt(geodesic = false, scaling = :more), :gauss_newton)
        for scale in (1.0, 1e8)
            r = optimize(linear_squares(scale .* A, scale .* b), randn(rng, 5); solver = solver, min_gnorm = 1e-9 * scale^2)
            @test r.loss ≈ scale^2 * least rtol = 1e-12
            @test r.converged
        end
    end
    # A column of zeros: a parameter that does nothing stays where it is.
    r = optimize(linear_squares([A[:, 1:2] zeros(8)], b), [1.0, 2.0, 3.0]; solver = :levenberg_marquardt, min_gnorm = 1e-10)
    @test r.converged && r.x[3] == 3
end

@testset "the damping of a trust region has the step on its boundary" begin
    rng = MersenneTwister(7)
    for trial in 1:100
        m, n = rand(rng, 3:12), rand(rng, 2:6)
        A, b, x, D = randn(rng, m, n), randn(rng, m), randn(rng, n), 0.5 .+ rand(rng, n)
        models, run = both_models(A, b, x; D = D)
        radius = 10.0^rand(rng, -3:1)
        for model in models
            rule = MLPFlow.RadiusDamping(n)
            rule.region.radius = radius
            s = zeros(n)
            @test MLPFlow.propose!(s, rule, model, run)
            length_ = norm(D .* s)
            @test length_ <= 1.1 * radius
            # With fewer residuals than parameters the longest step, that of least norm, may be shorter than the radius.
            rule.mu > 0 && (m >= n || norm(D .* (pinv(A ./ D') * (A * x - b) ./ D)) > radius) && @test length_ >= 0.9 * radius
            # (G + mu D^2) s = -g: the minimiser in the ball that it reaches.
            rule.mu > 0 && @test (2 .* A'A + rule.mu * Diagonal(D .^ 2)) * s ≈ -run.g rtol = 1e-8
        end
    end
end

@testset "Nielsen's damping" begin
    A, b = [1.0 0; 0 2; 1 1], [1.0, 2, 3]
    models, run = both_models(A, b, zeros(2))
    rule = MLPFlow.NielsenDamping()
    MLPFlow.start!(rule, models[1])
    @test rule.mu ≈ 1e-3 * 10
    factors = Float64[]
    for ratio in (1.0, 0.75, 0.5, 0.25, 0.0, NaN, -1.0, 1.0)
        before = rule.mu
        MLPFlow.update!(rule, models[1], zeros(2), ratio)
        push!(factors, rule.mu / before)
    end
    @test factors ≈ [1 / 3, 1 - 0.125, 1, 1 + 0.125, 2, 4, 8, 1 / 3]
end

@testset "the dogleg" begin
    rng = MersenneTwister(8)
    seen = Set{Symbol}()
    for trial in 1:200
        m, n = rand(rng, 6:12), rand(rng, 2:6)
        A, b, x, D = randn(rng, m, n), randn(rng, m), randn(rng, n), 0.5 .+ rand(rng, n)
        models, run = both_models(A, b, x; D = D)
        g, G, radius = 2 .* A' * (A * x - b), 2 .* A'A, 10.0^(4 * rand(rng) - 3)
        newton, slope = -G \ g, g ./ D .^ 2
        cauchy = -dot(g, slope) / dot(slope, G * slope) .* slope
        for model in models
            rule = MLPFlow.Dogleg(n)
            rule.region.radius = radius
            s = zeros(n)
            @test MLPFlow.propose!(s, rule, model, run)
            @test rule.newton ≈ newton rtol = 1e-6
            @test rule.cauchy ≈ cauchy rtol = 1e-9
            if norm(D .* newton) <= radius
                push!(seen, :newton)
                @test s ≈ newton rtol = 1e-6
            elseif norm(D .* cauchy) >= radius
                push!(seen, :cauchy)
                @test s ≈ cauchy .* (radius / norm(D .* cauchy)) rtol = 1e-9
            else
                push!(seen, :between)
                @test norm(D .* s) ≈ radius rtol = 1e-8
                leg = newton - cauchy                   # s lies on the second leg
                t = dot(s - cauchy, leg) / dot(leg, leg)
                @test 0 <= t <= 1
                @test s ≈ cauchy + t .* leg rtol = 1e-6
            end
        end
    end
    @test seen == Set([:newton, :cauchy, :between])
end

@testset "allocation: the models' steps" begin
    A, b = randn(MersenneTwister(1), 40, 12), ones(40)
    models, run = both_models(A, b, zeros(12))
    normal, s = models[1], zeros(12)
    work() = (MLPFlow.factorize!(normal, 1e-2); MLPFlow.newton_step!(s, normal); MLPFlow.curvature(normal, s))
    cg, H, g = MLPFlow.Steihaug(12), A'A, copy(run.g)
    product!(out, v) = mul!(out, H, v)
    solve() = MLPFlow.steihaug!(cg, product!, g, 10.0, 1e-10, 50)
    bytes(f) = (f(); @allocated f())
    bytes(work)
    bytes(solve)
    # The wrapper of LAPACK's potrf! keeps its return code in a Ref.
    @test bytes(work) <= 64
    @test bytes(solve) <= 64
end
