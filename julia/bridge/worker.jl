# The worker: a Julia process that serves one client through its standard input and output until the input ends.

const PROTOCOL = 1      # mlpflow/engine/worker.py expects this number in the greeting

struct PipeTransport <: Transport
    stream::FrameStream
end

function send!(transport::PipeTransport, frame::Vector{UInt8})
    put_frame(transport.stream, frame) || exit(0)       # the client is gone, and with it the reason to go on
    return nothing
end

function listen!(transport::PipeTransport, session::Session; wait::Bool)
    while true
        frame = try
            take_frame!(transport.stream; wait=wait)
        catch e
            e isa EOFError || rethrow()
            exit(0)
        end
        frame === nothing && return nothing
        receive!(session, frame)
        wait && return nothing
    end
end

"""
    run_worker(arguments=ARGS)

Serve calls from standard input until it ends. `arguments` are either none or the file descriptors of the two exchange files,
the threshold in bytes from which arrays go there, and the reading end of a pipe that breaks when the client dies.
"""
function run_worker(arguments::Vector{String}=ARGS)
    stream = claim_standard_streams()
    exchange = NoExchange()
    if !isempty(arguments)
        inbox, outbox, threshold, lifeline = map(s -> parse(Int, s), arguments)
        exchange = FileExchange(inbox, outbox, threshold)
        die_with_client(lifeline)
    end
    session = Session(PipeTransport(stream), exchange)
    send!(session.transport, msgpack(Dict("protocol" => PROTOCOL, "julia" => string(VERSION))))
    while true
        listen!(session.transport, session; wait=true)
    end
end

# From here on whatever prints, in Julia or in a C library, prints to standard error, and nobody can read our frames away.
function claim_standard_streams()
    stream = FrameStream(duplicate(0), duplicate(1))
    redirect_stdin(open("/dev/null"))
    redirect_stdout(stderr)
    ccall(:dup2, Cint, (Cint, Cint), 2, 1)
    return stream
end

# A call that never looks at its input (a factorisation of minutes) must not outlive the client either: the kernel sends
# SIGIO, whose default action ends the process, when the last writer of the lifeline is gone. Nothing is ever written to it.
function die_with_client(lifeline::Integer)
    Sys.islinux() || return nothing
    set_owner, set_flags, asynchronous = 8, 4, 0x2000
    ccall(:fcntl, Cint, (Cint, Cint, Cint...), lifeline, set_owner, getpid())
    ccall(:fcntl, Cint, (Cint, Cint, Cint...), lifeline, set_flags, asynchronous)
    return nothing
end
