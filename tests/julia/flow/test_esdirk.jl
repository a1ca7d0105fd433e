# The diagonally implicit method: its coefficients, convergence, stability, what it keeps from step to step, and its two
# kinds of linear algebra.

isdefined(Main, :TestProblems) || include("problems.jl")
using LinearAlgebra, Random

const ESDIRK_KINDS = (MLPFlow.ESDIRK547L2SA2, MLPFlow.NewtonKrylov)

function esdirk_matrix()
    a, S = MLPFlow.ESDIRK_RATIONALS.a, MLPFlow.ESDIRK_STAGES
    A = zeros(Rational{BigInt}, S, S)
    for i in 2:S
        A[i, 1:i-1] .= a[i]
        A[i, i] = MLPFlow.ESDIRK_RATIONALS.gamma
    end
    return A
end

# Weights b and right-hand sides of the order conditions: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I,
# II.2, table 2.2; `t` is the end of the interval.
function order_errors(A, b, t, order)
    c = vec(sum(A, dims=2))
    e = [sum(b) - t, sum(b .* c) - t^2 / 2, sum(b .* c .^ 2) - t^3 / 3, sum(b .* (A * c)) - t^3 / 6,
         sum(b .* c .^ 3) - t^4 / 4, sum(b .* c .* (A * c)) - t^4 / 8, sum(b .* (A * c .^ 2)) - t^4 / 12,
         sum(b .* (A * (A * c))) - t^4 / 24]
    order == 4 && return e
    return [e; sum(b .* c .^ 4) - t^5 / 5; sum(b .* c .^ 2 .* (A * c)) - t^5 / 10; sum(b .* c .* (A * c .^ 2)) - t^5 / 15;
            sum(b .* c .* (A * (A * c))) - t^5 / 30; sum(b .* (A * c) .^ 2) - t^5 / 20; sum(b .* (A * c .^ 3)) - t^5 / 20;
            sum(b .* (A * (c .* (A * c)))) - t^5 / 40; sum(b .* (A * (A * c .^ 2))) - t^5 / 60;
            sum(b .* (A * (A * (A * c)))) - t^5 / 120]
end

