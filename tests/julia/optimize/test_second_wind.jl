# A method that stalls is started afresh once, and again only while that halves the gradient norm.

mutable struct Sprinter <: MLPFlow.AbstractMethod     # halves x a few times, then stalls until it is prepared again
    steps::Int
    left::Int
    starts::Int
end

MLPFlow.name(::Sprinter) = :sprinter
MLPFlow.iteration_cost(::Sprinter) = 1
MLPFlow.stepsize(::Sprinter) = 1.0
MLPFlow.prepare!(m::Sprinter, run) = (m.left = m.steps; m.starts += 1; nothing)

function MLPFlow.iterate!(m::Sprinter, run)
    m.left -= 1
    m.left < 0 && return :stalled
    run.xnew .= run.x ./ 2
    return MLPFlow.move_on!(run, MLPFlow.evaluate_trial!(run))
end

parabola = FunctionObjective(1; value = x -> x[1]^2, gradient! = (g, x) -> (g[1] = 2x[1]), hessian! = (H, x) -> (H[1, 1] = 2.0))

function sprint_run(steps; kwargs...)
    options = MLPFlow.OptimOptions(; merge((solver = :auto, min_gnorm = 1e-6, minloss = -Inf, maxtime = Inf, maxiterations = 1000,
                                            maxevaluations = 1000, patience = 1000), values(kwargs))...)
    method = Sprinter(steps, 0, 0)
    return MLPFlow.minimize!(MLPFlow.OptimRun(parabola, [1.0], options, NoMonitor(), time()), method), method
end

@testset "second wind" begin
    result, method = sprint_run(3)
    @test result.converged && method.starts == 7          # 2^-21 < 1e-6 <= 2^-18 for gradients of 2x
    result, method = sprint_run(0)
    @test result.status === :stalled && method.starts == 2
    result, _ = sprint_run(3; maxevaluations = 10)
    @test result.status in (:maxevaluations, :stalled) && result.gradient_evaluations <= 10
end
