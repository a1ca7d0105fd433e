# Stabilized explicit methods: the largest eigenvalue, orders, stability, accuracy and budgets.

isdefined(Main, :TestProblems) || include("problems.jl")
using LinearAlgebra, Random

const STABILIZED = (:RKC2, :RKC3)

function hessian_at(o, x)
    H = zeros(length(x), length(x))
    return Symmetric(MLPFlow.hessian!(H, o, x))
end

# The largest eigenvalue of diag(tauinv) H on the parameters that move, from its symmetric form.
function true_radius(o, x, tauinv)
    moving = findall(>(0), tauinv)
    d = sqrt.(tauinv[moving])
    return maximum(eigvals(Symmetric(d .* Matrix(hessian_at(o, x))[moving, moving] .* d')))
end

function estimated(o, x, tauinv = ones(length(x)); maxevaluations = typemax(Int), times = 1)
    problem = MLPFlow.FlowProblem(o, tauinv, maxevaluations)
    state, radius = MLPFlow.FlowState(x), MLPFlow.SpectralRadius(length(x))
    MLPFlow.rhs!(state.f, problem, state.x)
    for _ in 1:times
        radius.steps, radius.attempted = 1, true
        MLPFlow.refresh!(radius, problem, state)
    end
    return radius.value, radius.products, problem
end

@testset "largest eigenvalue, $name" for (name, spectrum) in (
        ("one", [3.0]), ("two", [-5.0, 2.0]), ("spread", 10.0 .^ (-3:0.1:3)), ("outlier", [0.01:0.01:1; 50.0]),
        ("cluster at the top", [1:30; 100 .+ (0:0.1:2)]), ("uniform", 1.0:200.0), ("negative too", [-10.0:-1; 1:10]),
        ("a multiple of one", fill(4.0, 20)))
    for seed in 1:3
        rng = MersenneTwister(seed)
        o = TestProblems.quadratic(TestProblems.symmetric(rng, spectrum))
        x = randn(rng, length(spectrum))
        largest = maximum(spectrum)
        value, products, _ = estimated(o, x)
        @test largest <= value <= 1.25 * largest
        @test products <= 32
        # A second estimate starts from the last one.
        value, again, _ = estimated(o, x; times = 2)
        @test largest <= value <= 1.25 * largest
        @test again <= max(products, 8)
        # In a direction without any component along the stiffest one.
        calm = eigen(hessian_at(o, x)).vectors[:, 1]
        @test largest <= estimated(o, calm)[1] <= 1.25 * largest
        @test estimated(o, x)[1] == estimated(o, x)[1]
    end
end

@testset "largest eigenvalue: nothing to be stable about" begin
    # A small eigenvalue above large negative ones is known to a part of these.
    o = TestProblems.quadratic(TestProblems.symmetric(MersenneTwister(1), [-100.0:-1; 0.5]))
    @test 0.5 <= estimated(o, ones(101))[1] <= 2
    o = TestProblems.quadratic(TestProblems.symmetric(MersenneTwister(1), -10.0:-1))
    @test estimated(o, ones(10))[1] == 0
    @test estimated(TestProblems.quadratic(zeros(3, 3)), ones(3))[1] == 0
    @test estimated(o, ones(10), zeros(10))[1] == 0
end

@testset "largest eigenvalue of networks, time scales and frozen parameters, seed $seed" for seed in 1:4
    rng = MersenneTwister(seed)
    input = randn(rng, 3, 70)
    net = Net(; layers = ((9, tanh, true), (5, softplus, true), (1, identity, true)), input = input, target = randn(rng, 1, 70))
    o, x = NetObjective(net), collect(random_params(rng, net))
    P = length(x)
    for tauinv in (ones(P), exp.(2 .* randn(rng, P)), [i % 3 == 0 ? 0.0 : rand(rng) for i in 1:P])
        largest = true_radius(o, x, tauinv)
        @test largest <= estimated(o, x, tauinv)[1] <= 1.25 * largest
    end
end

@testset "estimates stay within the budget" begin
    o = TestProblems.quadratic(TestProblems.symmetric(MersenneTwister(1), 1.0:50.0))
    for budget in 1:12
        value, _, problem = estimated(o, ones(50); maxevaluations = budget)
        @test MLPFlow.evaluations(problem) <= budget
        @test isnan(value) == (budget == 1)
    end
end

# The step of RKC2 and RKC3 that a driver would make, with the order given.
function forced_step!(stepper, problem, state, dt, order)
    state.dt = dt
    state.end_evaluated = false
    stepper isa MLPFlow.RKC3 && MLPFlow.set_order!(stepper, order, Inf)
    err = MLPFlow.attempt!(stepper, problem, state, MLPFlow.Tolerance(1e10, 0.0))
    MLPFlow.evaluate_end!(state, problem)
    MLPFlow.accepted!(stepper, state)
    return err
end

# x' of the separable problem and of a stiff mode at rest, in turned coordinates: many stages, smooth solution.
function turned_separable(stiffness)
    Q = Matrix(qr(randn(MersenneTwister(7), 5, 5)).Q)
    o = FunctionObjective(5; value = x -> (y = Q' * x; sum(y[1:4] .^ 4 ./ 4 .- y[1:4] .^ 2 ./ 2) + stiffness * y[5]^2 / 2),
        gradient! = (g, x) -> (y = Q' * x; g .= Q * [y[1:4] .^ 3 .- y[1:4]; stiffness * y[5]]),
        hessian! = (H, x) -> (y = Q' * x; H .= Q * Diagonal([3 .* y[1:4] .^ 2 .- 1; stiffness]) * Q'))
    y0 = [0.1, 0.6, 1.2, -0.7]
    return o, Q * [y0; 0.0], t -> Q * [TestProblems.separable_solution(t, y0); 0.0]
end

@testset "$make converges with order $order, stiffness $stiffness" for (make, order) in ((MLPFlow.RKC2, 2), (MLPFlow.RKC3, 3)),
        stiffness in (1.0, 3e4)
    o, x0, solution = turned_separable(stiffness)
    errors, stages, estimates = zeros(3), 0, zeros(3)
    for (k, n) in enumerate((40, 80, 160))
        problem, state, stepper = MLPFlow.FlowProblem(o, ones(5)), MLPFlow.FlowState(x0), make(5)
        state.loss = MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
        for i in 1:n
            estimates[k] = forced_step!(stepper, problem, state, 1 / n, i <= 3 ? 2 : order)
            MLPFlow.move_on!(state, problem, i / n)
            # The past points of the first steps are exact, so that the order is seen from the start.
            i <= 3 && (state.x .= solution(i / n); state.loss = MLPFlow.rhs_value!(state.f, state.g, problem, state.x))
        end
        errors[k] = norm(state.x .- solution(1.0), Inf)
        stages = stepper.stages.count
    end
    @test stages >= (stiffness > 1 ? 15 : 2)
    orders = log2.(errors[1:2] ./ errors[2:3])
    @test all(abs.(orders .- order) .< 0.2)
    # The estimate is of the order of the error of one step, and at least the error.
    orders = log2.(estimates[1:2] ./ estimates[2:3])
    @test all(abs.(orders .- order .- 1) .< 0.3)
end

# The error of one step from exact past points, against the estimate.
@testset "error estimates of RKC3, ratio of steps $ratio" for ratio in (0.3, 1.0, 1.2)
    o, x0, solution = turned_separable(1e3)
    times = cumsum([0.0; 0.02 .* ratio .^ (0:3)])
    problem, state, stepper = MLPFlow.FlowProblem(o, ones(5)), MLPFlow.FlowState(x0), MLPFlow.RKC3(5)
    for i in 1:4
        state.x .= solution(times[i])
        state.loss = MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
        err = 1e10 * forced_step!(stepper, problem, state, times[i+1] - times[i], i <= 3 ? 2 : 3)
        exact = norm(state.xnew .- solution(times[i+1]), Inf)
        i > 1 && @test 0.5 * exact < err < 3 * exact
        MLPFlow.move_on!(state, problem, times[i+1])
    end
end

@testset "damping of s stages" begin
    for s in (2, 3, 4, 7, 20, 100)
        limit = 0.653 * (s^2 - 1)
        function step(z)
            problem = MLPFlow.FlowProblem(TestProblems.quadratic(fill(z, 1, 1)), [1.0])
            state, work = MLPFlow.FlowState([1.0]), MLPFlow.ChebyshevStages(1)
            MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
            state.dt = 1.0
            work.radius.value, work.radius.steps = limit, 0
            MLPFlow.chebyshev_step!(work, problem, state, MLPFlow.NoCorrection())
            return state.xnew[1], work.count
        end
        @test step(1.0)[2] == s || step(1.0)[2] == s + 1
        @test all(abs(step(z)[1]) < 0.96 for z in range(0.1, limit; length = 500))
        @test abs(step(1e-3)[1] - exp(-1e-3)) < 1e-9
    end
end

@testset "RKC3 is stable all over the interval of $s stages" for s in (2, 3, 4, 5, 8, 15, 40)
    # One parameter for every value of z, steps of one size: everything that the first steps excite dies out.
    limit = 0.649 * ((s - 1e-6)^2 - 1)
    o = TestProblems.quadratic(Diagonal(collect(range(0.5, limit; length = 300))))
    problem, state, stepper = MLPFlow.FlowProblem(o, ones(300)), MLPFlow.FlowState(ones(300)), MLPFlow.RKC3(300)
    MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
    stages = Int[]
    for i in 1:300
        stepper.stages.radius.value, stepper.stages.radius.steps = limit, 0
        forced_step!(stepper, problem, state, 1.0, i <= 3 ? 2 : 3)
        MLPFlow.move_on!(state, problem, Float64(i))
        push!(stages, stepper.stages.count)
    end
    @test all(stages .== s)
    @test maximum(abs, state.x) < 1e-5
end

@testset "stiff linear flows, $alg" for alg in STABILIZED
    # dt rho in the tens of thousands; the slow modes are still on their way at the end.
    spectrum = 10.0 .^ (-3:0.5:4)
    A = TestProblems.symmetric(MersenneTwister(1), spectrum)
    x0 = randn(MersenneTwister(2), length(spectrum))
    o = FunctionObjective(length(x0); value = x -> dot(x, A * x) / 2, gradient! = (g, x) -> mul!(g, A, x),
                          hvp! = (w, x, v) -> mul!(w, A, v))
    times = 10.0 .^ (-2:0.25:3)
    values, Q = eigen(Symmetric(A))
    solution = hcat((Q * (exp.(-values .* t) .* (Q' * x0)) for t in [0; times])...)
    for tol in (alg === :RKC2 ? (1e-3, 1e-4) : (1e-3, 1e-5))
        result = integrate(o, x0; alg = alg, maxT = 1e3, abstol = tol, reltol = tol, saveat = times)
        @test result.status === :maxT
        @test maximum(abs.(result.trajectory.x .- solution) ./ max.(tol, tol .* abs.(solution))) < 2
        @test result.rejected <= 3
        # An explicit method without stabilization needs 10^7/3.3 steps.
        @test result.gradient_evaluations + result.product_evaluations < 100_000
        @test result.hessian_evaluations == 0
    end
end

# Flows of networks near a stiff valley, sampled densely, against the implicit method at 1e-11.
function network_flow(seed, layers, N, factor)
    rng = MersenneTwister(seed)
    input = randn(rng, 2, N)
    net = Net(; layers = layers, input = input, target = randn(rng, layers[end][1], N))
    return NetObjective(net), factor .* collect(random_params(rng, net))
end

@testset "stiff flow of a network, seed $seed" for (seed, layers, factor) in (
        (1, ((8, softplus, true), (1, identity, true)), 1.0), (12, ((6, tanh, true), (4, tanh, true), (1, identity, true)), 2.0),
        (3, ((7, gelu, true), (2, identity, true)), 1.5))
    o, x0 = network_flow(seed, layers, 60, factor)
    times = collect(10.0 .^ (-1:0.05:2))
    reference = integrate(o, x0; alg = :Rodas5P, maxT = 100.0, abstol = 1e-11, reltol = 1e-11, saveat = times).trajectory.x
    explicit = integrate(o, x0; alg = :DP5, maxT = 100.0, abstol = 1e-4, reltol = 1e-4)
    for (alg, tols) in ((:RKC2, (1e-4, 1e-6)), (:RKC3, (1e-3, 1e-4, 1e-6, 1e-8))), tol in tols
        result = integrate(o, x0; alg = alg, maxT = 100.0, abstol = tol, reltol = tol, saveat = times)
        err = maximum(abs.(result.trajectory.x .- reference) ./ max.(tol, tol .* abs.(reference)))
        err < 10 || @error "error in units of the tolerance" alg seed tol err
        @test result.status === :maxT && err < 10
    end
    stabilized = integrate(o, x0; alg = :RKC3, maxT = 100.0, abstol = 1e-4, reltol = 1e-4)
    @test stabilized.gradient_evaluations + 2 * stabilized.product_evaluations < explicit.gradient_evaluations
end

@testset "$alg never exceeds the budget of evaluations" for alg in STABILIZED
    o, x0 = network_flow(4, ((6, tanh, true), (1, identity, true)), 30, 1.0)
    for budget in [1:40; 55; 100; 321]
        result = integrate(o, x0; alg = alg, maxevaluations = budget)
        @test result.status === :maxevaluations
        @test result.gradient_evaluations + result.hessian_evaluations + result.product_evaluations <= budget
    end
end

@testset "$alg asks for products of the Hessian" for alg in STABILIZED
    bare = FunctionObjective(1; value = x -> x[1]^2, gradient! = (g, x) -> (g[1] = 2x[1]))
    @test_throws ArgumentError integrate(bare, [1.0]; alg = alg, maxT = 1.0)
end

@testset "flows with kinks, $alg" for alg in STABILIZED
    # The velocity jumps, and flows slide along the kinks: an error estimate cannot keep to its tolerance there.
    rng = MersenneTwister(1)
    net = Net(; layers = ((10, relu, true), (1, identity, true)), input = randn(rng, 2, 100), target = randn(rng, 1, 100))
    o, x0 = NetObjective(net), collect(random_params(rng, net))
    flow(alg) = integrate(o, x0; alg = alg, maxT = 1.0, abstol = 1e-2, reltol = 1e-2)
    @test flow(alg).status === :maxT
    @test flow(alg).x ≈ flow(:DP5).x atol = 0.03
end
