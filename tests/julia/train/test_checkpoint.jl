# Checkpoints: a run that is interrupted anywhere and resumed has the bits of one that is not; budgets that are raised; files and
# networks that do not fit; writes that fail.
using LinearAlgebra, Random
using MLPFlow: SavedRun, read_checkpoint, snapshot, msgpack

# All that there are: a new method is tested by being there.
const RESUMED_FLOWS = (MLPFlow.flow_algorithms()...,)
const RESUMED_OPTIMIZERS = (:newton, :bfgs, :lbfgs)

# Memory where there is some to be had: a disk takes 10 ms to be sure of a file.
const SCRATCH = isdir("/dev/shm") ? "/dev/shm" : tempdir()
in_folder(f) = mktempdir(folder -> f(joinpath(folder, "run.ckpt")), SCRATCH)

function small_problem(; seed = 1, scale = 2.0)
    rng = MersenneTwister(seed)
    X = randn(rng, 2, 40)
    teacher = TeacherNet(layers = ((3, sigmoid, true), (1, identity, true)), Din = 2, rng = rng)
    net = Net(layers = ((3, tanh, true), (1, identity, true)), input = X, target = teacher(X))
    return net, scale .* random_params(rng, net)
end

const BUDGET = (maxtime_ode = Inf, maxtime_optim = Inf, maxiterations_ode = 120, maxiterations_optim = 60, verbosity = 0, result = :raw)

"Ends the run (or throws) at call number `at`."
mutable struct Stop <: MLPFlow.AbstractMonitor
    at::Int
    answer::Symbol
    calls::Int
end
Stop(at, answer = :interrupted) = Stop(at, answer, 0)

function MLPFlow.signal(m::Stop, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64, stepsize::Float64, x::Vector{Float64})
    m.calls += 1
    m.calls == m.at || return :continue
    m.answer === :throw && error("a crash")
    return m.answer
end

# Everything but seconds.
bits(::Nothing) = nothing
bits(r) = [name => msgpack(snapshot(getfield(r, name))) for name in fieldnames(typeof(r)) if name !== :time]
same_run(a, b) = isequal(a.x, b.x) && a.loss === b.loss && a.gnorm === b.gnorm && a.status === b.status && a.converged === b.converged &&
    isequal(a.init, b.init) && bits(a.flow) == bits(b.flow) && bits(a.optim) == bits(b.optim) && a.options == b.options && isempty(b.warnings)

same_run_but_options(a, b) = isequal(a.x, b.x) && bits(a.flow) == bits(b.flow) && bits(a.optim) == bits(b.optim)

"Train with an interruption after each of `steps`, then to the end; how many runs it took."
function train_in_pieces(net, p, path, steps; kwargs...)
    train(net, p; checkpoint = path, monitor = Stop(steps[1]), kwargs...)
    for n in steps[2:end]
        train(net; resume = path, monitor = Stop(n), verbosity = 0, result = :raw).status === :interrupted || break
    end
    return train(net; resume = path, verbosity = 0, result = :raw)
end

@testset "the same bits, $alg and $solver" for (alg, solver) in zip(RESUMED_FLOWS, Iterators.cycle(RESUMED_OPTIMIZERS))
    net, p = small_problem()
    # At these tolerances the automatic choice begins with one method and goes on with another.
    tolerance = alg === :auto ? 1e-8 : 1e-6
    options = (alg = alg, optim_solver = solver, abstol = tolerance, reltol = tolerance, BUDGET...)
    whole = train(net, p; options...)
    @test whole.flow.iterations > 20 && whole.optim.iterations > 10
    methods = Set{Symbol}()
    in_folder() do path
        # A checkpoint after each step changes nothing.
        @test same_run(whole, train(net, p; checkpoint = path, checkpoint_interval = 0, options...))
        # Interrupted again and again.
        @test same_run(whole, train_in_pieces(net, p, path, rand(MersenneTwister(5), 1:9, 60); options...))
        # Crashed at a step, where the last checkpoint is of the step before.
        for step in (2, 3, 17, whole.flow.iterations, whole.flow.iterations + 2, whole.flow.iterations + 9)
            @test_throws ErrorException train(net, p; checkpoint = path, checkpoint_interval = 0, monitor = Stop(step, :throw), options...)
            push!(methods, read_checkpoint(path).flow.method)
            @test same_run(whole, train(net; resume = path, verbosity = 0, result = :raw))
        end
        @test readdir(dirname(path)) == ["run.ckpt"]
    end
    @test (length(methods) > 1) == (alg === :auto)      # which has handed over on the way
