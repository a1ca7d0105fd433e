# Newton and BFGS on problems with known minima, saddles, singular Hessians and minima at infinity.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

const METHODS = (:newton, :newton_cg, :bfgs, :lbfgs)

# Ends only where rounding does: the best that Float64 allows.
to_the_end(o, x0; kwargs...) = optimize(o, x0; min_gnorm = 0.0, minloss = -Inf, maxiterations = 10^4, kwargs...)

@testset "$solver, Rosenbrock from $factor times the standard start" for solver in METHODS, factor in (1, 10, 100)
    r = to_the_end(TestProblems.rosenbrock(), factor .* [-1.2, 1.0]; solver = solver)
    @test r.x ≈ [1, 1] rtol = 1e-12
    @test r.gnorm < 1e-12 && r.loss < 1e-24
    @test r.status in (:stalled, :gradient_tolerance)
    @test r.iterations < 300
end

@testset "$solver, quadratic with condition $condition" for solver in METHODS, condition in (1, 1e4, 1e8)
    rng = MersenneTwister(1)
    A = TestProblems.symmetric(rng, condition .^ range(0, 1; length = 20))
    r = to_the_end(TestProblems.quadratic(A), randn(rng, 20); solver = solver)
    @test r.gnorm < 1e-12
    solver === :newton && @test r.hessian_evaluations <= 12
end

@testset "$solver, Powell's singular function" for solver in METHODS
    r = optimize(TestProblems.powell(), [3.0, -1, 0, 1]; solver = solver)
    @test r.status === :gradient_tolerance && r.converged && r.gnorm <= 1e-15
    # At a singular minimum convergence is linear; it must not stop early. How far a quasi-Newton method gets before its
    # matrix degenerates depends on the rounding of the BLAS kernel: 1e-18 to below 1e-20 on the four tried.
    floor = solver === :newton ? 1e-20 : 1e-16
    @test to_the_end(TestProblems.powell(), [3.0, -1, 0, 1]; solver = solver).gnorm < floor
end

@testset "Newton uses negative curvature where the gradient does not" begin
    # Hard case: the gradient is exactly orthogonal to the direction that leads down.
    for n in (2, 5), start in (1.0, 1e-3, 30.0)
        r = optimize(TestProblems.saddle(n), [fill(start, n - 1); 0.0]; solver = :newton)
        @test abs(r.x[n]) ≈ 1 rtol = 1e-12
        @test r.loss < 1e-24 && r.converged
    end
    # Nearly hard: a component of the gradient of 1e-20 decides the side.
    r = optimize(TestProblems.saddle(3), [1.0, 1.0, -1e-20]; solver = :newton)
    @test r.x ≈ [0, 0, -1] atol = 1e-12
    # A start that is a critical point is returned as one.
    r = optimize(TestProblems.saddle(3), zeros(3); solver = :newton)
    @test r.status === :gradient_tolerance && r.iterations == 0 && r.loss == 1
end

