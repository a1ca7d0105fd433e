# Python's pickle format (protocol 2, https://github.com/python/cpython/blob/main/Lib/pickletools.py), the writing half: plain data
# and tensors, in the few operations that torch.load(weights_only=True) takes.

# Tensor types of PyTorch by element type: the name of its storage.
const STORAGES = Dict{DataType,String}(
    Float64 => "DoubleStorage", Float32 => "FloatStorage", Float16 => "HalfStorage", Int64 => "LongStorage", Int32 => "IntStorage",
    Int16 => "ShortStorage", Int8 => "CharStorage", UInt8 => "ByteStorage", Bool => "BoolStorage",
    ComplexF64 => "ComplexDoubleStorage", ComplexF32 => "ComplexFloatStorage")
const TensorElement = Union{keys(STORAGES)...}

"""
    Pickler()

A pickle under construction, and the contents of its tensors.
"""
struct Pickler
    io::IOBuffer
    storages::Vector{Vector{UInt8}}
end

Pickler() = Pickler(IOBuffer(), Vector{UInt8}[])

"""
    pickled(value) -> (pickle::Vector{UInt8}, storages)

`value` as a pickle: numbers, text (symbols too), `nothing`, arrays of numbers (tensors of the same shape), tuples, vectors of
anything else (lists), dictionaries whose keys are numbers or text. Throws an `ArgumentError` that names anything else.
"""
function pickled(value)
    p = Pickler()
    write(p.io, 0x80, 0x02)
    put!(p, value)
    write(p.io, '.')
    return take!(p.io), p.storages
end

put!(p::Pickler, value) =
    throw(ArgumentError("expected numbers, text, arrays, tuples and dictionaries for a pickle, got a $(typeof(value))"))

put!(p::Pickler, ::Nothing) = write(p.io, 'N')
put!(p::Pickler, b::Bool) = write(p.io, b ? 0x88 : 0x89)
put!(p::Pickler, x::Union{AbstractFloat,AbstractIrrational}) = write(p.io, 'G', hton(Float64(x)))
put!(p::Pickler, s::Symbol) = put!(p, String(s))

function put!(p::Pickler, s::AbstractString)
    isvalid(s) || throw(ArgumentError("expected text in UTF-8 for a pickle, got $(repr(s))"))
    sizeof(s) <= typemax(UInt32) || throw(ArgumentError("expected text of at most 4 GiB for a pickle"))
    write(p.io, 'X', htol(UInt32(sizeof(s))), s)
end

function put!(p::Pickler, n::Integer)
    0 <= n <= 0xff && return write(p.io, 'K', UInt8(n))
    typemin(Int32) <= n <= typemax(Int32) && return write(p.io, 'J', htol(Int32(n)))
    typemin(Int64) <= n <= typemax(Int64) || throw(ArgumentError("expected an integer of at most 64 bits for a pickle, got $n"))
    return write(p.io, 0x8a, 0x08, htol(Int64(n)))
end

function put!(p::Pickler, list::Union{Tuple,AbstractVector})
    write(p.io, list isa Tuple ? "(" : "](")
    foreach(element -> put!(p, element), list)
    write(p.io, list isa Tuple ? 't' : 'e')
end

# Keys that are numbers in their order: a trajectory is read in the order of time.
function put!(p::Pickler, d::AbstractDict)
    list = collect(keys(d))
    all(key -> key isa Union{Real,AbstractString,Symbol}, list) ||
        throw(ArgumentError("expected numbers or text as keys of a dictionary for a pickle, got $(unique(map(typeof, list)))"))
    !isempty(list) && all(key -> key isa Real, list) && sort!(list)
    write(p.io, "}(")
    for key in list
        put!(p, key)
        put!(p, d[key])
    end
    write(p.io, 'u')
end

put!(p::Pickler, a::AbstractArray{<:TensorElement}) = put_tensor!(p, Array(a))
put!(p::Pickler, a::AbstractVector{<:TensorElement}) = put_tensor!(p, Array(a))
put!(p::Pickler, a::Params) = put!(p, params2dict(a))
put!(p::Pickler, a::AbstractArray) = put_tensor!(p, wider(a))

wider(a::AbstractArray) = throw(ArgumentError("expected an array of numbers for a pickle, got $(typeof(a))"))
wider(a::AbstractArray{<:Integer}) = map(Int64, a)
wider(a::AbstractArray{<:Real}) = map(Float64, a)

# What torch._utils._rebuild_tensor_v2 takes: storage, offset, size, strides, requires_grad, hooks. Column-major strides let the
# tensor have the array's shape with the memory as it is.
function put_tensor!(p::Pickler, a::Array{T}) where {T}
    isconcretetype(T) || return put!(p, Any[a...])
    write(p.io, "ctorch._utils\n_rebuild_tensor_v2\n((")
    put!(p, "storage")
    write(p.io, "ctorch\n", STORAGES[T], '\n')
    put!(p, string(length(p.storages)))
    put!(p, "cpu")
    put!(p, length(a))
    write(p.io, 't', 'Q')
    push!(p.storages, storage_bytes(a))
    put!(p, 0)
    put!(p, size(a))
    put!(p, strides(a))
    write(p.io, 0x89, "ccollections\nOrderedDict\n)R", 't', 'R')
end

function storage_bytes(a::Array)
    bytes = Vector{UInt8}(undef, sizeof(a))
    GC.@preserve a bytes unsafe_copyto!(pointer(bytes), Ptr{UInt8}(pointer(a)), sizeof(a))
    return bytes
end