end

@testset "the same bits, $(MLPFlow.name(rule)), batches of $batchsize" for (rule, batchsize, replacement) in (
        (GradientDescent(learning_rate = 0.05), nothing, false), (HeavyBall(learning_rate = 0.02), 7, false),
        (Nesterov(learning_rate = 0.02, schedule = WarmUp(20, after = Cosine(100))), 16, true),
        (Adam(learning_rate = 0.02, amsgrad = true), 9, false), (AdamW(learning_rate = 0.02), nothing, false),
        (RMSprop(learning_rate = 0.01, momentum = 0.5, centered = true, schedule = StepDecay(30)), 13, false))
    net, p = small_problem()
    options = (alg = rule, batchsize = batchsize, batchseed = 3, replacement = replacement, BUDGET...)
    whole = train(net, p; options...)
    @test whole.flow.iterations == 120 && whole.flow.algorithm === MLPFlow.name(rule)
    in_folder() do path
        @test same_run(whole, train(net, p; checkpoint = path, checkpoint_interval = 0, options...))
        @test same_run(whole, train_in_pieces(net, p, path, rand(MersenneTwister(5), 1:9, 60); options...))
        for step in (2, 3, 17, 120, 122)
            @test_throws ErrorException train(net, p; checkpoint = path, checkpoint_interval = 0, monitor = Stop(step, :throw), options...)
            @test same_run(whole, train(net; resume = path, verbosity = 0, result = :raw))
        end
        @test_throws ArgumentError train(net; resume = path, verbosity = 0, result = :raw, alg = Adam(learning_rate = 0.5))
        @test_throws ArgumentError train(net; resume = path, verbosity = 0, result = :raw, batchseed = 4)
        # More steps than were asked for in the beginning.
        more = train(net; resume = path, verbosity = 0, result = :raw, maxiterations_ode = 150)
        @test same_run_but_options(more, train(net, p; options..., maxiterations_ode = 150))
    end
end

@testset "at every single step" begin
    net, p = small_problem(seed = 4)
    options = (BUDGET..., maxiterations_ode = 40, maxiterations_optim = 25)
    whole = train(net, p; options...)
    in_folder(path -> @test same_run(whole, train_in_pieces(net, p, path, ones(Int, 80); options...)))
end

@testset "frozen parameters, $solver" for solver in RESUMED_OPTIMIZERS
    net, p = small_problem(seed = 2)
    tauinv = [isodd(i) ? 1.0 + i / 10 : i == 4 ? 0.0 : 1.0 for i in 1:length(p)]
    p[4] = -0.0
    options = (tauinv = tauinv, optim_solver = solver, maxnorm = 0.3, merge = (1, (1, 3), 0.1), BUDGET...)
    whole = train(net, p; options...)
    @test whole.x[4] === -0.0
    in_folder() do path
        @test same_run(whole, train_in_pieces(net, p, path, rand(MersenneTwister(6), 1:9, 60); options...))
    end
end

@testset "an objective that is no network" begin
    rosenbrock(scale) = FunctionObjective(2; value = x -> scale * (100 * (x[2] - x[1]^2)^2 + (1 - x[1])^2),
        gradient! = (g, x) -> (g[1] = scale * (-400 * x[1] * (x[2] - x[1]^2) - 2 * (1 - x[1])); g[2] = scale * 200 * (x[2] - x[1]^2)),
        hessian! = (H, x) -> (H .= scale * [1200*x[1]^2-400*x[2]+2 -400*x[1]; -400*x[1] 200.0]))
    whole = run_training(rosenbrock(1), [-1.2, 1.0]; maxiterations_ode = 50)
    in_folder() do path
        run_training(rosenbrock(1), [-1.2, 1.0]; maxiterations_ode = 50, checkpoint = path, monitor = Stop(30))
        @test_throws ArgumentError run_training(rosenbrock(2); resume = path)
        @test same_run(whole, run_training(rosenbrock(1); resume = path))
    end
