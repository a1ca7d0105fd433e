# Training: first the gradient flow, or a discrete dynamics in its place, then an optimizer from the best point seen on the way.

"""
    Training

What a training run found.

- `init`, `x`: start and result, flat (length P); `loss`, `gnorm` (infinity norm of the gradient over the parameters that are not
  frozen) at the result
- `converged`: the tolerance on the gradient norm or on the loss was met, and not on a way to infinity; `status`: why the run ended
- `flow::Union{FlowResult,Nothing}`, `optim::Union{OptimResult,Nothing}`: its two parts, `nothing` when not run
- `total_time`: seconds; `options`: the keywords of the run; `warnings`: sentences about what went wrong on the way without ending it
"""
struct Training
    init::Vector{Float64}
    x::Vector{Float64}
    loss::Float64
    gnorm::Float64
    converged::Bool
    status::Symbol
    flow::Union{FlowResult,Nothing}
    optim::Union{OptimResult,Nothing}
    total_time::Float64
    options::Dict{Symbol,Any}
    warnings::Vector{String}
end

# Every default of training, once.
const TRAINING_DEFAULTS = (alg = :auto, maxT = Inf, abstol = 1e-6, reltol = 1e-6, maxtime_ode = 180.0,
                           maxiterations_ode = 10^6, maxevaluations_ode = typemax(Int), n_samples_trajectory = 100,
                           tauinv = nothing, min_gnorm = 1e-15, minloss = 2e-32, batchsize = nothing, batchseed = 0,
                           replacement = false, optim_solver = :auto, maxtime_optim = 120.0, maxiterations_optim = 10^5,
                           patience = 10^6)

"""
    run_training(o::AbstractObjective, x0 = nothing; monitor = NoMonitor(), alg = :auto, maxT = Inf, abstol = 1e-6, reltol = 1e-6,
                 maxtime_ode = 180, maxiterations_ode = 10^6, maxevaluations_ode = typemax(Int),
                 n_samples_trajectory = 100, tauinv = nothing, min_gnorm = 1e-15, minloss = 2e-32, batchsize = nothing,
                 batchseed = 0, replacement = false, optim_solver = :auto, maxtime_optim = 120,
                 maxiterations_optim = 10^5, patience = 10^6, checkpoint = nothing, checkpoint_interval = 60,
                 resume = nothing) -> Training

Follow the gradient flow of any objective from `x0` (length P), or a discrete dynamics, then optimize from its best point; see
[`train`](@ref) for the keywords.
"""
run_training(o::AbstractObjective, x0 = nothing; kwargs...) = carry_out(training_plan(o, x0; kwargs...))

wants_flow(options) = options.maxtime_ode != 0 && options.maxiterations_ode != 0 && options.maxevaluations_ode != 0 &&
    options.maxT != 0

# A rule, with its defaults when it is named, or the name of an integrator.
chosen_dynamics(rule::AbstractRule, batchsize) = rule

function chosen_dynamics(alg, batchsize)
    haskey(RULES, Symbol(alg)) && return named_rule(Symbol(alg))
    batchsize === nothing || throw(ArgumentError("expected batchsize = nothing with alg = :$alg, because a gradient flow uses all " *
        "samples (a rule such as Adam() does not), got $batchsize"))
    return alg
end

flow_phase(o, x, options, plan, saved) =
    flow_phase(o, x, chosen_dynamics(options.alg, options.batchsize), options, plan, saved)

flow_phase(o, x, rule::AbstractRule, options, plan, saved) =
    descend(o, x, rule; maxT = options.maxT, maxtime = options.maxtime_ode, maxiterations = options.maxiterations_ode,
            maxevaluations = options.maxevaluations_ode, min_gnorm = options.min_gnorm, minloss = options.minloss,
            tauinv = options.tauinv, n_samples = options.n_samples_trajectory, batchsize = options.batchsize,
            batchseed = options.batchseed, replacement = options.replacement, monitor = plan.monitor,
            checkpointer = plan.checkpointer, saved = saved)

