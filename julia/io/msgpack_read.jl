# MessagePack, the reading half. Lengths are checked against the bytes that are there before anything is allocated.

mutable struct Unpacker{E<:AbstractExchange}
    data::Vector{UInt8}
    position::Int           # of the next byte
    depth::Int
    exchange::E
end

const DEEPEST_NESTING = 100

"""
    unmsgpack(data::Vector{UInt8}, exchange=NoExchange())

The value that `data` holds. Maps with string keys come as `Dict{String,Any}`, arrays as `Vector{Any}`, binary as
`Vector{UInt8}`, arrays of numbers as `Array`. Throws a `MessagePackError` for damaged, truncated or left-over bytes.
"""
function unmsgpack(data::Vector{UInt8}, exchange::AbstractExchange=NoExchange())
    u = Unpacker(data, 1, 0, exchange)
    value = unpack!(u)
    u.position > length(data) ||
        throw(MessagePackError("expected one value, got $(length(data) - u.position + 1) more bytes after it"))
    return value
end

@noinline truncated(u::Unpacker, n) = throw(MessagePackError(
    "expected $n more bytes at position $(u.position), got $(length(u.data) - u.position + 1): the data is truncated"))

function need(u::Unpacker, n::Integer)
    n <= length(u.data) - u.position + 1 || truncated(u, n)
    return nothing
end

function number!(u::Unpacker, ::Type{T}) where {T}
    need(u, sizeof(T))
    data, position = u.data, u.position
    x = GC.@preserve data unsafe_load(Ptr{T}(pointer(data, position)))
    u.position += sizeof(T)
    return x
end

bignumber!(u::Unpacker, ::Type{T}) where {T} = ntoh(number!(u, T))

function bytes!(u::Unpacker, n::Integer)
    need(u, n)
    slice = u.data[u.position:u.position+Int(n)-1]
    u.position += Int(n)
    return slice
end

function string!(u::Unpacker, n::Integer)
    need(u, n)
    data, position = u.data, u.position
    s = GC.@preserve data unsafe_string(pointer(data, position), Int(n))
    isvalid(s) || throw(MessagePackError("expected UTF-8 text at position $position, got other bytes"))
    u.position += Int(n)
    return s
end

function unpack!(u::Unpacker)
    c = number!(u, UInt8)
    c <= 0x7f && return Int(c)
    c <= 0x8f && return map!(u, c & 0x0f)
    c <= 0x9f && return array!(u, c & 0x0f)
    c <= 0xbf && return string!(u, c & 0x1f)
    c >= 0xe0 && return Int(reinterpret(Int8, c))
    return unpack_coded!(u, c)
end

function unpack_coded!(u::Unpacker, c::UInt8)
    c == 0xcb && return reinterpret(Float64, bignumber!(u, UInt64))
    c == 0xc0 && return nothing
    c == 0xc2 && return false
    c == 0xc3 && return true
    c == 0xc4 && return bytes!(u, number!(u, UInt8))
    c == 0xc5 && return bytes!(u, bignumber!(u, UInt16))
    c == 0xc6 && return bytes!(u, bignumber!(u, UInt32))
    c == 0xc7 && return extension!(u, number!(u, UInt8))
    c == 0xc8 && return extension!(u, bignumber!(u, UInt16))
    c == 0xc9 && return extension!(u, bignumber!(u, UInt32))
    c == 0xca && return Float64(reinterpret(Float32, bignumber!(u, UInt32)))
    c == 0xcc && return Int(number!(u, UInt8))
    c == 0xcd && return Int(bignumber!(u, UInt16))
    c == 0xce && return Int(bignumber!(u, UInt32))
    c == 0xcf && return narrow(bignumber!(u, UInt64))
    c == 0xd0 && return Int(number!(u, Int8))
    c == 0xd1 && return Int(bignumber!(u, Int16))
    c == 0xd2 && return Int(bignumber!(u, Int32))
    c == 0xd3 && return bignumber!(u, Int64)
    0xd4 <= c <= 0xd8 && return extension!(u, 1 << (c - 0xd4))
    c == 0xd9 && return string!(u, number!(u, UInt8))
    c == 0xda && return string!(u, bignumber!(u, UInt16))
    c == 0xdb && return string!(u, bignumber!(u, UInt32))
    c == 0xdc && return array!(u, bignumber!(u, UInt16))
    c == 0xdd && return array!(u, bignumber!(u, UInt32))
    c == 0xde && return map!(u, bignumber!(u, UInt16))
    c == 0xdf && return map!(u, bignumber!(u, UInt32))
    throw(MessagePackError("expected a MessagePack code at position $(u.position - 1), got 0x$(string(c, base=16))"))
