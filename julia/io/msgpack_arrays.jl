# Numerical arrays inside MessagePack: two extension types, one that holds the numbers and one that says where they are.
#
#     header    element code (1 byte), number of dimensions (1 byte), dimensions (UInt64 each, little-endian)
#     type 1    header, then the elements, column-major, little-endian
#     type 2    header, then the offset (UInt64) at which the elements lie in a file that both sides hold open

const ARRAY_HERE = Int8(1)
const ARRAY_ELSEWHERE = Int8(2)

# The position in this tuple is the element code; mlpflow/engine/wire.py has the same table.
const ELEMENT_TYPES = (Float64, Float32, Int64, Int32, Int16, Int8, UInt64, UInt32, UInt16, UInt8, Bool, ComplexF64)
const WireElement = Union{ELEMENT_TYPES...}

element_code(T::Type) = UInt8(findfirst(S -> S === T, ELEMENT_TYPES))

"""
    AbstractExchange

Where large arrays are left for the other side. A subtype implements `deposit!(exchange, array)`, which returns the
offset at which it left the array, or `nothing` to keep it in the message, and `withdraw!(exchange, array, offset)`,
which fills `array` from there.
"""
abstract type AbstractExchange end

"""
    NoExchange()

Every array stays in the message.
"""
struct NoExchange <: AbstractExchange end

deposit!(::NoExchange, array::Array) = nothing
withdraw!(::NoExchange, array::Array, offset::Integer) =
    throw(MessagePackError("expected every array inside the message, got one that lies in an exchange file"))

"""
    MessagePackError(message)

The bytes are not the MessagePack that was expected.
"""
struct MessagePackError <: Exception
    message::String
end

Base.showerror(io::IO, e::MessagePackError) = print(io, "MessagePackError: ", e.message)

"""
    Extension(type, data)

A MessagePack extension value of a type that has no meaning here.
"""
struct Extension
    type::Int8
    data::Vector{UInt8}
end
Base.:(==)(a::Extension, b::Extension) = a.type == b.type && a.data == b.data