flow_phase(o, x, alg, options, plan, saved) =
    integrate(o, x; alg = alg, maxT = options.maxT, abstol = options.abstol, reltol = options.reltol,
              maxtime = options.maxtime_ode, maxiterations = options.maxiterations_ode,
              maxevaluations = options.maxevaluations_ode, tauinv = options.tauinv,
              min_gnorm = options.min_gnorm, minloss = options.minloss, n_samples = options.n_samples_trajectory,
              monitor = plan.monitor, checkpointer = plan.checkpointer, saved = saved)

# The best point of the flow; its end where the gradient met the tolerance there, since rounding decides between their losses.
flow_point(::Nothing, init) = init
flow_point(flow::FlowResult, init) = flow.status === :gradient_tolerance ? flow.x : flow.best_x

const FINAL_FLOW_STATUSES = (:gradient_tolerance, :loss_tolerance, :interrupted, :callback, :nonfinite_start)

wants_optim(flow, options) = options.maxtime_optim != 0 && options.maxiterations_optim != 0 &&
    (flow === nothing || !(flow.status in FINAL_FLOW_STATUSES))

# A parameter that the flow freezes (tauinv = 0) stays frozen in the optimizer.
function optim_phase(o, x, options, plan, saved)
    free = free_indices(options.tauinv, length(x))
    budgets = (solver = options.optim_solver, min_gnorm = options.min_gnorm, minloss = options.minloss,
               maxtime = options.maxtime_optim, maxiterations = options.maxiterations_optim, patience = options.patience,
               checkpointer = plan.checkpointer, saved = saved)
    length(free) == length(x) && return optimize(o, x; monitor = plan.monitor, budgets...)
    isempty(free) && return nothing
    restricted = RestrictedObjective(o, x, free)
    return with_point(optimize(restricted, x[free]; monitor = FullPointMonitor(plan.monitor, restricted), budgets...), restricted)
end

free_indices(::Nothing, P::Int) = collect(1:P)
free_indices(tauinv::Real, P::Int) = tauinv == 0 ? Int[] : collect(1:P)
free_indices(tauinv::AbstractVector, P::Int) = findall(!iszero, tauinv)

# The monitor of a restricted run still sees all parameters.
struct FullPointMonitor{M<:AbstractMonitor,O} <: AbstractMonitor
    monitor::M
    restricted::O
end

signal(m::FullPointMonitor, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64, stepsize::Float64,
       x::Vector{Float64}) = signal(m.monitor, phase, iteration, t, loss, gnorm, stepsize, full_point(m.restricted, x))

with_point(r::OptimResult, restricted::RestrictedObjective) =
    OptimResult(r.status, copy(full_point(restricted, r.x)), r.loss, r.gnorm, r.iterations, r.gradient_evaluations,
                r.hessian_evaluations, r.product_evaluations, r.factorizations, r.loss_curve, r.gnorm_curve, r.iteration_curve,
                r.algorithm, r.handovers, r.time, r.converged)

# The optimizer's point where it ran; else the best point of the flow, or the start.
function assemble(o, init, flow, optim, options, seconds, warnings)
    last_part = optim !== nothing ? optim : flow
    x = optim !== nothing ? optim.x : flow_point(flow, init)
    g = gradient!(similar(x), o, x)
    final_loss = value(o, x)
    gnorm = infinity_norm(g, free_indices(options.tauinv, length(x)))
    away = final_loss > options.minloss && gnorm <= options.min_gnorm && last_part !== nothing &&
        runs_away(o, x; tauinv = options.tauinv, min_gnorm = options.min_gnorm, growth = flow === nothing ? Float64[] : flow.growth)
    converged = !away && (gnorm <= options.min_gnorm || final_loss <= options.minloss)
    status = last_part === nothing ? :not_run : away ? :at_infinity : last_part.status
    return Training(init, copy(x), final_loss, gnorm, converged, status, flow, optim, seconds, Dict{Symbol,Any}(pairs(options)),
                    warnings)