end

narrow(n::UInt64) = n <= typemax(Int64) ? Int64(n) : n

function deeper!(f, u::Unpacker, n::Integer)
    need(u, n)              # every element takes at least one byte
    u.depth < DEEPEST_NESTING ||
        throw(MessagePackError("expected at most $DEEPEST_NESTING nested values, got more"))
    u.depth += 1
    value = f()
    u.depth -= 1
    return value
end

array!(u::Unpacker, n::Integer) = deeper!(() -> Any[unpack!(u) for _ in 1:n], u, n)
map!(u::Unpacker, n::Integer) = deeper!(() -> read_map!(u, n), u, n)

function read_map!(u::Unpacker, n::Integer)
    d = Dict{String,Any}()
    for k in 1:n
        key = unpack!(u)
        key isa String || return read_map!(u, n - k, Dict{Any,Any}(d), key)
        d[key] = unpack!(u)
    end
    return d
end

function read_map!(u::Unpacker, left::Integer, d::Dict{Any,Any}, key)
    d[key] = unpack!(u)
    for _ in 1:left
        key = unpack!(u)
        d[key] = unpack!(u)
    end
    return d
end

function extension!(u::Unpacker, n::Integer)
    type = number!(u, Int8)
    need(u, n)
    type == ARRAY_HERE && return numbers!(u, Int(n))
    type == ARRAY_ELSEWHERE && return numbers_elsewhere!(u, Int(n))
    return Extension(type, bytes!(u, n))
end

function array_header!(u::Unpacker)
    code = number!(u, UInt8)
    1 <= code <= length(ELEMENT_TYPES) ||
        throw(MessagePackError("expected an element code from 1 to $(length(ELEMENT_TYPES)), got $code"))
    D = number!(u, UInt8)
    D <= 8 || throw(MessagePackError("expected an array of at most 8 dimensions, got $D"))
    return ELEMENT_TYPES[code], ntuple(_ -> ltoh(number!(u, UInt64)), Int(D))
end

function checked_size(T::Type, dims)
    n = foldl((product, d) -> product * Float64(d), dims; init=Float64(sizeof(T)))
    n < 2.0^53 || throw(MessagePackError("expected an array that fits in memory, got dimensions $(map(Int128, dims))"))
    return Int(n)
end

function numbers!(u::Unpacker, n::Int)
    stop = u.position + n
    T, dims = array_header!(u)
    size = checked_size(T, dims)
    u.position + size == stop ||
        throw(MessagePackError("expected $size bytes for an array of $T, got $(stop - u.position)"))
    return numbers!(u, Array{T}(undef, map(Int, dims)), size)
end

function numbers!(u::Unpacker, a::Array, size::Int)
    data, position = u.data, u.position
    GC.@preserve a data unsafe_copyto!(Ptr{UInt8}(pointer(a)), pointer(data, position), size)
    u.position += size
    return a
end

function numbers_elsewhere!(u::Unpacker, n::Int)
    stop = u.position + n
    T, dims = array_header!(u)
    checked_size(T, dims)
    u.position + 8 == stop || throw(MessagePackError("expected an 8-byte offset, got $(stop - u.position) bytes"))
    offset = ltoh(number!(u, UInt64))
    return withdraw!(u.exchange, Array{T}(undef, map(Int, dims)), offset)
end
