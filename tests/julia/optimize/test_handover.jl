# Least squares and Newton's method in turns.

isdefined(Main, :MoreGarbowHillstrom) || include("more_garbow_hillstrom.jl")
using Random
using .MoreGarbowHillstrom

# One neuron learns from another and noise: the residuals do not vanish.
function noisy_teacher()
    rng = MersenneTwister(2)
    input = randn(rng, 2, 60)
    net = Net(layers = ((1, tanh, true), (1, identity, true)), input = input,
              target = tanh.([1.0 -0.5] * input) .+ 0.5 .* randn(rng, 1, 60))
    return NetObjective(net), collect(random_params(rng, net))
end

# A network as an objective without a Hessian.
struct WithoutHessian{O} <: MLPFlow.AbstractObjective
    o::O
end
MLPFlow.nparams(w::WithoutHessian) = nparams(w.o)
MLPFlow.value(w::WithoutHessian, x::AbstractVector) = value(w.o, x)
MLPFlow.value_gradient!(g::AbstractVector, w::WithoutHessian, x::AbstractVector) = value_gradient!(g, w.o, x)
MLPFlow.has_hessian(::WithoutHessian) = false
MLPFlow.commensurable(::WithoutHessian) = true
MLPFlow.isleastsquares(::WithoutHessian) = true
MLPFlow.nresiduals(w::WithoutHessian) = nresiduals(w.o)
MLPFlow.gauss_newton!(G::AbstractMatrix, w::WithoutHessian, x::AbstractVector) = gauss_newton!(G, w.o, x)
MLPFlow.residual_acceleration!(out::AbstractVector, w::WithoutHessian, x::AbstractVector, v::AbstractVector) =
    MLPFlow.residual_acceleration!(out, w.o, x, v)

problem_named(name) = PROBLEMS[findfirst(p -> p.name == name, PROBLEMS)]
to_rounding(p, factor, solver; hessian = true) = optimize(objective(p; hessian = hessian), start(p, factor); solver = solver,
                                                          min_gnorm = 0.0, minloss = 0.0, maxiterations = 3000, maxtime = Inf)

@testset "Newton's method takes over near a minimum with residuals: $solver" for solver in (:levenberg_marquardt, :gauss_newton,
                                                                                            LevenbergMarquardt(geodesic = false))
    o, start = noisy_teacher()
    r, alone = (optimize(square, start; solver = solver, min_gnorm = 1e-11, maxtime = Inf) for square in (o, WithoutHessian(o)))
    @test r.converged && alone.converged
    @test r.loss ≈ alone.loss rtol = 1e-12
    @test last.(r.handovers) == [r.algorithm, :newton] && length(alone.handovers) == 1
    # The Gauss-Newton model alone converges linearly: count the steps between two gradient norms.
    between(result) = count(g -> 1e-11 < g < 1e-5, result.gnorm_curve)
    @test between(r) <= 4 < between(alone)
end

@testset "no handover where the residuals vanish" begin
    for name in ("rosenbrock", "helical_valley", "broyden_tridiagonal")
        r = optimize(objective(problem_named(name)), problem_named(name).x0; solver = :levenberg_marquardt, min_gnorm = 1e-12)
        @test r.converged && r.handovers == [(0, :levenberg_marquardt)]
    end
end

@testset "a valley taken for slow convergence is given back" begin
    p = problem_named("meyer")
    r = to_rounding(p, 10, LevenbergMarquardt(damping = :radius))
    methods = last.(r.handovers)
    @test length(methods) >= 3 && all(k -> methods[k] === (isodd(k) ? :levenberg_marquardt : :newton), eachindex(methods))
    @test issorted(first.(r.handovers)) && r.handovers[1][1] == 0
    @test r.loss ≈ p.minima[1] rtol = 1e-10
end

# A method that always stalls: two of them hand over until nothing is gained, and no longer.
mutable struct Lame <: MLPFlow.AbstractMethod
    name::Symbol
    calls::Int
end

MLPFlow.name(m::Lame) = m.name
MLPFlow.iteration_cost(::Lame) = 1
MLPFlow.stepsize(::Lame) = 0.0
MLPFlow.iterate!(m::Lame, run) = (m.calls += 1; :stalled)

@testset "handing over ends" begin
    relay = MLPFlow.Relay(:relay, Lame(:a, 0), Lame(:b, 0))
    options = MLPFlow.OptimOptions(solver = :auto, min_gnorm = 0, minloss = -Inf, maxtime = Inf, maxiterations = 1000,
                                   maxevaluations = 1000, patience = 1000)
    o = FunctionObjective(1; value = x -> x[1]^2, gradient! = (g, x) -> (g[1] = 2x[1]))
    r = MLPFlow.minimize!(MLPFlow.OptimRun(o, [1.0], options, NoMonitor(), time()), relay)
    @test r.status === :stalled && r.iterations < 10
    @test relay.first.calls == 2 && relay.second.calls in (2, 3)
end