end

"""
    train(net, p = nothing; losstype = net.losstype, maxnorm = Inf, merge = nothing,
          alg = :auto, maxT = Inf, abstol = 1e-6, reltol = 1e-6, tauinv = nothing,
          maxtime_ode = 180, maxiterations_ode = 10^6, maxevaluations_ode = typemax(Int), n_samples_trajectory = 100,
          optim_solver = :auto, maxtime_optim = 120, maxiterations_optim = 10^5, patience = 10^6,
          min_gnorm = 1e-15, minloss = 2e-32, batchsize = nothing, batchseed = 0, replacement = false,
          checkpoint = nothing, checkpoint_interval = 60, resume = nothing,
          verbosity = 1, show_progress = verbosity > 0, progress_interval = 5, result = :dict,
          include = nothing, exclude = String[]) -> Dict

Follow the gradient flow of the loss from `p`, or a discrete dynamics, then optimize to a minimum.

- `alg`: an integrator of the flow, $(join(flow_algorithms(), ", ")), or a rule, `GradientDescent(learning_rate = 0.1)`,
  `HeavyBall`, `Nesterov`, `Adam`, `AdamW` or `RMSprop`, whose time is the sum of its learning rates, see [`descend`](@ref);
  `maxT`: time to follow the flow; `abstol`, `reltol`: its accuracy; `tauinv`: inverse
  time scales, a number or one a parameter in the flat order (0 freezes a parameter, in the optimizer too)
- `maxtime_ode`, `maxtime_optim` in seconds, `maxiterations_ode`, `maxiterations_optim`: budgets; 0 leaves that part out;
  `maxevaluations_ode`: gradients, Hessians and products of a Hessian with a vector that the flow may spend
- `n_samples_trajectory`: points of the trajectory kept
- `optim_solver`: as `solver` of [`optimize`](@ref); `patience`: iterations without improvement
- `min_gnorm`: infinity norm of the gradient, `minloss`: loss at which a run ends as converged
- `batchsize`: samples a step of a rule, `nothing`: all (a flow uses all); `batchseed`: of their order; `replacement`: each step
  draws its samples
- `checkpoint`: a file that the state of the run is written to every `checkpoint_interval` seconds (0: after each step), at the end
  of the flow and of the run, atomically. A write that fails is a warning, not the end of the run
- `resume`: such a file, to go on with its run, to the same bits as without a pause where no budget in seconds plays a part. The
  network, its data and the keywords must be those of the file; what is not given, `p` included, is taken from there, and budgets
  (`maxT`, `maxtime_*`, `maxiterations_*`, `maxevaluations_ode`, `min_gnorm`, `minloss`, `patience`) may be changed to go further.
  It is then written to again, unless `checkpoint` says another place or `nothing`. `resume = true` goes on from `checkpoint` if
  that exists and starts afresh otherwise
- `result = :raw` returns the `Training` instead of the dictionary; `include`, `exclude`: keys of the dictionary to keep
  or to leave out

Keys: loss, ode_loss, gnorm, gnorm_regularized, init, x, ode_x (dictionaries "w1" => matrix), trajectory (time => dictionary),
loss_curve, ode_iterations, optim_iterations, ode_time_run, optim_time_run, total_time, ode_stopped_by, optim_stopped_by,
status, message, converged, warnings, input, target, layerspec, weights, teacher, integration_error (of the loss of a quadrature net,
`nothing` for others). `gnorm` is the gradient norm of the data's loss,
`gnorm_regularized` that of the loss with penalties. Ctrl-C ends the run with the best point so far.
"""
train(net::Net, p = nothing; kwargs...) = train_network(net, p; kwargs...)

