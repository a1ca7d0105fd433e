# From a frame to a frame. This is all that an engine inside the client's process needs besides a transport.

"""
    Call(session, id, arguments)

One call of the client while it is worked on.
"""
struct Call
    session::Session
    id::Int
    arguments::Dict{String,Any}
end

"Handlers by name: each takes a `Call` and returns plain data."
const HANDLERS = Dict{String,Function}()

"""
    dispatch(session, frame::Vector{UInt8}) -> Vector{UInt8}

The reply to a call: `{id, result}`, or `{id, error: {kind, message, trace}}` when anything was thrown.
"""
dispatch(session::Session, frame::Vector{UInt8}) = reply_to(session, unmsgpack(frame, session.exchange))

function reply_to(session::Session, message::Dict{String,Any})
    id = message["id"]::Int
    try
        get(message, "alone", false) && restart!(session.exchange)
        for key in get(message, "drop", ())
            delete!(session.networks, key)
        end
        # The latest world: a user's activation may have been defined a moment ago.
        result = Base.invokelatest(handler(message["call"]), Call(session, id, message["arguments"]))
        return msgpack(Dict("id" => id, "result" => result), session.exchange)
    catch e
        return msgpack(Dict("id" => id, "error" => describe_error(e, catch_backtrace())))
    finally
        delete!(session.cancelled, id)
        delete!(session.answers, id)
    end
end

restart!(::AbstractExchange) = nothing

function handler(name)
    haskey(HANDLERS, name) && return HANDLERS[name]
    throw(ArgumentError("expected one of the calls $(join(sort(collect(keys(HANDLERS))), ", ")), got \"$name\""))
end

function describe_error(e, backtrace)
    return Dict("kind" => string(nameof(typeof(e))), "message" => readable(io -> showerror(io, e), e),
                "trace" => readable(io -> showerror(io, e, backtrace), e))
end

# A user's exception type may print badly; that must not end the engine.
function readable(f, e)
    try
        return printable(sprint(f))
    catch
        return "an error of type $(typeof(e)), which cannot be shown"
    end
end

printable(s::String) = isvalid(s) ? s : String(filter(isvalid, collect(s)))