end

@testset "budgets that are raised lead to the run that they would have made" begin
    net, p = small_problem(seed = 3)
    resumed(path; kwargs...) = train(net; resume = path, verbosity = 0, result = :raw, kwargs...)
    in_folder() do path
        # The end again, when nothing is raised, from either door of the function.
        short = train(net, p; checkpoint = path, BUDGET...)
        @test short.status === :maxiterations
        @test same_run(short, resumed(path)) && same_run(short, train(net, p; resume = path, verbosity = 0, result = :raw))
        # The optimizer goes on; then the flow, and with it a new optimization.
        more = train(net, p; BUDGET..., maxiterations_optim = 90)
        @test more.optim.iterations > short.optim.iterations
        @test same_run(more, resumed(path; maxiterations_optim = 90))
        longer = train(net, p; BUDGET..., maxiterations_optim = 90, maxiterations_ode = 150)
        @test longer.flow.iterations == 150
        @test same_run(longer, resumed(path; maxiterations_ode = 150))
        @test same_run(longer, resumed(path))
        # A budget below what has been used ends the run where it is.
        @test resumed(path; maxiterations_optim = 0).optim.iterations == longer.optim.iterations
        # A flow alone; then an optimizer after it; a flow before it.
        only_flow = train(net, p; checkpoint = path, BUDGET..., maxiterations_optim = 0)
        @test only_flow.optim === nothing && same_run(short, resumed(path; maxiterations_optim = 60))
        train(net, p; checkpoint = path, BUDGET..., maxiterations_ode = 0)
        @test same_run(short, resumed(path; maxiterations_ode = 120))
        # Neither.
        nobody = train(net, p; checkpoint = path, BUDGET..., maxiterations_ode = 0, maxiterations_optim = 0)
        @test nobody.status === :not_run && same_run(short, resumed(path; maxiterations_ode = 120, maxiterations_optim = 60))
        # maxT: the last step was shortened to end there, and so the bits differ, but the flow is the same.
        train(net, p; checkpoint = path, BUDGET..., maxiterations_ode = 10^5, maxT = 3.0)
        far = resumed(path; maxT = 6.0)
        straight = train(net, p; BUDGET..., maxiterations_ode = 10^5, maxT = 6.0)
        @test far.flow.t == 6.0 && far.flow.status === :maxT && isapprox(far.flow.x, straight.flow.x; atol = 1e-5)
        # Tolerances.
        loose = train(net, p; checkpoint = path, BUDGET..., maxiterations_optim = 500, min_gnorm = 1e-3)
        @test loose.converged
        tight = train(net, p; BUDGET..., maxiterations_optim = 500, min_gnorm = 1e-6)
        @test same_run(tight, resumed(path; min_gnorm = 1e-6)) && tight.gnorm <= 1e-6
    end
end

@testset "seconds go on where they stopped" begin
    net, p = small_problem()
    in_folder() do path
        train(net, p; checkpoint = path, monitor = Stop(20), BUDGET...)
        before = read_checkpoint(path)
        @test before.flow.status === :interrupted && before.flow.seconds > 0 && before.seconds >= before.flow.seconds
        after = train(net; resume = path, maxtime_ode = before.flow.seconds, verbosity = 0, result = :raw)
        @test after.flow.status === :maxtime && after.flow.iterations == 20 && after.flow.time >= before.flow.seconds
        @test after.total_time >= before.seconds
    end
end

@testset "resume = true" begin
    net, p = small_problem()
    whole = train(net, p; BUDGET...)
    in_folder() do path
        restart(monitor) = train(net, p; checkpoint = path, resume = true, monitor = monitor, BUDGET...)
        @test restart(Stop(10)).flow.iterations == 10
        @test restart(Stop(10, :callback)).flow.iterations == 20
        @test same_run(whole, restart(Stop(0)))
        @test same_run(whole, restart(Stop(0)))
        other = joinpath(dirname(path), "other")
        @test same_run(whole, train(net; resume = path, checkpoint = other, verbosity = 0, result = :raw))
        @test same_run(whole, train(net; resume = other, checkpoint = nothing, verbosity = 0, result = :raw))
    end
    @test_throws ArgumentError train(net, p; resume = true, BUDGET...)
