# Orders of convergence, with fixed step sizes: the step 5, the dense output 4.

isdefined(Main, :TestProblems) || include("problems.jl")

# Errors of `steps` equal steps to t = 1, and of the dense output in the middle of the last of them.
function fixed_step_errors(make, objective, x0, solution, steps)
    P = length(x0)
    problem = MLPFlow.FlowProblem(objective, ones(P))
    state, stepper = MLPFlow.FlowState(x0), make(P)
    loose, y, middle = MLPFlow.Tolerance(1e10, 0.0), zeros(P), NaN
    state.loss = MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
    for i in 1:steps
        state.dt = 1 / steps
        state.end_evaluated = false
        MLPFlow.attempt!(stepper, problem, state, loose)
        MLPFlow.evaluate_end!(state, problem)
        MLPFlow.accepted!(stepper, state)
        if i == steps
            MLPFlow.interpolate!(y, stepper, state, 0.4)
            middle = maximum(abs.(y .- solution(1 - 0.6 / steps)))
        end
        MLPFlow.move_on!(state, problem, i / steps)
    end
    return maximum(abs.(state.x .- solution(1.0))), middle
end

@testset "$make converges with the order it claims" for make in (MLPFlow.DP5, MLPFlow.Rodas5P)
    x0 = [0.1, 0.6, 1.2, -0.7]
    objective = TestProblems.separable(4)
    solution(t) = TestProblems.separable_solution(t, x0)
    errors = [fixed_step_errors(make, objective, x0, solution, n) for n in (16, 32, 64)]
    for (name, which, order) in (("step", 1, 5), ("dense output", 2, 4))
        orders = [log2(errors[i][which] / errors[i+1][which]) for i in 1:2]
        all(o -> o > order - 0.4, orders) || @error "order of the $name" make orders errors
        @test all(o -> o > order - 0.4, orders)
        @test errors[end][which] > 0
    end
    # One step from the exact start: the dense output's own local error is O(h^5).
    local_errors = map((16, 32, 64)) do n
        P = length(x0)
        problem, state, stepper = MLPFlow.FlowProblem(objective, ones(P)), MLPFlow.FlowState(x0), make(P)
        MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
        state.dt = 1 / n
        MLPFlow.attempt!(stepper, problem, state, MLPFlow.Tolerance(1e10, 0.0))
        MLPFlow.evaluate_end!(state, problem)
        MLPFlow.accepted!(stepper, state)
        y = zeros(P)
        maximum(maximum(abs.(MLPFlow.interpolate!(y, stepper, state, theta) .- solution(theta / n)))
                for theta in 0.1:0.1:0.9)
    end
    @test log2(local_errors[1] / local_errors[2]) > 4.5
    @test log2(local_errors[2] / local_errors[3]) > 4.5
end

@testset "$make's dense output joins the ends of the step" for make in (MLPFlow.DP5, MLPFlow.Rodas5P)
    x0 = [0.1, -0.7]
    problem, state, stepper = MLPFlow.FlowProblem(TestProblems.separable(2), [1.0, 0.3]), MLPFlow.FlowState(x0), make(2)
    MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
    state.dt = 0.2
    MLPFlow.attempt!(stepper, problem, state, MLPFlow.Tolerance(1e10, 0.0))
    MLPFlow.evaluate_end!(state, problem)
    MLPFlow.accepted!(stepper, state)
    @test MLPFlow.interpolate!(zeros(2), stepper, state, 0.0) ≈ x0 rtol = 1e-15
    @test MLPFlow.interpolate!(zeros(2), stepper, state, 1.0) ≈ state.xnew rtol = 1e-15
end

@testset "Rodas5P is L-stable and meets the pole of its stability function by rejection" begin
    step(lambda) = begin
        problem = MLPFlow.FlowProblem(TestProblems.quadratic(fill(lambda, 1, 1)), [1.0])
        state, stepper = MLPFlow.FlowState([1.0]), MLPFlow.Rodas5P(1)
        MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
        state.dt = 1.0
        err = MLPFlow.attempt!(stepper, problem, state, MLPFlow.Tolerance(1.0, 0.0))
        err, state.xnew[1]
    end
    @test abs(step(1e10)[2]) < 1e-8
    for lambda in (0.1, 1.0, 10.0, 100.0, 1e4)
        @test abs(step(lambda)[2]) <= 1
    end
    @test abs(step(0.1)[2] - exp(-0.1)) < 1e-8
    @test step(-1 / MLPFlow.RODAS5P_GAMMA - 0.1)[1] == Inf
end
