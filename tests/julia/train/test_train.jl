# Training: flow and optimizer joined, result keys, budgets, frozen parameters, interruption.
using LinearAlgebra, Random

function teacher_student(; N = 300, seed = 2)
    rng = MersenneTwister(seed)
    X = randn(rng, 2, N)
    teacher = TeacherNet(layers = ((2, sigmoid, false), (1, identity, false)), Din = 2, rng = rng)
    net = Net(layers = ((2, sigmoid, false), (1, identity, false)), input = X, target = teacher(X))
    return net, random_params(rng, net)
end

quiet = (verbosity = 0,)

@testset "flow, then Newton, to a minimum" begin
    net, p = teacher_student()
    result = train(net, p; maxiterations_ode = 300, maxiterations_optim = 500, min_gnorm = 1e-12, quiet...)
    @test result["converged"] && result["gnorm"] <= 1e-12 && result["loss"] < 1e-20
    x = params(result["x"])
    @test loss(net, x) == result["loss"]
    @test maximum(abs, gradient(net, x)) == result["gnorm"] == result["gnorm_regularized"]
    @test result["ode_loss"] <= loss(net, p) && isapprox(result["ode_loss"], loss(net, params(result["ode_x"])); rtol = 1e-12, atol = 1e-20)
    @test params(result["init"]) == p
    times = sort(collect(keys(result["trajectory"])))
    @test times[1] == 0 && params(result["trajectory"][0.0]) == p && params(result["trajectory"][times[end]]) == params(result["ode_x"])
    @test result["status"] in (:gradient_tolerance, :loss_tolerance) && result["message"] == status_message(result["status"])
    @test result["input"] == MLPFlow.inputs(net) && result["target"] == MLPFlow.targets(net)
    @test result["layerspec"] == ((2, "sigmoid", false), (1, "identity", false))
    @test result["ode_stopped_by"] isa String && result["total_time"] >= result["ode_time_run"]
end

@testset "the same bits again" begin
    net, p = teacher_student()
    run() = train(net, p; maxiterations_ode = 50, maxiterations_optim = 20, maxtime_ode = Inf, maxtime_optim = Inf, result = :raw, quiet...)
    @test run().x == run().x
end

@testset "parts left out" begin
    net, p = teacher_student()
    only_flow = train(net, p; maxT = 1.0, maxiterations_optim = 0, result = :raw, quiet...)
    @test only_flow.optim === nothing && only_flow.flow.t == 1 && only_flow.status === :maxT && !only_flow.converged
    only_optim = train(net, p; maxtime_ode = 0, maxiterations_optim = 3, result = :raw, quiet...)
    @test only_optim.flow === nothing && only_optim.optim.iterations <= 3
    none = train(net, p; maxtime_ode = 0, maxtime_optim = 0, quiet...)
    @test none["status"] === :not_run && params(none["x"]) == p && none["ode_stopped_by"] == none["optim_stopped_by"] == "not_run"
    some = train(net, p; maxtime_ode = 0, maxtime_optim = 0, include = ["loss", "x"], quiet...)
    @test Set(keys(some)) == Set(["loss", "x"])
    @test !haskey(train(net, p; maxtime_ode = 0, maxtime_optim = 0, exclude = ["input"], quiet...), "input")
end

@testset "frozen parameters stay frozen" begin
    net, p = teacher_student()
    tauinv = [0.0, 1, 1, 1, 2, 0]
    run = train(net, p; tauinv = tauinv, maxiterations_ode = 50, maxiterations_optim = 100, min_gnorm = 1e-10, result = :raw, quiet...)
    @test run.x[[1, 6]] == p[[1, 6]] && run.x[2] != p[2]
    g = gradient(net, run.x)
    @test run.gnorm == maximum(abs, g[2:5]) && run.converged == (run.gnorm <= 1e-10 || run.loss <= 2e-32)
    all_frozen = train(net, p; tauinv = 0, maxT = 1.0, result = :raw, quiet...)
    @test all_frozen.x == p
end

@testset "penalties and losses reach the objective" begin
    net, p = teacher_student()
    result = train(net, p; maxnorm = 0.01, maxiterations_ode = 100, maxiterations_optim = 200, min_gnorm = 1e-11, quiet...)
    @test result["gnorm_regularized"] <= 1e-11 && result["gnorm"] > 1e-6
    rng = MersenneTwister(3)
    classes = Net(layers = ((3, tanh, true), (3, identity, true)), input = randn(rng, 2, 60), target = rand(rng, 1:3, 60), losstype = CrossEntropy())
    q = random_params(rng, classes)
    run = train(classes, q; maxnorm = 1.0, maxiterations_ode = 100, maxiterations_optim = 300, min_gnorm = 1e-11, result = :raw, quiet...)
    @test run.converged && run.loss < loss(classes, q)
end

mutable struct StopAfter <: MLPFlow.AbstractMonitor
    calls::Int
    limit::Int
    answer::Symbol
end
MLPFlow.signal(m::StopAfter, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64, stepsize::Float64, x::Vector{Float64}) =
    (m.calls += 1) < m.limit ? :continue : m.answer

@testset "a monitor ends the run: $answer" for answer in (:interrupted, :callback)
    net, p = teacher_student()
    run = train(net, p; monitor = StopAfter(0, 5, answer), result = :raw)
    @test run.status === answer && run.optim === nothing && run.loss < loss(net, p)
end

@testset "the text monitor" begin
    io = IOBuffer()
    m = MLPFlow.TextMonitor(io; interval = 0)
    m.last_look = 0.0
    @test disable_sigint(() -> MLPFlow.signal(m, :flow, 3, 1.5, 0.25, 1e-3, 0.1, zeros(2))) === :continue
    @test occursin("t = 1.5", String(take!(io)))
end

@testset "bad input: $e" for (e, options) in (("unknown keyword", (maxiter = 3,)), ("batchsize", (batchsize = 10,)), ("result", (result = :list,)),
                                             ("alg", (alg = :Euler,)), ("solver", (optim_solver = :sgd, maxtime_ode = 0)), ("maxT", (maxT = -1.0,)), ("tauinv", (tauinv = ones(3),)))
    net, p = teacher_student()
    @test_throws ArgumentError train(net, p; quiet..., options...)
end

@testset "statuses" begin
    @test status_message(:interrupted) isa String
    @test_throws ArgumentError status_message(:finished)
    @test all(sentence -> endswith(sentence, '.'), values(MLPFlow.STATUS_MESSAGES))
end