end

@testset "another problem is refused: $what" for (what, words) in (
        "input" => "other numbers in input", "target" => "other numbers in target", "weights" => "other numbers in weights",
        "samples" => "samples is 30 instead of 40", "layers" => "layers is (3 tanh, bias, 1 identity) instead of (3 tanh, bias, 1 identity, bias)",
        "activation" => "3 softplus", "own activation" => "other numbers in activations", "maxnorm" => "maxnorm is 2.0 instead of Inf",
        "merge" => "other numbers in merge", "losstype" => "losstype is cross_entropy instead of mse", "precision" => "Float32",
        "start" => "expected the start", "alg" => "expected alg = auto", "abstol" => "expected abstol = 1.0e-6", "tauinv" => "expected tauinv = none",
        "samples of the trajectory" => "expected n_samples_trajectory = 100", "solver" => "expected optim_solver")
    net, p = small_problem()
    X, Y, layers = MLPFlow.inputs(net), MLPFlow.targets(net), ((3, tanh, true), (1, identity, true))
    make(; layers = layers, input = X, target = Y, kwargs...) = Net(; layers = layers, input = input, target = target, kwargs...)
    own(f) = ((3, UserActivation("mine", x -> f * sin(x), x -> f * cos(x), x -> -f * sin(x)), true), (1, identity, true))
    changed(A) = (B = copy(A); B[end] = nextfloat(B[end]); B)
    in_folder() do path
        what == "own activation" && (net = make(layers = own(1.0)))
        train(net, p; checkpoint = path, monitor = Stop(10), BUDGET...)
        bytes = read(path)
        resumed(other, q = nothing; kwargs...) = train(other, q; resume = path, verbosity = 0, kwargs...)
        refused = Dict("input" => () -> resumed(make(input = changed(X))), "target" => () -> resumed(make(target = changed(Y))),
            "weights" => () -> resumed(make(weights = changed(ones(40)))), "samples" => () -> resumed(make(input = X[:, 1:30], target = Y[:, 1:30])),
            "layers" => () -> resumed(make(layers = ((3, tanh, true), (1, identity, false)))),
            "activation" => () -> resumed(make(layers = ((3, softplus, true), (1, identity, true)))),
            "own activation" => () -> resumed(make(layers = own(1.1))), "maxnorm" => () -> resumed(net; maxnorm = 2.0),
            "merge" => () -> resumed(net; merge = (1, (1, 2), 0.5)), "losstype" => () -> resumed(make(target = ones(1, 40)); losstype = CrossEntropy()),
            "precision" => () -> resumed(make(precision = Float32)), "start" => () -> resumed(net, changed(p)), "alg" => () -> resumed(net; alg = :DP5),
            "abstol" => () -> resumed(net; abstol = 1e-7), "tauinv" => () -> resumed(net; tauinv = 2), "solver" => () -> resumed(net; optim_solver = :bfgs),
            "samples of the trajectory" => () -> resumed(net; n_samples_trajectory = 50))[what]
        e = try refused(); nothing catch e e end
        @test e isa ArgumentError && occursin(words, e.msg) && occursin(path, e.msg)
        @test read(path) == bytes
        @test resumed(net, p; alg = :auto, abstol = 1e-6, maxnorm = Inf, result = :raw) isa MLPFlow.Training
    end
end

