# Objectives that are not networks, and objectives with frozen parameters.
using LinearAlgebra

rosenbrock = FunctionObjective(2; value = x -> (1 - x[1])^2 + 100(x[2] - x[1]^2)^2,
    gradient! = (g, x) -> (g .= [-2(1 - x[1]) - 400x[1] * (x[2] - x[1]^2), 200(x[2] - x[1]^2)]),
    hessian! = (H, x) -> (H .= [2-400x[2]+1200x[1]^2 -400x[1]; -400x[1] 200.0]))

@testset "function objective" begin
    g, H, x = zeros(2), zeros(2, 2), [-1.2, 1.0]
    @test nparams(rosenbrock) == 2
    @test value_gradient_hessian!(g, H, rosenbrock, x) ≈ 24.2
    @test g ≈ [-215.6, -88.0] && H ≈ [1330.0 480.0; 480.0 200.0]
    @test gradient!(zeros(2), rosenbrock, x) == g
end

@testset "frozen parameters" begin
    o = MLPFlow.RestrictedObjective(rosenbrock, [-1.2, 1.0], [2])
    g, H = zeros(1), zeros(1, 1)
    @test nparams(o) == 1 && value(o, [1.0]) ≈ 24.2
    @test value_gradient!(g, o, [1.0]) ≈ 24.2 && g ≈ [-88.0]
    @test hessian!(H, o, [1.0]) ≈ fill(200.0, 1, 1)
    @test MLPFlow.full_point(o, [3.0]) == [-1.2, 3.0]
end
