# A run's checkpoint: its state in a file, now and then, so that it can go on from there to the same bits.
#
# The file (io/checked_file.jl) holds a map of
#
#     about       what does not change: versions, fingerprint of the problem, start, keywords (packed MessagePack)
#     seconds     the time that the run has taken so far
#     flow        the flow's section, packed, or nothing before its first step
#     optim       the optimizer's section, packed, or nothing before its first step
#
# and a section holds the state of a phase: the run's struct, that of its method, how it stands (`running`, or the status that
# it has ended with) and its seconds.

const CHECKPOINT_LINE = "mlpflow checkpoint 1\n"
const CHECKPOINT_INTERVAL = 60.0        # seconds between two checkpoints, by default

"""
    Checkpointer(path, about; interval = 60.0, seconds = 0.0)

Writes the checkpoints of a run to the file `path` at most once in `interval` seconds (0: after every step). `about` is plain
data that tells which run it is, `seconds` the time that the run has taken before. A write that fails is counted and the run
goes on; the last good checkpoint stays. Throws an `ArgumentError` when no file can be made there, or when the one that is
there is no checkpoint.
"""
mutable struct Checkpointer
    path::String
    temporary::String
    interval::UInt64                    # nanoseconds
    next::UInt64
    about::Vector{UInt8}
    flow::Union{Nothing,Vector{UInt8}}
    optim::Union{Nothing,Vector{UInt8}}
    start::Float64
    written::Int
    failures::Int
    last_failure::String
end

function Checkpointer(path::AbstractString, about; interval::Real=CHECKPOINT_INTERVAL, seconds::Real=0.0)
    interval >= 0 || throw(ArgumentError("expected checkpoint_interval >= 0 seconds, got $interval"))
    place = abspath(path)
    temporary = joinpath(dirname(place), ".$(basename(place)).$(getpid())-$(string(time_ns(); base=36)).part")
    check_place(place, temporary)
    nanoseconds = round(UInt64, 1e9 * min(interval, 1e9))
    return Checkpointer(place, temporary, nanoseconds, time_ns() + nanoseconds, msgpack(about), nothing, nothing,
                        time() - seconds, 0, 0, "")
end

function check_place(path::String, temporary::String)
    folder = dirname(path)
    isdir(folder) || throw(ArgumentError("checkpoint: expected a folder that exists, got $folder"))
    isdir(path) && throw(ArgumentError("checkpoint: expected the name of a file, got the folder $path"))
    may_be_replaced(path) || throw(ArgumentError("checkpoint: expected a new file or an old checkpoint, got another file, " *
                                               "which stays as it is: $path"))
    try
        remove_leftovers(path)
        write_durably(temporary, UInt8[])
    catch e
        throw(ArgumentError("checkpoint: expected a folder in which files can be made, got $folder: $(reason(e))"))
    finally
        rm(temporary; force=true)
    end
    return nothing
end

# Only a file that begins like a checkpoint is replaced; an empty one or none has nothing to lose.
function may_be_replaced(path::String)
    kind = rstrip(isdigit, rstrip(CHECKPOINT_LINE))
    beginning = try
        isfile(path) ? open(io -> read(io, sizeof(kind)), path) : UInt8[]
    catch e
        throw(ArgumentError("checkpoint: expected a file that can be read and replaced, got $path: $(reason(e))"))
    end
    return isempty(beginning) || beginning == codeunits(kind)
end

# What a process that was killed while it wrote has left behind.
function remove_leftovers(path::String)
    for name in readdir(dirname(path))
        startswith(name, ".$(basename(path)).") && endswith(name, ".part") && rm(joinpath(dirname(path), name); force=true)
    end
    return nothing
end

"""
    checkpoint!(checkpointer, phase, run, method)

Write a checkpoint when it is time for one; called once a step, between two steps. `phase` is `:flow` or `:optim`; `run` is a
struct that `start_time` knows, `method` one with a `name`, or `nothing` where the run says it all. They do not change.

A new kind of run has a field `checkpointer::Union{Nothing,Checkpointer}` and calls this in its loop and [`close_phase!`](@ref) at
its end; it names what is not its state in [`transient`](@ref); and it goes on from a `SavedPhase` by [`take_up!`](@ref).
"""
checkpoint!(::Nothing, phase::Symbol, run, method) = nothing

function checkpoint!(c::Checkpointer, phase::Symbol, run, method)
    time_ns() >= c.next && checkpoint_now!(c, phase, run, method, :running)
    return nothing
end

