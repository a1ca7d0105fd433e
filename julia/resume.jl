# A training run to be carried out: from its start, or from a checkpoint on.
#
# The rule: a resumed run is the run that the keywords would have made from the start. Keywords that are not given are those
# of the checkpoint; those that are given must be the same, but for budgets, which may be changed to go further.

const BUDGETS = (:maxT, :maxtime_ode, :maxiterations_ode, :maxevaluations_ode, :maxtime_optim, :maxiterations_optim,
                 :min_gnorm, :minloss, :patience)

const PROJECT_FILE = joinpath(@__DIR__, "..", "Project.toml")
Base.include_dependency(PROJECT_FILE)
const ENGINE_VERSION = String(match(r"^version = \"(.*)\""m, read(PROJECT_FILE, String))[1])

"""
    TrainingPlan

What `carry_out` needs: objective, flat start, keywords, monitor, the checkpoint to go on from and the one to write (`nothing`
when there is none), and when the run began, as if without a pause. Nothing is gained by knowing the types of the keywords.
"""
struct TrainingPlan
    objective::AbstractObjective
    init::Vector{Float64}
    options::NamedTuple
    monitor::AbstractMonitor
    saved::Union{Nothing,SavedRun}
    checkpointer::Union{Nothing,Checkpointer}
    start::Float64
end

"""
    saved_run(resume, checkpoint) -> SavedRun or nothing

The checkpoint that the keywords of `train` ask to go on from: the file `resume`, or with `resume = true` the file `checkpoint`
if there is one.
"""
saved_run(saved::SavedRun, checkpoint) = saved
saved_run(::Nothing, checkpoint) = nothing
saved_run(path::AbstractString, checkpoint) = read_checkpoint(path)

function saved_run(resume::Bool, checkpoint)
    resume || return nothing
    checkpoint isa AbstractString ||
        throw(ArgumentError("expected resume = true together with checkpoint = \"a file\", got checkpoint = $checkpoint"))
    return isfile(checkpoint) ? read_checkpoint(checkpoint) : nothing
end

"""
    training_plan(o, x0; monitor, checkpoint, checkpoint_interval, resume, keywords...) -> TrainingPlan

Check all arguments of `run_training`, which these are, before any work starts. `missing` stands for a keyword that is not
given.
"""
function training_plan(o::AbstractObjective, x0; monitor::AbstractMonitor = NoMonitor(), checkpoint = missing,
                       checkpoint_interval = missing, resume = nothing, kwargs...)
    given = values(kwargs)
    unknown = setdiff(keys(given), keys(TRAINING_DEFAULTS))
    isempty(unknown) ||
        throw(ArgumentError("expected the keywords $(join(keys(TRAINING_DEFAULTS), ", ")), got $(first(unknown))"))
    saved = saved_run(resume, checkpoint)
    options = saved === nothing ? merge(TRAINING_DEFAULTS, given) : resumed_options(saved, given)
    check_requirements(as_solver(options.optim_solver), o)
    saved === nothing || check_fingerprint(plain(fingerprint(o, saved.about["start"])), saved.about["fingerprint"], saved.path)
    init = starting_point(x0, saved)
    length(init) == nparams(o) || throw(ArgumentError("expected $(nparams(o)) starting parameters, got $(length(init))"))
    seconds = saved === nothing ? 0.0 : saved.seconds
    interval = checkpoint_interval !== missing ? checkpoint_interval :
        saved === nothing ? CHECKPOINT_INTERVAL : saved.about["interval"]
    path = checkpoint !== missing ? checkpoint : saved === nothing ? nothing : saved.path
    checkpointer = path === nothing ? nothing :
        Checkpointer(path, about(o, init, options, interval); interval = interval, seconds = seconds)
    if checkpointer !== nothing && saved !== nothing
        checkpointer.flow, checkpointer.optim = saved.bytes
    end
    return TrainingPlan(o, init, options, monitor, saved, checkpointer, time() - seconds)
end

starting_point(x0::AbstractVector, ::Nothing) = collect(Float64, x0)
starting_point(::Nothing, saved::SavedRun) = copy(saved.about["start"])
starting_point(::Nothing, ::Nothing) =
    throw(ArgumentError("expected a starting point, which only a run that is resumed does without"))

function starting_point(x0::AbstractVector, saved::SavedRun)
    isequal(collect(Float64, x0), saved.about["start"]) || throw(ArgumentError(
        "resume: expected the start of the run in the checkpoint $(saved.path), or no start, got another one"))
    return starting_point(nothing, saved)
