# The engine inside the client's process: the same frames and the same dispatcher, handed over as addresses. The client calls
# in with a frame; everything that goes back, replies included, goes through one callback of the client.

"""
    CallbackTransport(deliver::Ptr{Cvoid})

Frames reach the client by a call of its C function `void deliver(const uint8_t *frame, size_t length)`. A call with length 0 is
the client's chance to act in the middle of a computation: it may cancel a call, by calling in again.
"""
mutable struct CallbackTransport <: Transport
    deliver::Ptr{Cvoid}
    next_look::UInt64
end

CallbackTransport(deliver::Ptr{Cvoid}) = CallbackTransport(deliver, UInt64(0))

# Nanoseconds between two chances. Each takes the client's interpreter lock, which another of its threads may hold for 5 ms.
const CHANCE_EVERY = UInt64(50_000_000)

function send!(transport::CallbackTransport, frame::Vector{UInt8})
    GC.@preserve frame ccall(transport.deliver, Cvoid, (Ptr{UInt8}, Csize_t), pointer(frame), length(frame))
    return nothing
end

function listen!(transport::CallbackTransport, session::Session; wait::Bool)
    now = time_ns()
    wait || now >= transport.next_look || return nothing
    transport.next_look = now + CHANCE_EVERY
    ccall(transport.deliver, Cvoid, (Ptr{UInt8}, Csize_t), C_NULL, 0)
    return nothing
end

"""
    serve_in_process(deliver::Integer) -> Function

A session of a client in this process, whose callback has the address `deliver`. The function that is returned takes the address and the length of
a frame, which it copies, and returns when the call in it has been answered (see [`receive!`](@ref)).
"""
function serve_in_process(deliver::Integer)
    session = Session(CallbackTransport(Ptr{Cvoid}(UInt(deliver))))
    function serve(address::Integer, length::Integer)
        frame = Vector{UInt8}(undef, Int(length))
        GC.@preserve frame unsafe_copyto!(pointer(frame), Ptr{UInt8}(UInt(address)), Int(length))
        receive!(session, frame)
        return nothing
    end
    return serve
end
