# Orders of convergence, with fixed step sizes, of the step and of the dense output.

isdefined(Main, :TestProblems) || include("problems.jl")

# A method of order p with dense output of order q has errors of O(dt^p) at the end and of O(dt^(q+1)) inside one step. The
# numbers of steps to t = 1 are those between which the error has come to its order and not yet to rounding.
const ORDERS = ((make = MLPFlow.DP5, step = 5, steps = (64, 96, 128), dense = 4, dense_steps = (16, 32, 64)),
                (make = MLPFlow.DOP853, step = 8, steps = (6, 8, 12), dense = 7, dense_steps = (16, 24, 32)),
                (make = MLPFlow.Rodas5P, step = 5, steps = (16, 32, 64), dense = 4, dense_steps = (24, 48, 96)))

const LOOSE = MLPFlow.Tolerance(1e10, 0.0)
const ORDER_START = [0.1, 0.6, 1.2, -0.7]
order_solution(t) = TestProblems.separable_solution(t, ORDER_START)

function order_start(make)
    problem = MLPFlow.FlowProblem(TestProblems.separable(4), ones(4))
    state = MLPFlow.FlowState(ORDER_START)
    state.loss = MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
    return problem, state, make(4)
end

function step_of_size!(dt, stepper, problem, state, tolerance)
    state.dt = dt
    state.end_evaluated = false
    MLPFlow.attempt!(stepper, problem, state, tolerance)
    MLPFlow.evaluate_end!(state, problem)
    MLPFlow.accepted!(stepper, state)
end

function error_after(make, steps)
    problem, state, stepper = order_start(make)
    for i in 1:steps
        step_of_size!(1 / steps, stepper, problem, state, LOOSE)
        MLPFlow.move_on!(state, problem, i / steps)
    end
    return maximum(abs.(state.x .- order_solution(1.0)))
end

function error_inside(make, steps, tolerance = LOOSE)
    problem, state, stepper = order_start(make)
    step_of_size!(1 / steps, stepper, problem, state, tolerance)
    MLPFlow.prepare_interpolation!(stepper, problem, state)
    sample(theta) = MLPFlow.interpolate!(zeros(4), stepper, state, theta)
    return maximum(maximum(abs.(sample(theta) .- order_solution(theta / steps))) for theta in 0.1:0.1:0.9)
end

# The slopes of log(error) over log(dt) between neighbours.
function slopes(error, steps)
    errors = map(error, steps)
    return [log(errors[i] / errors[i+1]) / log(steps[i+1] / steps[i]) for i in 1:length(steps)-1]
end

function test_slopes(label, found, order, margin)
    good = all(s -> abs(s - order) <= margin, found)
    good || @error "order of $label" order found
    @test good
end

@testset "$(row.make) converges with the order it claims" for row in ORDERS
    test_slopes(row.make, slopes(n -> error_after(row.make, n), row.steps), row.step, 0.2)
    test_slopes("the dense output of $(row.make)", slopes(n -> error_inside(row.make, n), row.dense_steps), row.dense + 1, 0.3)
end

@testset "$(row.make)'s dense output joins the ends of the step" for row in ORDERS,
        tolerance in (LOOSE, MLPFlow.Tolerance(1e-30, 0.0))
    problem, state, stepper = order_start(row.make)
    step_of_size!(0.2, stepper, problem, state, tolerance)
    MLPFlow.prepare_interpolation!(stepper, problem, state)
    @test MLPFlow.interpolate!(zeros(4), stepper, state, 0.0) ≈ ORDER_START rtol = 1e-15
    @test MLPFlow.interpolate!(zeros(4), stepper, state, 1.0) ≈ state.xnew rtol = 1e-15
end

@testset "DOP853's second dense output" begin
    # A tolerance that the first one misses. Values and velocities at four points: degree 7.
    test_slopes("degree 7", slopes(n -> error_inside(MLPFlow.DOP853, n, MLPFlow.Tolerance(1e-30, 0.0)), (12, 24)), 8, 0.5)
    # Near the limit of stability, at dt lambda = 6, the first one magnifies what the flow has left of this direction.
    largest(maxevaluations) = begin
        problem = MLPFlow.FlowProblem(TestProblems.quadratic(fill(6.0, 1, 1)), [1.0], maxevaluations)
        state, stepper = MLPFlow.FlowState([1.0]), MLPFlow.DOP853(1)
        MLPFlow.rhs_value!(state.f, state.g, problem, state.x)
        step_of_size!(1.0, stepper, problem, state, MLPFlow.Tolerance(0.1, 0.0))
        MLPFlow.prepare_interpolation!(stepper, problem, state)
        problem.gradient_evaluations, maximum(abs, [MLPFlow.interpolate!([0.0], stepper, state, t)[1] for t in 0:0.05:1])
    end
    @test largest(40) == largest(1000) == (40, 1.0)
    cost, size = largest(39)
    @test cost == 16 && 10 < size < 11
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
