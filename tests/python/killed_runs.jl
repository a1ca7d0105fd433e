# Runs that are killed at random moments and resumed until they are done; see test_checkpoint.py.
#
#     killed_runs.jl NET FRESH AGAIN CHECKPOINT FOLDER
#
# The first three are files with the frames that a client sends: the network, a training run that writes CHECKPOINT after every
# step, and the same run resumed from there. Starting a Julia takes seconds, and compiling takes more: this process does it
# once, and every run is a child that it forks, which answers the frame as a worker does. The child is killed after a random time,
# and the next one resumes; every seventh lives to the end of the run, and the thirtieth kill is the last. Standard input has one
# number between 0 and 1 a line, the time to live as a part of that of a whole run. Standard output has a line about every child: how it ended, the steps in the
# checkpoint and the number of half-written files. The replies of those that have reached the end of the run go to FOLDER.
#
# A forked Julia runs, but it must not compile, because it would write its machine code into the memory of its parent. So the
# parent takes every path beforehand.

using MLPFlow

struct Silent <: MLPFlow.Transport end
MLPFlow.send!(::Silent, frame::Vector{UInt8}) = nothing
MLPFlow.listen!(::Silent, session::MLPFlow.Session; wait::Bool) = nothing

const NET, FRESH, AGAIN = map(read, ARGS[1:3])
const CHECKPOINT, FOLDER = ARGS[4:5]
const SESSION = MLPFlow.Session(Silent())

function answer(frame)
    reply = MLPFlow.dispatch(SESSION, frame)
    message = MLPFlow.unmsgpack(reply)
    haskey(message, "error") && error(message["error"]["trace"])
    message["result"] isa Dict && haskey(message["result"], "refused") && error(message["result"]["refused"])
    return reply
end

# What a child does.
carry_on(path) = MLPFlow.write_durably(path, answer(isfile(CHECKPOINT) ? AGAIN : FRESH))

"Fork a child that carries on with the run and writes its reply to `path`; its process number."
function start_child(path)
    pid = ccall(:fork, Cint, ())
    pid == 0 || return pid
    carry_on(path)
    ccall(:_exit, Cvoid, (Cint,), 0)
    return pid
end

const SIGKILL = 9

"Wait for a child; true when it came to its end, false when it was killed."
function wait_for_child(pid)
    status = Ref{Cint}(0)
    ccall(:waitpid, Cint, (Cint, Ref{Cint}, Cint), pid, status, 0)
    status[] in (0, SIGKILL) || error("expected a child to end or to be killed, got the status $(status[])")
    return status[] == 0
end

# The whole run in pieces, so that every method is left and taken up again, and then at once; its seconds.
function warm_up(path)
    answer(NET)
    options = MLPFlow.unmsgpack(FRESH)["arguments"]["options"]
    flow, optim = options["maxiterations_ode"], options["maxiterations_optim"]
    for (n, m) in vcat([(n, 0) for n in 5:5:flow], [(flow, m) for m in 5:5:optim])
        piece = MLPFlow.unmsgpack(isfile(CHECKPOINT) ? AGAIN : FRESH)
        merge!(piece["arguments"]["options"], Dict("maxiterations_ode" => n, "maxiterations_optim" => m))
        answer(MLPFlow.msgpack(piece))
    end
    carry_on(path)
    rm(CHECKPOINT)
    seconds = @elapsed carry_on(path)
    report("warm", path)
    rm(CHECKPOINT)
    return seconds
end

function report(how, path)
    # Throws when the file is anything but a whole checkpoint.
    saved = isfile(CHECKPOINT) ? MLPFlow.read_checkpoint(CHECKPOINT) : nothing
    steps = saved === nothing ? 0 : saved.flow.run["accepted"] + saved.flow.run["rejected"]
    saved === nothing || saved.optim === nothing || (steps += saved.optim.run["iterations"])
    println(how, " ", steps, " ", count(endswith(".part"), readdir(dirname(CHECKPOINT))))
end

function main(seconds)
    runs, kills, fresh = 0, 0, true
    for (number, line) in enumerate(eachline(stdin))
        kills == 30 && break
        path = joinpath(FOLDER, "reply$runs")
        fresh && rm(CHECKPOINT; force=true)
        pid = start_child(path)
        if number % 7 != 0
            ccall(:usleep, Cint, (Cuint,), round(Cuint, 1e6 * seconds * parse(Float64, line)))
            ccall(:kill, Cint, (Cint, Cint), pid, SIGKILL)
        end
        fresh = wait_for_child(pid)
        report(fresh ? "finished" : "killed", path)
        fresh ? (runs += 1) : (kills += 1)
    end
end

main(warm_up(joinpath(FOLDER, "warm")))

# And what Julia's own door makes of the last checkpoint.
const NETWORK = first(values(SESSION.networks))
const RUN = train(NETWORK.net; resume = CHECKPOINT, verbosity = 0, result = :raw)
write(joinpath(FOLDER, "julia"), MLPFlow.msgpack(RUN.x[NETWORK.order]))