# What is trained has layers and an `objective`.
function train_network(net, p; losstype = missing, maxnorm = missing, merge = missing,
               verbosity::Integer = 1, show_progress::Bool = verbosity > 0, progress_interval::Real = 5,
               result::Symbol = :dict, include = nothing, exclude = String[], monitor = nothing, checkpoint = missing,
               resume = nothing, kwargs...)
    result in (:dict, :raw) || throw(ArgumentError("expected result to be :dict or :raw, got :$result"))
    saved = saved_run(resume, checkpoint)
    loss, c, merged = penalties_of(saved, default_losstype(net), losstype, maxnorm, merge)
    o = training_objective(net, loss, c, merged)
    x0 = p === nothing ? nothing : flat_params(net, p)
    watch = monitor === nothing ? TextMonitor(interval = progress_interval, show = show_progress) : monitor
    run = disable_sigint(() -> run_training(o, x0; monitor = watch, checkpoint = checkpoint, resume = saved, kwargs...))
    foreach(sentence -> @warn(sentence), run.warnings)
    result === :raw && return run
    return selected(training_dict(net, run, loss), include, exclude)
end

default_losstype(net::Net) = net.losstype
training_objective(net::Net, loss::AbstractLoss, maxnorm, merge) = objective(net; losstype = loss, maxnorm = maxnorm, merge = merge)

selected(d::Dict, include, exclude) =
    filter(entry -> (include === nothing || entry[1] in include) && !(entry[1] in exclude), d)

function training_dict(net, run::Training, losstype::AbstractLoss)
    as_dict(x) = params2dict(Params(net, x))
    flow, optim = run.flow, run.optim
    data_gnorm = maximum(abs, gradient!(similar(run.x), training_objective(net, losstype, Inf, nothing), run.x))
    return Dict{String,Any}(
        "loss" => run.loss, "gnorm" => data_gnorm, "gnorm_regularized" => run.gnorm, "converged" => run.converged,
        "status" => run.status, "message" => status_message(run.status), "warnings" => run.warnings,
        "init" => as_dict(run.init), "x" => as_dict(run.x),
        "ode_x" => as_dict(flow === nothing ? run.init : flow.x), "ode_loss" => flow === nothing ? NaN : flow.loss,
        "trajectory" => flow === nothing ? Dict{Float64,Any}() :
            Dict{Float64,Any}(t => as_dict(flow.trajectory.x[:, k]) for (k, t) in enumerate(flow.trajectory.t)),
        "loss_curve" => vcat(flow === nothing ? Float64[] : flow.trajectory.loss, optim === nothing ? Float64[] : optim.loss_curve),
        "ode_iterations" => flow === nothing ? 0 : flow.iterations, "optim_iterations" => optim === nothing ? 0 : optim.iterations,
        "ode_time_run" => flow === nothing ? 0.0 : flow.time, "optim_time_run" => optim === nothing ? 0.0 : optim.time,
        "total_time" => run.total_time, "ode_stopped_by" => flow === nothing ? "not_run" : string(flow.status),
        "optim_stopped_by" => optim === nothing ? "not_run" : string(optim.status), "layerspec" => layerspec(net),
        "integration_error" => training_integration_error(net, run.x, losstype), training_data(net)...)
end

training_integration_error(net::Net, x, losstype) = net.source === nothing ? nothing : integration_error(net, x; losstype = losstype)
training_integration_error(net, x, losstype) = nothing

training_data(net::Net) = ("input" => inputs(net), "target" => targets(net), "weights" => net.weights, "teacher" => nothing)

layerspec(net) = Tuple((k, f isa AbstractVector ? map(activation_name, f) : activation_name(f), bias)
                            for (k, f, bias) in layer_specification(net.layers))

infinity_norm(g::AbstractVector, indices) = mapreduce(i -> abs(g[i]), max, indices; init = 0.0)