end

# Loss, maxnorm and merge of a run: what is given, else those of the checkpoint, else the defaults.
function penalties_of(saved::Union{Nothing,SavedRun}, default_loss::AbstractLoss, loss, maxnorm, merge)
    stored = saved === nothing ? Dict{String,Any}() : saved.about["fingerprint"]
    chosen(value, name, default) = value === missing ? get(stored, name, default) : value
    name = chosen(loss, "losstype", default_loss)
    return name isa AbstractString ? losstype(name) : name, chosen(maxnorm, "maxnorm", Inf), chosen(merge, "merge", nothing)
end

# What a checkpoint says about its run.
function about(o::AbstractObjective, init::Vector{Float64}, options::NamedTuple, interval)
    return Dict{String,Any}("versions" => versions(), "fingerprint" => fingerprint(o, init), "start" => init,
                            "options" => map(option_to_file, options), "interval" => Float64(interval))
end

"""
    option_to_file(value)
    option_from_file(default, data)

The value of a keyword as plain data, and the value that the data stands for; `default` is that of the keyword. A keyword that
takes other things than numbers, text, symbols and arrays of numbers has methods here.
"""
option_to_file(value) = value
option_from_file(default, data) = data
option_from_file(::Symbol, name::String) = Symbol(name)
option_to_file(rule::AbstractRule) = describe_rule(rule)
option_to_file(solver::AbstractSolver) = describe_solver(solver)
option_from_file(::Symbol, d::AbstractDict) = haskey(SOLVERS, Symbol(d["kind"])) ? as_solver(d) : make_rule(d)

# All that can make the same computation round differently.
function versions()
    blas = blas_information()
    return Dict{String,Any}("mlpflow" => ENGINE_VERSION, "Julia" => string(VERSION), "Julia threads" => Threads.nthreads(),
                            "processor" => Sys.CPU_NAME, "BLAS kernel" => blas["kernel"], "BLAS threads" => blas["threads"])
end

# As it comes back from a file.
plain(value) = unmsgpack(msgpack(value))

function resumed_options(saved::SavedRun, given::NamedTuple)
    stored = saved.about["options"]
    values = map(keys(TRAINING_DEFAULTS)) do name
        default = TRAINING_DEFAULTS[name]
        old = get(stored, String(name), plain(option_to_file(default)))
        haskey(given, name) || return option_from_file(default, old)
        name in BUDGETS || isequal(plain(option_to_file(given[name])), old) || throw(ArgumentError(
            "resume: expected $name = $(shown(old)), as in the checkpoint $(saved.path), got $(shown(given[name]))"))
        return given[name]
    end
    return NamedTuple{keys(TRAINING_DEFAULTS)}(values)
end

"""
    carry_out(plan::TrainingPlan) -> Training

Follow the flow and optimize, from the start or from where a checkpoint was written.
"""
function carry_out(plan::TrainingPlan)
    o, options, saved = plan.objective, plan.options, plan.saved
    old_flow, old_optim = saved === nothing ? (nothing, nothing) : (saved.flow, saved.optim)
    flow = old_flow !== nothing || wants_flow(options) ? flow_phase(o, plan.init, options, plan, old_flow) : nothing
    # A flow that has gone further leads to another optimization, and so does one that is new.
    kept = old_flow === nothing ? flow === nothing : !old_flow.went_on
    kept || (old_optim = nothing)
    x = flow_point(flow, plan.init)
    optim = old_optim !== nothing || wants_optim(flow, options) ? optim_phase(o, x, options, plan, old_optim) : nothing
    plan.checkpointer !== nothing && plan.checkpointer.written == 0 && write!(plan.checkpointer)
    return assemble(o, plan.init, flow, optim, options, time() - plan.start, complaints(plan))
end

function complaints(plan::TrainingPlan)
    sentences = String[]
    about_writing = complaint(plan.checkpointer)
    about_writing === nothing || push!(sentences, about_writing)
    plan.saved === nothing && return sentences
    now, then = plain(versions()), plan.saved.about["versions"]
    differs(name) = !isequal(get(now, name, nothing), get(then, name, nothing))
    changed = ["$name is $(get(now, name, nothing)) instead of $(get(then, name, nothing))"
               for name in sort!(collect(union(keys(now), keys(then)))) if differs(name)]
    isempty(changed) || push!(sentences, "the run has gone on, but not to the same bits, from a checkpoint made elsewhere: " *
                                         join(changed, "; "))
    return sentences
end
