# Training for a client: options in, one plain dictionary out, parameters in the client's order.

HANDLERS["train"] = function (call)
    n = network(call)
    plan, settings = try
        client_plan(call, n)
    catch e
        # What is wrong with the arguments the client says in its own way.
        e isa ArgumentError || rethrow()
        return Dict("refused" => e.msg)
    end
    run = carry_out(plan)
    description = describe_training(run, n.order)
    description["data_gnorm"] = settings == NO_PENALTIES ? run.gnorm : data_gnorm(n, run)
    plan.saved === nothing || (description["options"] = describe_options(run.options, settings, n.order))
    return description
end

# The plan of the run, and its penalties. `given` are the names of the options that the user has written, all others are
# defaults: a run that is resumed has its own.
function client_plan(call::Call, n::Network)
    a = call.arguments
    saved = saved_run(get(a, "resume", nothing), nothing)
    given = saved === nothing ? collect(keys(a["options"])) : a["given"]
    written(name, shift) = saved === nothing || name in given ? shift(get(a, name, nothing)) : missing
    _, maxnorm, merged = penalties_of(saved, default_losstype(n.net), missing, written("maxnorm", as_maxnorm),
                                      written("merge", shifted_merge))
    options = Dict(name => a["options"][name] for name in given if haskey(a["options"], name))
    monitor = ClientMonitor(call, n.order; every=a["every"], callback=a["callback"])
    saved === nothing || (monitor.started -= round(UInt64, 1e9 * saved.seconds))
    # Its own objective: the client may evaluate this network from a callback while the run goes on.
    start = a["p"] === nothing ? nothing : parameters(call, n)
    plan = training_plan(new_objective(n, (maxnorm, merged)), start; monitor=monitor, checkpoint=get(a, "checkpoint", nothing),
                         resume=saved, checkpoint_interval=something(get(a, "checkpoint_interval", nothing), Some(missing)),
                         training_options(options, n.order)...)
    return plan, (maxnorm, merged)
end

as_maxnorm(c) = c === nothing ? Inf : Float64(c)

# The norm without the penalties, over the parameters that were not frozen.
function data_gnorm(n::Network, run)
    g = gradient!(similar(run.x), new_objective(n, NO_PENALTIES), run.x)
    return infinity_norm(g, free_indices(run.options[:tauinv], length(g)))
end

HANDLERS["minibatches"] = function (call)
    a = call.arguments
    found = minibatches(a["samples"], a["batchsize"]; batchseed=a["batchseed"], epoch=a["epoch"] + 1, replacement=a["replacement"])
    return [batch .- 1 for batch in found]
end

const NAMED_OPTIONS = ("alg", "optim_solver")

function training_options(options::AbstractDict, order)
    return [Symbol(name) => training_option(name, value, order) for (name, value) in options]
end

function training_option(name, value, order)
    name == "alg" && value isa AbstractDict && return make_rule(value)
    name == "optim_solver" && value isa AbstractDict && return as_solver(value)
    name in NAMED_OPTIONS && value isa AbstractString && return Symbol(value)
    name == "tauinv" && value isa AbstractVector && return from_python(value, order)
    return value
end

describe_training(run, order) = Dict{String,Any}(
    "init" => to_python(run.init, order), "x" => to_python(run.x, order), "loss" => run.loss, "gnorm" => run.gnorm,
    "converged" => run.converged, "status" => String(run.status), "total_time" => run.total_time,
    "flow" => describe_flow(run.flow, order), "optim" => describe_optim(run.optim, order), "warnings" => run.warnings)

# The keywords that a resumed run has had, those of its checkpoint included.
function describe_options(options, (maxnorm, merged), order)
    described = Dict{String,Any}(String(name) => option_to_file(value) for (name, value) in options)
    options[:tauinv] isa AbstractVector && (described["tauinv"] = to_python(options[:tauinv], order))
    described["maxnorm"] = maxnorm
    described["merge"] = merged === nothing ? nothing : (merged[1] - 1, merged[2] .- 1, merged[3])
    return described
end

describe_flow(::Nothing, order) = nothing
describe_flow(r, order) = Dict(
    "status" => String(r.status), "t" => r.t, "x" => to_python(r.x, order), "loss" => r.loss, "gnorm" => r.gnorm,
    "best_x" => to_python(r.best_x, order), "best_loss" => r.best_loss, "iterations" => r.iterations,
    "accepted" => r.accepted, "rejected" => r.rejected, "gradient_evaluations" => r.gradient_evaluations,
    "hessian_evaluations" => r.hessian_evaluations, "product_evaluations" => r.product_evaluations,
    "factorizations" => r.factorizations, "algorithm" => String(r.algorithm), "time" => r.time,
    "handovers" => [Any[t, String(name)] for (t, name) in r.handovers],
    "growth" => isempty(r.growth) ? nothing : to_python(r.growth, order),
    "trajectory" => Dict("t" => r.trajectory.t, "params" => to_python(r.trajectory.x, order),
                         "loss" => r.trajectory.loss))

describe_optim(::Nothing, order) = nothing
describe_optim(r, order) = Dict(
    "status" => String(r.status), "x" => to_python(r.x, order), "loss" => r.loss, "gnorm" => r.gnorm,
    "iterations" => r.iterations, "gradient_evaluations" => r.gradient_evaluations,
    "hessian_evaluations" => r.hessian_evaluations, "product_evaluations" => r.product_evaluations,
    "factorizations" => r.factorizations, "handovers" => [Any[k, String(name)] for (k, name) in r.handovers],
    "loss_curve" => r.loss_curve, "gnorm_curve" => r.gnorm_curve, "iteration_curve" => r.iteration_curve,
    "algorithm" => String(r.algorithm), "time" => r.time, "converged" => r.converged)

# Arrays of parameters (P x T in Julia) in either order: the distance does not depend on it.
HANDLERS["trajectory_distance"] = function (call)
    a = call.arguments
    distances, indices = match_forward(a["a"], a["b"])
    return Dict("distances" => distances, "indices" => indices .- 1)
end
