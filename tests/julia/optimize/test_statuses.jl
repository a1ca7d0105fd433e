# Statuses, budgets, curves, arguments and allocation of the optimizers.

isdefined(Main, :TestProblems) || include(joinpath(@__DIR__, "..", "flow", "problems.jl"))
using LinearAlgebra, Random

@testset "statuses, $solver" for solver in (:newton, :newton_cg, :bfgs, :lbfgs)
    rosenbrock, x0 = TestProblems.rosenbrock(), [-1.2, 1.0]
    run(; kwargs...) = optimize(rosenbrock, x0; solver = solver, kwargs...)
    r = run(min_gnorm = 1e-6, minloss = -Inf)
    @test r.status === :gradient_tolerance && r.gnorm <= 1e-6 && r.converged && r.algorithm === solver
    r = run(minloss = 1e-3)
    @test r.status === :loss_tolerance && r.loss <= 1e-3 && r.converged
    r = run(maxiterations = 3)
    @test r.status === :maxiterations && r.iterations == 3 && !r.converged
    @test run(maxtime = 1e-9).status === :maxtime
    for budget in 1:25
        r = run(maxevaluations = budget)
        @test r.status === :maxevaluations
        @test r.gradient_evaluations + r.hessian_evaluations <= budget
    end
    for answer in (:interrupted, :callback)
        watcher = TestProblems.Watcher(answer, 5)
        r = run(monitor = watcher)
        @test r.status === answer && r.iterations == 5 && watcher.phases == Set([:optim])
        @test r.loss == minimum(watcher.losses)
    end
    for zero_budget in ((maxtime = 0,), (maxiterations = 0,), (maxevaluations = 0,))
        r = run(; zero_budget...)
        @test r.status === :not_run && r.x == x0 && r.loss == MLPFlow.value(rosenbrock, x0)
    end
    @test optimize(TestProblems.bounded_domain(), [-1.0]; solver = solver).status === :nonfinite_start
    @test optimize(TestProblems.linear(), [1.0]; solver = solver, minloss = -Inf).status === :diverged
    # No tolerance can be met: the rounding level is.
    r = optimize(TestProblems.bounded_domain(), [5.0]; solver = solver, min_gnorm = 0.0)
    @test r.status in (:stalled, :gradient_tolerance) && abs(r.x[1] - 1) < 1e-12
    o, start = TestProblems.teacher_student(MersenneTwister(2); teacher = 3, student = 1, N = 40)
    r = optimize(o, start; solver = solver, min_gnorm = 0.0)
    @test r.status === :stalled && !r.converged && r.gnorm < 1e-13
    # Nearly no progress: the loss falls in every iteration but the gradient is inconsistent with it.
    calls = Ref(0)
    rising = FunctionObjective(1; value = x -> Float64(calls[] += 1), gradient! = (g, x) -> (g[1] = 1.0),
                               hessian! = (H, x) -> (H[1, 1] = 1.0))
    @test optimize(rising, [0.0]; solver = solver).status === :stalled
end

@testset "patience counts iterations without a lower loss, $solver" for solver in (:newton, :newton_cg, :bfgs, :lbfgs)
    # Lifted by 1e20 the loss is the same number everywhere; only the gradient shows the way.
    o = TestProblems.rosenbrock()
    lifted = FunctionObjective(2; value = x -> 1e20 + MLPFlow.value(o, x), gradient! = o.gradient!, hessian! = o.hessian!)
    r = optimize(lifted, [-1.2, 1.0]; solver = solver, patience = 2)
    @test r.status === :patience && r.iterations == 2
    @test optimize(lifted, [-1.2, 1.0]; solver = solver).status !== :patience
end

@testset "regions that are not finite are left alone, $solver" for solver in (:newton, :newton_cg, :bfgs, :lbfgs)
    for start in (1e-3, 0.5, 5.0, 100.0)
        r = optimize(TestProblems.bounded_domain(), [start]; solver = solver)
        @test r.x[1] ≈ 1 rtol = 1e-9
    end
    # A Hessian that is not finite.
    broken = FunctionObjective(1; value = x -> x[1]^2, gradient! = (g, x) -> (g[1] = 2x[1]), hessian! = (H, x) -> (H[1, 1] = NaN))
    solver === :newton && @test optimize(broken, [1.0]; solver = solver).status === :diverged
end

@testset "curves, $solver" for solver in (:newton, :newton_cg, :bfgs, :lbfgs)
    r = optimize(TestProblems.rosenbrock(), [-1.2, 1.0]; solver = solver)
    @test length(r.loss_curve) == length(r.gnorm_curve) == length(r.iteration_curve)
    @test r.iteration_curve[1] == 0 && issorted(r.iteration_curve) && r.iteration_curve[end] <= r.iterations
    @test r.loss_curve[1] == MLPFlow.value(TestProblems.rosenbrock(), [-1.2, 1.0]) && r.loss_curve[end] == r.loss
    @test issorted(r.loss_curve; rev = true)
end

@testset "a curve is thinned as it grows" begin
    for n in (1, 9_999, 10_000, 10_001, 123_457)
        c = MLPFlow.Curve()
        for i in 0:n-1
            MLPFlow.add!(c, i, float(i), 2.0 * i)
        end
        MLPFlow.finish!(c)
        @test min(n, 4_999) <= length(c.iteration) <= 10_000
        @test c.iteration[1] == 0 && c.iteration[end] == n - 1 && allunique(c.iteration) && issorted(c.iteration)
        @test c.loss == c.iteration && c.gnorm == 2 .* c.iteration
    end
end

@testset "auto takes Newton for few parameters, BFGS for more, L-BFGS for many" begin
    bowl(n) = FunctionObjective(n; value = x -> sum(abs2, x), gradient! = (g, x) -> (g .= 2 .* x), hessian! = (H, x) -> error("not called"))
    @test optimize(bowl(1001), ones(1001)).algorithm === :bfgs
    r = optimize(bowl(10^5), ones(10^5))
    @test r.algorithm === :lbfgs && r.converged
    @test optimize(TestProblems.rosenbrock(), [1.0, 2.0]).algorithm === :newton
end

@testset "wrong arguments: $(first(bad))" for bad in (
        (:solver => :simplex,), (:min_gnorm => -1,), (:minloss => NaN,), (:maxtime => -1,), (:maxiterations => -1,),
        (:maxevaluations => -1,), (:patience => 0,))
    @test_throws ArgumentError optimize(TestProblems.rosenbrock(), [1.0, 2.0]; bad...)
end

@testset "wrong start" begin
    @test_throws ArgumentError optimize(TestProblems.rosenbrock(), [1.0])
    @test_throws ArgumentError optimize(TestProblems.rosenbrock(), [1.0, Inf])
end

# Extended Rosenbrock in 20 dimensions, allocating nothing.
struct Banana <: MLPFlow.AbstractObjective end

MLPFlow.nparams(::Banana) = 20

function MLPFlow.value_gradient!(g::AbstractVector, ::Banana, x::AbstractVector)
    fill!(g, 0.0)
    total = 0.0
    for i in 1:19
        d = x[i+1] - x[i]^2
        total += 100 * d^2 + (1 - x[i])^2
        g[i] -= 400 * x[i] * d + 2 * (1 - x[i])
        g[i+1] += 200 * d
    end
    return total
end

@testset "$solver does not allocate in its loop" for solver in (:bfgs, :lbfgs)
    bytes(n) = @allocated optimize(Banana(), fill(-1.0, 20); solver = solver, maxiterations = n)
    bytes(5)
    @test bytes(60) == bytes(30)
end
