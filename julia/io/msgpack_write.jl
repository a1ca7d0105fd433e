# MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), the writing half.

"""
    msgpack(value, exchange=NoExchange()) -> Vector{UInt8}

The MessagePack form of `value`: nothing, booleans, integers, floats, strings and symbols, dictionaries and named
tuples (maps), tuples and vectors (arrays), `Vector{UInt8}` (binary), and arrays of numbers of any shape (extension
types 1 and 2, see `msgpack_arrays.jl`). Throws an `ArgumentError` for anything else.
"""
function msgpack(value, exchange::AbstractExchange=NoExchange())
    io = IOBuffer()
    pack!(io, value, exchange)
    return take!(io)
end

pack!(io::IO, value, exchange) =
    throw(ArgumentError("expected plain data (numbers, strings, arrays, dictionaries), got a $(typeof(value))"))

pack!(io::IO, ::Nothing, exchange) = write(io, 0xc0)
pack!(io::IO, b::Bool, exchange) = write(io, b ? 0xc3 : 0xc2)
pack!(io::IO, x::Float64, exchange) = write(io, 0xcb, hton(reinterpret(UInt64, x)))
pack!(io::IO, x::Float32, exchange) = write(io, 0xca, hton(reinterpret(UInt32, x)))
pack!(io::IO, x::Union{AbstractFloat,AbstractIrrational}, exchange) = pack!(io, Float64(x), exchange)
pack!(io::IO, s::Symbol, exchange) = pack!(io, String(s), exchange)

function pack!(io::IO, n::Integer, exchange)
    if n >= 0
        n <= 0x7f && return write(io, UInt8(n))
        n <= 0xff && return write(io, 0xcc, UInt8(n))
        n <= 0xffff && return write(io, 0xcd, hton(UInt16(n)))
        n <= 0xffffffff && return write(io, 0xce, hton(UInt32(n)))
        n <= typemax(UInt64) && return write(io, 0xcf, hton(UInt64(n)))
    else
        n >= -32 && return write(io, Int8(n))
        n >= typemin(Int8) && return write(io, 0xd0, Int8(n))
        n >= typemin(Int16) && return write(io, 0xd1, hton(Int16(n)))
        n >= typemin(Int32) && return write(io, 0xd2, hton(Int32(n)))
        n >= typemin(Int64) && return write(io, 0xd3, hton(Int64(n)))
    end
    throw(ArgumentError("expected an integer of at most 64 bits, got $n"))
end

# The header of something with a length: the first of the codes whose width holds `n`.
function pack_length!(io::IO, n::Integer, code8::UInt8, code16::UInt8, code32::UInt8)
    n <= 0xff && code8 != 0x00 && return write(io, code8, UInt8(n))
    n <= 0xffff && return write(io, code16, hton(UInt16(n)))
    n <= 0xffffffff && return write(io, code32, hton(UInt32(n)))
    throw(ArgumentError("expected at most 2^32 - 1 elements in one MessagePack value, got $n"))
end

function pack!(io::IO, s::AbstractString, exchange)
    n = sizeof(s)
    n <= 31 ? write(io, 0xa0 | UInt8(n)) : pack_length!(io, n, 0xd9, 0xda, 0xdb)
    return write(io, s)
end

function pack!(io::IO, d::Union{AbstractDict,NamedTuple}, exchange)
    n = length(d)
    n <= 15 ? write(io, 0x80 | UInt8(n)) : pack_length!(io, n, 0x00, 0xde, 0xdf)
    for (key, value) in pairs(d)
        pack!(io, key, exchange)
        pack!(io, value, exchange)
    end
end

function pack!(io::IO, list::Union{Tuple,AbstractVector,AbstractSet}, exchange)
    n = length(list)
    n <= 15 ? write(io, 0x90 | UInt8(n)) : pack_length!(io, n, 0x00, 0xdc, 0xdd)
    for element in list
        pack!(io, element, exchange)
    end
end

function pack!(io::IO, data::Vector{UInt8}, exchange)
    pack_length!(io, length(data), 0xc4, 0xc5, 0xc6)
    return write(io, data)
end

pack!(io::IO, a::AbstractArray{<:WireElement}, exchange) = pack!(io, Array(a), exchange)
pack!(io::IO, a::AbstractVector{<:WireElement}, exchange) = pack!(io, Array(a), exchange)
pack!(io::IO, a::Vector{<:WireElement}, exchange) = pack_array!(io, a, exchange)
pack!(io::IO, a::Array{<:WireElement}, exchange) = pack_array!(io, a, exchange)

function pack_array!(io::IO, a::Array{T,D}, exchange) where {T,D}
    isconcretetype(T) || return pack!(io, Any[a...], exchange)
    offset = deposit!(exchange, a)
    header = 2 + 8D
    pack_extension_header!(io, header + (offset === nothing ? sizeof(a) : 8),
                           offset === nothing ? ARRAY_HERE : ARRAY_ELSEWHERE)
    write(io, element_code(T), UInt8(D))
    for n in size(a)
        write(io, htol(UInt64(n)))
    end
    return offset === nothing ? write(io, a) : write(io, htol(UInt64(offset)))
end

function pack_extension_header!(io::IO, n::Integer, type::Int8)
    fixed = findfirst(isequal(n), (1, 2, 4, 8, 16))
    fixed === nothing ? pack_length!(io, n, 0xc7, 0xc8, 0xc9) : write(io, 0xd3 + UInt8(fixed))
    return write(io, type)
end

function pack!(io::IO, e::Extension, exchange)
    pack_extension_header!(io, length(e.data), e.type)
    return write(io, e.data)
end