@testset "the trust-region step is the minimiser of the model in the ball" begin
    rng = MersenneTwister(4)
    for trial in 1:300
        n = rand(rng, 1:8)
        spectrum = randn(rng, n) .* 10.0 .^ rand(rng, -3:3, n)
        trial % 3 == 0 && (spectrum[1:min(2, n)] .= -abs(spectrum[1]))      # double smallest eigenvalue
        trial % 5 == 0 && (spectrum .= abs.(spectrum))
        H = TestProblems.symmetric(rng, spectrum)
        g = randn(rng, n)
        values, Q = eigen(Symmetric(H))
        if trial % 2 == 0                                                   # hard case
            low = Q[:, values .< values[1] + 1e-9]
            g -= low * (low' * g)
        end
        model = MLPFlow.SpectralModel(n)
        model.H .= H
        @test MLPFlow.decompose!(model, g, 1.0)
        radius = 10.0^rand(rng, -3:3)
        length = MLPFlow.trust_region_step!(model, radius)
        s = model.Q * model.shat
        @test length <= radius * (1 + 1e-8)
        @test norm(s) ≈ length rtol = 1e-8
        m(s) = dot(g, s) + dot(s, H * s) / 2
        @test MLPFlow.predicted_reduction(model) ≈ -m(s) rtol = 1e-6 atol = 1e-12 * radius * norm(g)
        # Optimality (More and Sorensen 1983): (H + mu I) s = -g, H + mu I positive semidefinite, mu (radius - |s|) = 0.
        mu = model.shift
        size = norm(g) + opnorm(H) * radius
        @test norm((H + mu * I) * s + g) < 1e-7 * size
        @test mu >= 0 && values[1] + mu >= -1e-9 * opnorm(H)
        @test mu * (radius - norm(s)) <= 1e-7 * size * radius
    end
end

@testset "$solver at manifolds of minima, seed $seed" for solver in METHODS, seed in 1:6
    # More neurons than the teacher: the zero-loss solutions are not isolated, the Hessian is singular there.
    o, x0 = TestProblems.teacher_student(MersenneTwister(seed); teacher = 1, student = 3, N = 30)
    r = optimize(o, x0; solver = solver, maxiterations = solver === :newton ? 2000 : 20000)
    H = zeros(9, 9)
    MLPFlow.hessian!(H, o, r.x)
    @test r.gnorm < (solver === :newton ? 1e-12 : 1e-8)
    @test eigvals(Symmetric(H))[1] > -1e-6 * opnorm(H)
    @test r.status in (:gradient_tolerance, :loss_tolerance, :stalled, :maxiterations)
    @test r.converged == (r.status in (:gradient_tolerance, :loss_tolerance))
end

@testset "Newton converges quadratically onto a manifold of minima" begin
    # (x^2 + y^2 - 1)^2: a circle of minima.
    circle = FunctionObjective(2; value = x -> (x[1]^2 + x[2]^2 - 1)^2, gradient! = (g, x) -> (g .= 4 * (x[1]^2 + x[2]^2 - 1) .* x),
        hessian! = (H, x) -> (H .= 4 * (x[1]^2 + x[2]^2 - 1) * Matrix(I, 2, 2) .+ 8 .* x .* x'))
    for start in ([1.3, 0.4], [0.2, -0.9], [1e-3, 1e-3], [50.0, 20.0])
        r = to_the_end(circle, start; solver = :newton)
        @test r.gnorm < 1e-15
        # Along the null space it stays where it is: the point found is close to the start's projection.
        norm(start) > 0.5 && norm(start) < 2 && @test dot(r.x, start) / norm(start) > 0.9
        # From 1e-2 to 1e-14 in a few steps; a linear rate would need dozens.
        @test count(g -> 1e-14 < g < 1e-2, r.gnorm_curve) <= 4
    end
end

@testset "$solver when the minimum is at infinity" for solver in METHODS, offset in (0.0, 0.3)
    r = optimize(TestProblems.runaway(offset), [1.0]; solver = solver)
    @test r.status === :gradient_tolerance && r.gnorm <= 1e-15
    @test abs(r.x[1]) > 1e4 && r.iterations < 200
end

@testset "the loss hides the last digits, the gradient shows them" begin
    # 1 + small: the decrease of the loss is below its rounding long before the gradient is.
    for solver in METHODS
        o, x0 = TestProblems.rosenbrock(), [-1.2, 1.0]
        lifted = FunctionObjective(2; value = x -> 1e6 + MLPFlow.value(o, x), gradient! = o.gradient!, hessian! = o.hessian!)
        r = to_the_end(lifted, x0; solver = solver)
        @test r.gnorm < 1e-11
        @test r.x ≈ [1, 1] rtol = 1e-9
    end
end

@testset "20 seeds, teacher 4, student 5 neurons" begin
    for seed in 1:20
        rng = MersenneTwister(seed)
        input = randn(rng, 2, 1000)
        teacher = TeacherNet(; layers = ((4, sigmoid, false), (1, identity, false)), Din = 2, rng = rng)
        net = Net(; layers = ((5, sigmoid, false), (1, identity, false)), input = input, target = teacher(input))
        o = NetObjective(net)
        flow = integrate(o, collect(random_params(rng, net)); maxT = 100.0, n_samples = 0)
        r = optimize(o, flow.x; solver = :newton, min_gnorm = 1e-12, maxiterations = 2000, maxtime = Inf)
        r.converged || @error "not converged" seed r
        @test r.converged && r.status in (:gradient_tolerance, :loss_tolerance)
    end
end

@testset "BFGS's line search: $name" for (name, f, df) in (
        ("parabola", a -> (a - 1)^2, a -> 2 * (a - 1)), ("far", a -> (a - 1e6)^2 / 1e6, a -> 2 * (a - 1e6) / 1e6),
        ("near", a -> (a - 1e-6)^2 * 1e6, a -> 2 * (a - 1e-6) * 1e6),
        ("wall", a -> a < 0.3 ? -log(0.3 - a) - 8a : NaN, a -> a < 0.3 ? 1 / (0.3 - a) - 8 : NaN),
        ("wiggles", a -> -a + a^2 / 100 + 0.09 * sin(9a), a -> -1 + a / 50 + 0.81 * cos(9a)),
        ("flat", a -> 1 / (1 + a), a -> -1 / (1 + a)^2))
    o = FunctionObjective(1; value = x -> f(x[1]), gradient! = (g, x) -> (g[1] = df(x[1])), hessian! = (H, x) -> nothing)
    options = MLPFlow.OptimOptions(solver = :bfgs, min_gnorm = 0, minloss = -Inf, maxtime = 1, maxiterations = 1,
                                   maxevaluations = 10^6, patience = 1)
    run = MLPFlow.OptimRun(o, [0.0], options, NoMonitor(), time())
    MLPFlow.evaluate_start!(run)
    ls = MLPFlow.LineSearch()
    @test MLPFlow.search!(ls, run, [1.0], 1.0)
    a = run.xnew[1]
    @test a == ls.alpha && ls.loss == f(a) && run.gnew[1] == df(a)
    @test f(a) <= f(0) + 1e-4 * a * df(0)
    @test abs(df(a)) <= 0.9 * abs(df(0))
    @test run.gradient_evaluations < 20
end

@testset "BFGS's inverse satisfies the secant equation and stays positive definite" begin
    rng = MersenneTwister(5)
    dense, limited = MLPFlow.BFGS(6), MLPFlow.LBFGS(6)
    MLPFlow.reset!(dense)
    A = TestProblems.symmetric(rng, [0.1, 0.5, 1, 2, 7, 30])
    for k in 1:30
        s = randn(rng, 6)
        y = A * s
        MLPFlow.learn!(dense, s, y, dot(s, y))
        MLPFlow.learn!(limited, s, y, dot(s, y))
        @test Symmetric(dense.B, :U) * y ≈ s rtol = 1e-9
        @test isposdef(Symmetric(dense.B, :U))
        @test MLPFlow.direction!(zeros(6), limited, y) ≈ -s rtol = 1e-9
    end
    # Before anything is forgotten both are the same approximation, up to the scaling that they start from.
    MLPFlow.reset!(dense)
    MLPFlow.reset!(limited)
    s, g = randn(rng, 6), randn(rng, 6)
    MLPFlow.learn!(dense, s, A * s, dot(s, A * s))
    MLPFlow.learn!(limited, s, A * s, dot(s, A * s))
    @test MLPFlow.direction!(zeros(6), dense, g) ≈ MLPFlow.direction!(zeros(6), limited, g) rtol = 1e-12
end
