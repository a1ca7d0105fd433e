# What the engine remembers of one client, and how the two talk during a long call.

"""
    Transport

How messages reach the client. A subtype implements `send!(transport, frame::Vector{UInt8})` and
`listen!(transport, session; wait::Bool)`, which hands the frames that have arrived to `receive!(session, frame)`
(and, with `wait`, blocks until there is at least one). A worker talks through pipes; an engine inside the client's
process needs no more than a flag.
"""
abstract type Transport end

"""
    Session(transport, exchange=NoExchange())

One client: its networks by key, the calls it has cancelled and the answers it has given to questions.
"""
mutable struct Session{T<:Transport,E<:AbstractExchange}
    transport::T
    exchange::E
    networks::Dict{Int,Any}
    cancelled::Set{Int}
    answers::Dict{Int,Any}
end

Session(transport::Transport, exchange::AbstractExchange=NoExchange()) =
    Session(transport, exchange, Dict{Int,Any}(), Set{Int}(), Dict{Int,Any}())

"""
    receive!(session, frame)

Act on one message: a call is answered, a cancel request or an answer is noted for the call it belongs to. Calls that arrive
while another one is under way (from a callback of the client) are answered at once.
"""
function receive!(session::Session, frame::Vector{UInt8})
    message = unmsgpack(frame, session.exchange)
    if haskey(message, "call")
        send!(session.transport, reply_to(session, message))
    elseif haskey(message, "cancel")
        push!(session.cancelled, message["cancel"])
    elseif haskey(message, "answer")
        session.answers[message["id"]] = message["answer"]
    end
    return nothing
end

"""
    cancelled(session, id) -> Bool

Has the client asked to end call number `id`? Looks at what has arrived since.
"""
function cancelled(session::Session, id::Int)
    listen!(session.transport, session; wait=false)
    return id in session.cancelled
end

"""
    ask!(session, id, question) -> answer

Send a question that belongs to call number `id` and wait for its answer. A call that is cancelled meanwhile gets `true`.
"""
function ask!(session::Session, id::Int, question)
    send!(session.transport, msgpack(Dict("id" => id, "question" => question)))
    while !haskey(session.answers, id)
        id in session.cancelled && return true
        listen!(session.transport, session; wait=true)
    end
    return pop!(session.answers, id)
end

"""
    tell!(session, id, event)

Send something about call number `id` that needs no answer.
"""
tell!(session::Session, id::Int, event) =
    send!(session.transport, msgpack(Dict("id" => id, "event" => event)))