@testset "no checkpoint, another file, a damaged one" begin
    net, p = small_problem()
    in_folder() do path
        refused(f) = (e = try f(); nothing catch e e end; e isa ArgumentError && !occursin('\n', e.msg))
        @test refused(() -> train(net; resume = path, verbosity = 0))
        @test refused(() -> train(net; verbosity = 0))
        write(path, "a,b\n1,2\n")
        @test refused(() -> train(net; resume = path, verbosity = 0))
        @test refused(() -> train(net, p; checkpoint = path, verbosity = 0)) && read(path, String) == "a,b\n1,2\n"
        rm(path)
        @test refused(() -> train(net, p; checkpoint = joinpath(path, "run"), verbosity = 0))
        @test refused(() -> train(net, p; checkpoint = dirname(path), verbosity = 0))
        @test refused(() -> train(net, p; checkpoint = path, checkpoint_interval = -1, verbosity = 0))
        train(net, p; checkpoint = path, monitor = Stop(130), BUDGET...)
        bytes, rng = read(path), MersenneTwister(8)
        for trial in 1:200
            damaged = copy(bytes)
            trial % 3 == 0 && (damaged = damaged[1:rand(rng, 1:end-1)])
            trial % 3 == 1 && (damaged[rand(rng, 1:end)] ⊻= rand(rng, 0x01:0xff))
            trial % 3 == 2 && (damaged[rand(rng, 1:end, 5)] .⊻= rand(rng, 0x01:0xff, 5))
            write(path, damaged)
            @test refused(() -> read_checkpoint(path))
        end
        # Sealed, but not a checkpoint; a checkpoint of other structs.
        write(path, MLPFlow.sealed(MLPFlow.CHECKPOINT_LINE, Dict("about" => 1)))
        @test refused(() -> read_checkpoint(path))
        write(path, bytes)
        content = MLPFlow.unsealed(MLPFlow.CHECKPOINT_LINE, bytes, path)
        optim = MLPFlow.unmsgpack(content["optim"])
        delete!(optim["run"], "stalled_gnorm")
        write(path, MLPFlow.sealed(MLPFlow.CHECKPOINT_LINE, merge(content, Dict("optim" => msgpack(optim)))))
        @test refused(() -> train(net; resume = path, verbosity = 0))
    end
end

@testset "a write that fails is a warning" begin
    net, p = small_problem()
    whole = train(net, p; BUDGET...)
    in_folder() do path
        folder = joinpath(dirname(path), "gone")
        mkdir(folder)
        lost = joinpath(folder, "run.ckpt")
        plan = MLPFlow.training_plan(MLPFlow.objective(net), p; checkpoint = lost, checkpoint_interval = 0, maxtime_ode = Inf, maxtime_optim = Inf,
                                     maxiterations_ode = 120, maxiterations_optim = 60)
        rm(folder; recursive = true)
        run = MLPFlow.carry_out(plan)
        @test isequal(run.x, whole.x) && length(run.warnings) == 1
        @test occursin("could not be written to $lost", run.warnings[1]) && occursin("this run has left none", run.warnings[1])
        # It comes back: later checkpoints are whole.
        mkdir(folder)
        @test MLPFlow.carry_out(plan).x == whole.x && read_checkpoint(lost).optim.status === whole.optim.status
        # Leftovers of processes that were killed go, other files stay.
        foreach(name -> write(joinpath(folder, name), "x"), (".run.ckpt.99-abc.part", ".run.ckpt2.99-abc.part", "a.part"))
        train(net, p; checkpoint = lost, BUDGET...)
        @test sort(readdir(folder)) == [".run.ckpt2.99-abc.part", "a.part", "run.ckpt"]
    end
end

@testset "made elsewhere: a warning" begin
    net, p = small_problem()
    in_folder() do path
        train(net, p; checkpoint = path, monitor = Stop(10), BUDGET...)
        content = MLPFlow.unsealed(MLPFlow.CHECKPOINT_LINE, read(path), path)
        about = MLPFlow.unmsgpack(content["about"])
        about["versions"]["Julia"] = "0.6"
        write(path, MLPFlow.sealed(MLPFlow.CHECKPOINT_LINE, merge(content, Dict("about" => msgpack(about)))))
        run = @test_logs (:warn, r"not to the same bits.*Julia is .* instead of 0.6") train(net; resume = path, verbosity = 0, result = :raw)
        @test length(run.warnings) == 1
    end
end

@testset "what is stale takes no room" begin
    P = 600
    o = FunctionObjective(P; value = x -> sum(abs2, x), gradient! = (g, x) -> (g .= 2 .* x), hessian! = (H, x) -> (H .= 2 * Matrix(I, P, P)))
    in_folder() do path
        run_training(o, ones(P); alg = :Rodas5P, n_samples_trajectory = 2, checkpoint = path, monitor = Stop(3))
        @test filesize(path) < 40 * P * sizeof(Float64) < P^2 * sizeof(Float64)
    end
end

@testset "without a checkpointer a step costs nothing more" begin
    @test (@allocated MLPFlow.checkpoint!(nothing, :flow, 1, 2)) == 0
end