"""
    close_phase!(checkpointer, phase, run, method, status)

Write the checkpoint of a phase that has ended with `status`, before its result is made; `method` is `nothing` when the phase
has ended before it had one.
"""
close_phase!(::Nothing, phase::Symbol, run, method, status::Symbol) = nothing
close_phase!(c::Checkpointer, phase::Symbol, run, method, status::Symbol) = checkpoint_now!(c, phase, run, method, status)

@noinline function checkpoint_now!(c::Checkpointer, phase::Symbol, @nospecialize(run), @nospecialize(method), status::Symbol)
    bytes = try
        msgpack(section(run, method, status))
    catch e
        return note_failure!(c, e)
    end
    phase === :flow ? (c.flow = bytes; c.optim = nothing) : (c.optim = bytes)
    return write!(c)
end

function section(@nospecialize(run), @nospecialize(method), status::Symbol)
    return Dict{String,Any}("run" => snapshot(run), "state" => snapshot(method), "status" => status,
                            "method" => method === nothing ? nothing : name(method), "seconds" => time() - start_time(run))
end

# When a phase began, as if without a pause.
start_time(run) = run.start
set_start_time!(run, start::Float64) = (run.start = start)

"""
    write!(checkpointer)

Write what is known of the run to its file. A failure is counted, not thrown.
"""
function write!(c::Checkpointer)
    try
        content = Dict{String,Any}("about" => c.about, "seconds" => time() - c.start, "flow" => c.flow, "optim" => c.optim)
        write_atomically(c.path, c.temporary, sealed(CHECKPOINT_LINE, content))
        c.written += 1
        c.next = time_ns() + c.interval
    catch e
        note_failure!(c, e)
    end
    return nothing
end

function note_failure!(c::Checkpointer, e)
    e isa InterruptException && rethrow()
    c.failures += 1
    c.last_failure = reason(e)
    c.next = time_ns() + c.interval
    return nothing
end

reason(e) = first(split(sprint(showerror, e), '\n'))

# A sentence about writes that have failed, or nothing.
function complaint(c::Checkpointer)
    c.failures == 0 && return nothing
    left = c.written == 0 ? "this run has left none" : "$(c.written) could be"
    return "$(c.failures) of the checkpoints could not be written to $(c.path) ($(c.last_failure)), $left"
end
complaint(::Nothing) = nothing

"""
    SavedPhase

The section of a phase, read from a checkpoint: the name of its `method`, the `status` that it has ended with (or `:running`),
its `seconds`, and the states of run and method. `went_on` becomes true when a flow has been taken up again.
"""
mutable struct SavedPhase
    method::Union{Nothing,Symbol}
    status::Symbol
    seconds::Float64
    run::Dict{String,Any}
    state::Any
    went_on::Bool
end

SavedPhase(::Nothing) = nothing

function SavedPhase(bytes::Vector{UInt8})
    d = unmsgpack(bytes)
    method = d["method"] === nothing ? nothing : Symbol(d["method"])
    return SavedPhase(method, Symbol(d["status"]), d["seconds"], d["run"], d["state"], false)
end

"""
    take_up!(run, method, saved::SavedPhase)

Bring `run` and `method`, made as for a new run, to the state in which they were saved, the clock included.
"""
function take_up!(run, method, saved::SavedPhase)
    method === nothing || name(method) === saved.method ||
        throw(ArgumentError("expected a checkpoint of $(name(method)), got one of $(saved.method)"))
    restore!(run, saved.run)
    method === nothing || restore!(method, saved.state)
    set_start_time!(run, time() - saved.seconds)
    return nothing
end

# How a phase can have ended without an end of its own.
const UNFINISHED = (:running, :interrupted, :callback)

"""
    SavedRun

A checkpoint read from a file: where it lies, what it is `about`, the `seconds` of the run, its two phases, and the bytes of
these.
"""
struct SavedRun
    path::String
    about::Dict{String,Any}
    seconds::Float64
    flow::Union{Nothing,SavedPhase}
    optim::Union{Nothing,SavedPhase}
    bytes::NTuple{2,Union{Nothing,Vector{UInt8}}}
end

"""
    read_checkpoint(path) -> SavedRun

Read a checkpoint. Throws an `ArgumentError` that names the file when there is none, when it is of another kind, or damaged.
"""
function read_checkpoint(path::AbstractString)
    place = abspath(path)
    isfile(place) || throw(ArgumentError("resume: expected a checkpoint, got no file: $place"))
    content = unsealed(CHECKPOINT_LINE, read(place), place)
    try
        bytes = (content["flow"], content["optim"])
        return SavedRun(place, unmsgpack(content["about"]), content["seconds"], SavedPhase(bytes[1]), SavedPhase(bytes[2]), bytes)
    catch e
        e isa InterruptException && rethrow()
        throw(ArgumentError("expected the content of a checkpoint, got another: $place ($(reason(e)))"))
    end
end
