# Large arrays: two files without a name that client and worker both hold open, one for each direction. Nothing is left
# behind when either of them dies.

"""
    FileExchange(inbox, outbox, threshold)

Arrays of at least `threshold` bytes are written to the file descriptor `outbox`, those of the client are read from `inbox`.
"""
mutable struct FileExchange <: AbstractExchange
    inbox::Cint
    outbox::Cint
    threshold::Int
    written::Int
end

FileExchange(inbox::Integer, outbox::Integer, threshold::Integer) = FileExchange(inbox, outbox, threshold, 0)

# Once the client has no other call under way, what was written before has been read.
restart!(exchange::FileExchange) = (exchange.written = 0)

function deposit!(exchange::FileExchange, array::Array)
    sizeof(array) >= exchange.threshold || return nothing
    offset = exchange.written
    moved = move_bytes(:write, exchange.outbox, array, offset)
    moved == sizeof(array) || return nothing        # no space left: the array stays in the message
    exchange.written += moved
    return offset
end

function withdraw!(exchange::FileExchange, array::Array, offset::Integer)
    moved = move_bytes(:read, exchange.inbox, array, Int(offset))
    moved == sizeof(array) ||
        throw(MessagePackError("expected $(sizeof(array)) bytes in the exchange file, got $moved"))
    return array
end

function move_bytes(direction::Symbol, fd::Cint, array::Array, offset::Int)
    done, size = 0, sizeof(array)
    GC.@preserve array while done < size
        address = Ptr{UInt8}(pointer(array)) + done
        n = direction === :read ?
            ccall(:pread, Cssize_t, (Cint, Ptr{UInt8}, Csize_t, Int64), fd, address, size - done, offset + done) :
            ccall(:pwrite, Cssize_t, (Cint, Ptr{UInt8}, Csize_t, Int64), fd, address, size - done, offset + done)
        n == MINUS_ONE_MEANS_ERROR && Libc.errno() == Libc.EINTR && continue
        n <= 0 && break
        done += n
    end
    return done
end