@testset "coefficients" begin
    A = esdirk_matrix()
    b, embedded = A[end, :], big.(collect(MLPFlow.ESDIRK_RATIONALS.embedded))
    c = vec(sum(A, dims=2))
    # The published fractions approximate the solution of the conditions to 24 digits.
    @test maximum(abs, order_errors(A, b, 1 // 1, 5)) < 1e-22
    @test maximum(abs, order_errors(A, embedded, 1 // 1, 4)) < 1e-22
    @test maximum(abs, order_errors(A, embedded, 1 // 1, 5)) > 1e-3
    @test maximum(abs, (A*c.-c .^ 2 ./ 2)[2:end]) < 1e-22
    @test collect(MLPFlow.ESDIRK_C) == Float64.(c)
    @test collect(MLPFlow.ESDIRK_E) == Float64.(b .- embedded)
    # The stability function on the negative real axis, where the flow's eigenvalues are.
    R(z) = 1 + z * dot(Float64.(b), (I - z * Float64.(A)) \ ones(7))
    @test all(z -> abs(R(-z)) <= 1, 10.0 .^ (-3:0.1:6))
    @test abs(R(-1e8)) < 1e-6
    for t in 0:0.1:1
        q = [t * (1 - t) * sum(MLPFlow.ESDIRK_Q[m][i] * t^(m - 1) for m in 1:3) for i in 1:7]
        @test maximum(abs, order_errors(Float64.(A), t .* Float64.(b) .+ q, t, 4)) < 1e-13
    end
end

# A stepper at the start of a flow, with the tolerance to which its stages are solved.
function esdirk_start(make, objective, x0; tauinv = ones(length(x0)), maxevaluations = typemax(Int))
    problem = MLPFlow.FlowProblem(objective, tauinv, maxevaluations)
    state, stepper = MLPFlow.FlowState(x0), make(length(x0))
    MLPFlow.restart!(stepper)
    state.loss = MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
    return stepper, problem, state
end

function esdirk_step!(stepper, problem, state, dt, tol)
    state.dt = dt
    state.end_evaluated = false
    err = MLPFlow.attempt!(stepper, problem, state, MLPFlow.Tolerance(tol, 0.0))
    MLPFlow.evaluate_end!(state, problem)
    MLPFlow.accepted!(stepper, state)
    return err
end

@testset "$make converges with order 5, dense output 4" for make in ESDIRK_KINDS
    x0 = [0.1, 0.6, 1.2, -0.7]
    solution(t) = TestProblems.separable_solution(t, x0)
    function errors(steps)
        stepper, problem, state = esdirk_start(make, TestProblems.separable(4), x0)
        dense, y = 0.0, zeros(4)
        for i in 1:steps
            esdirk_step!(stepper, problem, state, 1 / steps, 1e-12)
            if i == 1
                # One step from the exact start: the dense output's own local error.
                dense = maximum(maximum(abs.(MLPFlow.interpolate!(y, stepper, state, t) .- solution(t / steps)))
                                for t in 0.1:0.1:0.9)
            end
            MLPFlow.move_on!(state, problem, i / steps)
        end
        return maximum(abs.(state.x .- solution(1.0))), dense
    end
    steps = [errors(n) for n in (8, 16, 32)]
    for i in 1:2
        order, dense_order = log2(steps[i][1] / steps[i+1][1]), log2(steps[i][2] / steps[i+1][2])
        abs(order - 5) < 0.2 && dense_order > 4.5 || @error "orders" make order dense_order steps
        @test abs(order - 5) < 0.2
        @test dense_order > 4.5
    end
end

@testset "$make: dense output joins the ends, stiff parts are damped, the pole is met by rejection" for make in ESDIRK_KINDS
    stepper, problem, state = esdirk_start(make, TestProblems.separable(2), [0.1, -0.7]; tauinv = [1.0, 0.3])
    esdirk_step!(stepper, problem, state, 0.2, 1e-8)
    @test MLPFlow.interpolate!(zeros(2), stepper, state, 0.0) ≈ [0.1, -0.7] rtol = 1e-15
    @test MLPFlow.interpolate!(zeros(2), stepper, state, 1.0) ≈ state.xnew rtol = 1e-15
    step(lambda, tol = 1e-8) = begin
        s = esdirk_start(make, TestProblems.quadratic(fill(lambda, 1, 1)), [1.0])
        esdirk_step!(s..., 1.0, tol), s[3].xnew[1]
    end
    @test abs(step(1e10)[2]) < 1e-7
    for lambda in (0.1, 1.0, 10.0, 100.0, 1e4)
        @test abs(step(lambda)[2]) <= 1
    end
    @test abs(step(0.1)[2] - exp(-0.1)) < 1e-8
    @test step(-1 / MLPFlow.ESDIRK_GAMMA - 0.1)[1] == MLPFlow.STAGE_FAILURE
    @test step(-0.5)[2] ≈ exp(0.5) rtol = 1e-5
end

function esdirk_network(seed, layers, Din, N)
    rng = MersenneTwister(seed)
    input = randn(rng, Din, N)
    net = Net(; layers = layers, input = input, target = TeacherNet(; layers = layers, Din = Din, rng = rng)(input))
    return NetObjective(net), collect(random_params(rng, net))
end

@testset "Hessians and factorisations are kept" begin
    for (layers, Din, tol) in ((((8, softplus, true), (1, identity, true)), 2, 1e-6),
                               (((6, tanh, true), (4, tanh, true), (1, identity, true)), 3, 1e-5))
        o, x0 = esdirk_network(1, layers, Din, 200)
        result = integrate(o, x0; alg = :ESDIRK547L2SA2, maxT = 100.0, abstol = tol, reltol = tol)
        old = integrate(o, x0; alg = :Rodas5P, maxT = 100.0, abstol = tol, reltol = tol)
        @test result.status === :maxT
        @test result.hessian_evaluations < result.iterations / 3
        # Seven gradients a step where each stage takes one iteration.
        @test 7 * result.accepted <= result.gradient_evaluations < 10 * result.iterations
        @test result.iterations < old.iterations
    end
    # With many parameters the factor of a neighbouring step size is used: nothing is wrong but d, by at most 10 %.
    A = Matrix(Diagonal(10.0 .^ range(-2, 1; length = 600)))
    result = integrate(TestProblems.quadratic(A), ones(600); alg = :ESDIRK547L2SA2, maxT = 10.0, abstol = 1e-7, reltol = 1e-7)
    @test result.hessian_evaluations <= 3
    @test result.factorizations < 0.8 * result.accepted
    @test result.x ≈ exp.(-10 .* diag(A)) atol = 1e-6
end

@testset "a Hessian is replaced when the average work would rise" begin
    age = MLPFlow.Renewal(10.0)
    due = [(MLPFlow.note!(age, work); age.due) for work in (6, 6, 7, 9, 9.5)]
    # Averages: 16, 11, 29/3, 38/4 = 9.5, 47.5/5 = 9.5; the sixth step's 10 exceeds its average.
    @test due == [false, false, false, false, false]
    @test MLPFlow.note!(age, 10).due
    @test !MLPFlow.renewed!(age).due && age.work == 10 && age.steps == 0
end

@testset "$alg where the Hessian changes within a step" for alg in (:ESDIRK547L2SA2, :NewtonKrylov)
    # A curved valley and a singular minimum: Newton's iteration needs Hessians of single stages.
    for (o, x0, T) in ((TestProblems.rosenbrock(), [-1.2, 1.0], 10.0), (TestProblems.powell(), [3.0, -1.0, 0.0, 1.0], 1e4))
        reference = integrate(o, x0; alg = :Rodas5P, maxT = T, abstol = 1e-11, reltol = 1e-11)
        for tol in (1e-3, 1e-5, 1e-7)
            result = integrate(o, x0; alg = alg, maxT = T, abstol = tol, reltol = tol)
            @test result.status === :maxT
            @test maximum(abs.(result.x .- reference.x)) < 10 * tol
            @test result.rejected < result.accepted
        end
    end
end

@testset "conjugate gradients need products only" begin
    A = TestProblems.symmetric(MersenneTwister(1), 10.0 .^ (-2:0.25:2))
    x0 = randn(MersenneTwister(2), 17)
    o = FunctionObjective(17; value = x -> dot(x, A * x) / 2, gradient! = (g, x) -> mul!(g, A, x),
                          hvp! = (out, x, v) -> mul!(out, A, v))
    result = integrate(o, x0; alg = :NewtonKrylov, maxT = 20.0, abstol = 1e-7, reltol = 1e-7)
    @test result.status === :maxT && result.algorithm === :NewtonKrylov
    @test maximum(abs.(result.x .- exp(-20 .* A) * x0)) < 1e-6
    @test result.hessian_evaluations == 0 && result.factorizations == 0 && result.product_evaluations > 0
    # No P x P matrix.
    @test Base.summarysize(MLPFlow.NewtonKrylov(1000)) < 8 * 80 * 1000
    # Every evaluation is within the budget, also those of the preconditioner.
    for budget in 1:7:200
        result = integrate(o, x0; alg = :NewtonKrylov, maxevaluations = budget)
        @test result.gradient_evaluations + result.product_evaluations <= budget
        @test result.status === :maxevaluations
    end
end

@testset "the preconditioner inverts what it knows" begin
    rng = MersenneTwister(3)
    # Three eigenvalues stand out of a rest below 0.1; one parameter is frozen.
    P = 60
    H = TestProblems.symmetric(rng, [50.0; 20.0; 5.0; 0.1 .* rand(rng, P - 3)])
    tauinv = 0.5 .+ rand(rng, P)
    tauinv[7] = 0.0
    problem = MLPFlow.FlowProblem(TestProblems.quadratic(H), tauinv)
    state = MLPFlow.FlowState(randn(rng, P))
    MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
    l = MLPFlow.KrylovSolver(P)
    l.age.due = true
    @test MLPFlow.prepare!(l, problem, state, state.x, Inf) === :ready
    @test 3 <= l.preconditioner.count <= MLPFlow.LANCZOS_STEPS
    scaled = Diagonal(sqrt.(tauinv)) * H * Diagonal(sqrt.(tauinv))
    @test l.preconditioner.lambda[1:3] ≈ eigvals(Symmetric(scaled))[end:-1:end-2] rtol = 1e-6
    r = randn(rng, P)
    r[7] = 0
    for dt in (0.1, 1.0, 10.0)
        exact = (Diagonal(1 ./ (MLPFlow.ESDIRK_GAMMA .* dt .* max.(tauinv, 1e-300))) + H)
        exact[7, :] .= 0; exact[:, 7] .= 0; exact[7, 7] = 1
        d = copy(r)
        before = problem.product_evaluations
        @test MLPFlow.solve!(d, l, problem, dt, state.x, fill(1e8, P)) === :solved
        @test d ≈ exact \ r rtol = 1e-6
        @test d[7] == 0
        dt == 0.1 && @test problem.product_evaluations - before < 8
    end
end

# Every derivative without allocation: sum of lambda_i x_i^2/2 + x_i^4/4 with a coupling of neighbours.
struct Coupled <: MLPFlow.AbstractObjective
    lambda::Vector{Float64}
end

MLPFlow.nparams(o::Coupled) = length(o.lambda)

coupling(x, i) = (i > 1 ? x[i] - x[i-1] : 0.0) - (i < length(x) ? x[i+1] - x[i] : 0.0)

function MLPFlow.value_gradient!(g::AbstractVector, o::Coupled, x::AbstractVector)
    total = 0.0
    for i in eachindex(x)
        g[i] = o.lambda[i] * x[i] + x[i]^3 + coupling(x, i)
        total += o.lambda[i] * x[i]^2 / 2 + x[i]^4 / 4 + x[i] * coupling(x, i) / 2
    end
    return total
end

function MLPFlow.hessian!(H::AbstractMatrix, o::Coupled, x::AbstractVector)
    fill!(H, 0.0)
    for i in eachindex(x)
        H[i, i] = o.lambda[i] + 3 * x[i]^2 + (i > 1) + (i < length(x))
        i > 1 && (H[i, i-1] = H[i-1, i] = -1.0)
    end
    return H
end

function MLPFlow.hvp!(out::AbstractVector, o::Coupled, x::AbstractVector, v::AbstractVector)
    for i in eachindex(x)
        out[i] = (o.lambda[i] + 3 * x[i]^2) * v[i] + coupling(v, i)
    end
    return out
end

function esdirk_steps!(stepper, problem, state, y, tol, n)
    for _ in 1:n
        state.end_evaluated = false
        err = MLPFlow.attempt!(stepper, problem, state, tol)
        if err > 1
            state.dt /= 2
            continue
        end
        MLPFlow.evaluate_end!(state, problem)
        MLPFlow.accepted!(stepper, state)
        MLPFlow.interpolate!(y, stepper, state, 0.3)
        MLPFlow.move_on!(state, problem, state.t + state.dt)
        state.dt *= min(1.5, 0.9 * max(err, 1e-9)^(-0.2))
    end
    return nothing
end

# A function, so that the call itself is compiled for its arguments.
esdirk_bytes(stepper, problem, state, y, tol) = @allocated esdirk_steps!(stepper, problem, state, y, tol, 1)

@testset "$make does not allocate" for make in ESDIRK_KINDS
    stepper, problem, state = esdirk_start(make, Coupled(10.0 .^ (-3:0.5:3)), ones(13))
    state.dt, y, tol = 1e-3, zeros(13), MLPFlow.Tolerance(1e-6, 1e-6)
    esdirk_steps!(stepper, problem, state, y, tol, 60)
    esdirk_bytes(stepper, problem, state, y, tol)
    for _ in 1:20
        # A new preconditioner allocates in LAPACK's wrapper.
        renews = make === MLPFlow.NewtonKrylov && stepper.solver.age.due
        bytes = esdirk_bytes(stepper, problem, state, y, tol)
        renews || @test bytes == 0
    end
end
