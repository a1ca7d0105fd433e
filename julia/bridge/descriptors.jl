# Blocking reads and writes on file descriptors, by the system's own calls. Julia's streams need its event loop to turn,
# which it does not during a long computation; a plain `poll` sees a cancel request or the end of the client at any step.

const POLLIN = UInt64(1)
const POLLOUT = UInt64(4)
const MINUS_ONE_MEANS_ERROR = -1

function wait_for(fd::Cint, events::UInt64, milliseconds::Integer)
    request = Ref(UInt64(fd) | events << 32)        # struct pollfd {int fd; short events; short revents}
    ready = ccall(:poll, Cint, (Ptr{UInt64}, Culong, Cint), request, 1, milliseconds)
    return ready > 0
end

again() = Libc.errno() in (Libc.EAGAIN, Libc.EINTR)

"""
    read_some!(fd, buffer, position) -> Int

Read at least one byte into `buffer` from `position` on, waiting for it; the number read, 0 at the end of the file.
"""
function read_some!(fd::Cint, buffer::Vector{UInt8}, position::Int)
    while true
        n = GC.@preserve buffer ccall(:read, Cssize_t, (Cint, Ptr{UInt8}, Csize_t), fd, pointer(buffer, position),
                                      length(buffer) - position + 1)
        n == MINUS_ONE_MEANS_ERROR || return Int(n)
        again() || throw(SystemError("reading from file descriptor $fd"))
        wait_for(fd, POLLIN, -1)
    end
end

"""
    write_all(fd, data)

Write every byte of `data`. Returns false when nobody reads any more.
"""
function write_all(fd::Cint, data::Vector{UInt8})
    done = 0
    while done < length(data)
        n = GC.@preserve data ccall(:write, Cssize_t, (Cint, Ptr{UInt8}, Csize_t), fd, pointer(data, done + 1),
                                    length(data) - done)
        if n != MINUS_ONE_MEANS_ERROR
            done += n
        elseif Libc.errno() == Libc.EPIPE
            return false
        else
            again() || throw(SystemError("writing to file descriptor $fd"))
            wait_for(fd, POLLOUT, -1)
        end
    end
    return true
end

duplicate(fd::Integer) = ccall(:dup, Cint, (Cint,), fd)

"""
    FrameStream(input, output)

Frames (a UInt64 length, little-endian, then as many bytes) read from one file descriptor and written to another.
"""
mutable struct FrameStream
    input::Cint
    output::Cint
    buffer::Vector{UInt8}
    first::Int              # buffer[first:last] has been read and not yet taken
    last::Int
end

const USUAL_BUFFER = 65536
const FRAME_HEADER = 8

FrameStream(input::Integer, output::Integer) = FrameStream(input, output, Vector{UInt8}(undef, USUAL_BUFFER), 1, 0)

"""
    take_frame!(stream; wait=true) -> Vector{UInt8} or nothing

The next frame; with `wait=false` `nothing` when it has not arrived completely. Throws an `EOFError` when the other side has
closed.
"""
function take_frame!(stream::FrameStream; wait::Bool=true)
    while true
        have = stream.last - stream.first + 1
        need = have < FRAME_HEADER ? FRAME_HEADER : FRAME_HEADER + frame_length(stream)
        have >= need && return cut_frame!(stream, need)
        wait ? linger(stream.input) : wait_for(stream.input, POLLIN, 0) || return nothing
        make_room!(stream, need)
        n = read_some!(stream.input, stream.buffer, stream.last + 1)
        n == 0 && throw(EOFError())
        stream.last += n
    end
end

# The next of many small calls arrives within microseconds, while waking up a sleeping process on another core takes 20 to
# 60: look a little longer before going to sleep. Where both sides share one core, yielding lets the other one go on.
const LINGER = UInt64(60_000)       # nanoseconds

function linger(fd::Cint)
    deadline = time_ns() + LINGER
    while !wait_for(fd, POLLIN, 0) && time_ns() < deadline
        Sys.isunix() && ccall(:sched_yield, Cint, ())
    end
    return true
end

function frame_length(stream::FrameStream)
    buffer = stream.buffer
    n = GC.@preserve buffer ltoh(unsafe_load(Ptr{UInt64}(pointer(buffer, stream.first))))
    n <= typemax(Int) ÷ 2 || throw(MessagePackError("expected the length of a frame, got $n"))
    return Int(n)
end

function cut_frame!(stream::FrameStream, need::Int)
    frame = stream.buffer[stream.first+FRAME_HEADER:stream.first+need-1]
    stream.first += need
    if stream.first > stream.last
        stream.first, stream.last = 1, 0
        length(stream.buffer) > USUAL_BUFFER && (stream.buffer = Vector{UInt8}(undef, USUAL_BUFFER))
    end
    return frame
end

function make_room!(stream::FrameStream, need::Int)
    have = stream.last - stream.first + 1
    if stream.first > 1
        copyto!(stream.buffer, 1, stream.buffer, stream.first, have)
        stream.first, stream.last = 1, have
    end
    length(stream.buffer) < max(need, have + 1) && resize!(stream.buffer, max(need, have + 1))
    return nothing
end

"""
    put_frame(stream, frame) -> Bool

Write a frame; false when nobody reads any more.
"""
function put_frame(stream::FrameStream, frame::Vector{UInt8})
    header = collect(reinterpret(UInt8, [htol(UInt64(length(frame)))]))
    length(frame) <= USUAL_BUFFER && return write_all(stream.output, vcat(header, frame))    # one wake-up of the reader
    return write_all(stream.output, header) && write_all(stream.output, frame)
end
