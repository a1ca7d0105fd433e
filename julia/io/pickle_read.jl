# Python's pickle format, the reading half. A pickle is a program for a machine with a stack; this machine knows plain data and
# the tensors of PyTorch, and calls nothing that a file names.

"""
    PickleError(message)

The bytes are not a pickle of plain data and tensors.
"""
struct PickleError <: Exception
    message::String
end

Base.showerror(io::IO, e::PickleError) = print(io, "PickleError: ", e.message)

# A list or dictionary while it is filled. Once it has been put into another one it is closed, so that nothing can come to hold itself.
mutable struct OpenContainer
    ordered::Bool           # a dictionary: keys and values alternate in `entries`
    entries::Vector{Any}
    closed::Any
end

struct Mark end
struct Global
    name::String
end

"A tensor's storage as a pickle names it."
struct StorageReference
    element::DataType
    key::String
    count::Int
end

# A tuple that holds what is no plain data: only to be used up by REDUCE or BINPERSID.
struct Arguments
    values::Tuple
end

"The machine: what it reads, its stack and its memory. `storages` maps the key of a tensor's storage to its bytes."
mutable struct Unpickler
    data::AbstractVector{UInt8}
    position::Int
    stack::Vector{Any}
    memory::Dict{Int,Any}
    storages::Any
    left::Int               # bytes that tensors may still take
    sizes::Dict{String,Int} # of an element, by the key of its storage
end

# A tensor shares its storage with others; more than this times the file nobody has written.
const LARGEST_EXPANSION = 16

Unpickler(data, position, storages, filesize) =
    Unpickler(data, position, Any[], Dict{Int,Any}(), storages, LARGEST_EXPANSION * filesize, Dict{String,Int}())

"""
    unpickled(data, position, storages, filesize) -> (value, next position, element sizes of the storages by key)

The value of the pickle at `position`. With `storages = nothing` the tensors are left out (their storages have not been read yet).
"""
function unpickled(data::AbstractVector{UInt8}, position::Int, storages, filesize::Int)
    u = Unpickler(data, position, storages, filesize)
    while true
        code = next_byte!(u)
        code == UInt8('.') && break
        step!(u, code)
    end
    value = closed(take_one!(u))
    isempty(u.stack) || throw(PickleError("expected one value, got $(length(u.stack)) more before it"))
    return value, u.position, u.sizes
end

function next_bytes!(u::Unpickler, n::Integer)
    0 <= n <= length(u.data) - u.position + 1 || throw(PickleError("the pickle is cut off"))
    u.position += n
    return view(u.data, u.position-n:u.position-1)
end
next_byte!(u::Unpickler) = next_bytes!(u, 1)[1]
next_number!(u::Unpickler, ::Type{T}) where {T} = ltoh(reinterpret(T, collect(next_bytes!(u, sizeof(T))))[1])

function next_text!(u::Unpickler, n::Integer)
    text = String(collect(next_bytes!(u, n)))
    isvalid(text) || throw(PickleError("expected text in UTF-8, got other bytes"))
    return text
end

function next_line!(u::Unpickler)
    stop = findnext(==(UInt8('\n')), u.data, u.position)
    stop === nothing && throw(PickleError("the pickle is cut off"))
    text = next_text!(u, stop - u.position)
    u.position += 1
    return text
end

function take_one!(u::Unpickler)
    isempty(u.stack) || u.stack[end] isa Mark ? throw(PickleError("expected a value on the stack, got none")) : pop!(u.stack)
end
function take_one!(u::Unpickler, ::Type{T}, what::String) where {T}
    value = take_one!(u)
    return value isa T ? value : throw(PickleError("expected $what, got a $(nameof(typeof(value)))"))
end

function take_marked!(u::Unpickler)
    mark = findlast(x -> x isa Mark, u.stack)
    mark === nothing && throw(PickleError("expected a mark on the stack, got none"))
    values = u.stack[mark+1:end]
    resize!(u.stack, mark - 1)
    return values
end

function top(u::Unpickler)
    isempty(u.stack) && throw(PickleError("expected a value on the stack, got none"))
    return u.stack[end]
end

const FIXED_TUPLES = Dict(0x85 => 1, 0x86 => 2, 0x87 => 3)
const PICKLE_CONSTANTS = Dict{UInt8,Any}(UInt8('N') => nothing, 0x88 => true, 0x89 => false, UInt8('(') => Mark(), UInt8(')') => ())

function step!(u::Unpickler, code::UInt8)
    c = Char(code)
    haskey(PICKLE_CONSTANTS, code) && return push!(u.stack, PICKLE_CONSTANTS[code])
    c in "GJMKX" || code in (0x8a, 0x8c) ? push!(u.stack, scalar!(u, code)) :
    c in "}]" ? push!(u.stack, OpenContainer(c == '}', Any[], nothing)) :
    c in "sua" || c == 'e' ? fill_container!(u, c) :
    c == 't' ? push!(u.stack, tupled(take_marked!(u))) :
    haskey(FIXED_TUPLES, code) ? push!(u.stack, tupled(reverse(Any[take_one!(u) for _ in 1:FIXED_TUPLES[code]]))) :
    c in "qr" ? (u.memory[c == 'q' ? Int(next_byte!(u)) : Int(next_number!(u, UInt32))] = top(u)) :
    code == 0x94 ? (u.memory[length(u.memory)] = top(u)) :
    c in "hj" ? push!(u.stack, recalled(u, c == 'h' ? Int(next_byte!(u)) : Int(next_number!(u, UInt32)))) :
    c == 'c' ? push!(u.stack, known_global(next_line!(u), next_line!(u))) :
    code == 0x93 ? push!(u.stack, known_global(reverse([take_one!(u, String, "the name of a class") for _ in 1:2])...)) :
    c == 'Q' ? push!(u.stack, storage_reference!(u, take_one!(u))) :
    c == 'R' ? push!(u.stack, reduced!(u)) :
    c == 'b' ? build!(u) :
    code == 0x80 ? (next_byte!(u) <= 5 || throw(PickleError("expected a pickle of protocol 5 or older"))) :
    code == 0x95 ? next_number!(u, UInt64) :
    throw(PickleError("expected plain data and tensors, got the pickle operation 0x$(string(code; base = 16, pad = 2))"))
    return nothing
end

function scalar!(u::Unpickler, code::UInt8)
    c = Char(code)
    c == 'G' && return ntoh(reinterpret(Float64, collect(next_bytes!(u, 8)))[1])
    c == 'J' && return Int(next_number!(u, Int32))
    c == 'M' && return Int(next_number!(u, UInt16))
    c == 'K' && return Int(next_byte!(u))
    c == 'X' && return next_text!(u, next_number!(u, UInt32))
    code == 0x8c && return next_text!(u, next_byte!(u))
    return long_integer(next_bytes!(u, next_byte!(u)))
end

# Little-endian, two's complement, as short as it can be.
function long_integer(bytes)
    n = BigInt(0)
    for byte in Iterators.reverse(bytes)
        n = n << 8 | byte
    end
    !isempty(bytes) && bytes[end] >= 0x80 && (n -= BigInt(1) << (8 * length(bytes)))
    return typemin(Int) <= n <= typemax(Int) ? Int(n) : n
end

is_internal(x) = x isa Union{Global,StorageReference,Arguments}

tupled(values::Vector{Any}) =
    any(is_internal, values) ? Arguments(Tuple(Any[is_internal(x) ? x : closed(x) for x in values])) : Tuple(map(closed, values))

recalled(u::Unpickler, place::Int) =
    haskey(u.memory, place) ? u.memory[place] : throw(PickleError("expected something in memory at $place, got nothing"))

function fill_container!(u::Unpickler, c::Char)
    values = map(closed, c in "ue" ? take_marked!(u) : reverse(Any[take_one!(u) for _ in 1:(c == 's' ? 2 : 1)]))
    container = top(u)
    container isa OpenContainer && container.ordered == (c in "su") ||
        throw(PickleError("expected a $(c in "su" ? "dictionary" : "list") to put values into, got another thing"))
    container.closed === nothing || throw(PickleError("expected a list or dictionary to be filled before it is used, got one that may hold itself"))
    container.ordered && isodd(length(values)) && throw(PickleError("expected a value for every key, got one key more"))
    append!(container.entries, values)
    return nothing
end

closed(x) = x
closed(::Union{Mark,Global,StorageReference,Arguments}) = throw(PickleError("expected plain data and tensors, got a part of a tensor alone"))
function closed(x::OpenContainer)
    x.closed === nothing && (x.closed = x.ordered ? dictionary(x.entries) : x.entries)
    return x.closed
end

function dictionary(entries::Vector{Any})
    list = entries[1:2:end]
    foreach(key -> key isa Union{Real,String} || throw(PickleError("expected numbers or text as keys of a dictionary, got a $(nameof(typeof(key)))")), list)
    K = isempty(list) ? Any : all(key -> typeof(key) === typeof(list[1]), list) ? typeof(list[1]) : Any
    return Dict{K,Any}(zip(list, entries[2:2:end]))
end

const REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2"
const ORDERED_DICT = "collections.OrderedDict"
const STORAGE_ELEMENTS = Dict("torch." * name => T for (T, name) in STORAGES)

function known_global(owner::String, name::String)
    full = "$owner.$name"
    full in (REBUILD_TENSOR, ORDERED_DICT) || haskey(STORAGE_ELEMENTS, full) ||
        throw(PickleError("expected plain data and tensors, got $full: nothing of this file has been run"))
    return Global(full)
end

function reduced!(u::Unpickler)
    arguments, f = unwrapped(take_one!(u)), take_one!(u, Global, "a class")
    f.name == ORDERED_DICT && arguments == () && return OpenContainer(true, Any[], nothing)
    f.name == REBUILD_TENSOR && return rebuilt_tensor(u, arguments)
    throw(PickleError("expected a tensor or an empty dictionary, got $(f.name) of $(length(arguments)) arguments"))
end

# The state of an OrderedDict (what torch notes about a module) says nothing about its entries.
function build!(u::Unpickler)
    take_one!(u)
    top(u) isa OpenContainer || throw(PickleError("expected plain data and tensors, got an object with a state"))
    return nothing
end

unwrapped(x::Arguments) = x.values
unwrapped(x::Tuple) = x
unwrapped(x) = throw(PickleError("expected arguments, got a $(nameof(typeof(x)))"))

function storage_reference!(u::Unpickler, arguments)
    id = unwrapped(arguments)
    id isa Tuple && length(id) in (5, 6) && id[1] == "storage" && id[2] isa Global && haskey(STORAGE_ELEMENTS, id[2].name) &&
        id[3] isa String && id[5] isa Int && id[5] >= 0 && (length(id) == 5 || id[6] === nothing) ||
        throw(PickleError("expected the storage of a tensor, got another reference"))
    T = STORAGE_ELEMENTS[id[2].name]
    u.sizes[id[3]] = sizeof(T)
    return StorageReference(T, id[3], id[5])
end

const NonNegatives = Tuple{Vararg{Int}}

function rebuilt_tensor(u::Unpickler, @nospecialize(arguments::Tuple))
    length(arguments) in (6, 7) && arguments[1] isa StorageReference && arguments[2] isa Int && arguments[2] >= 0 &&
        all(t -> t isa NonNegatives && all(>=(0), t), arguments[3:4]) && length(arguments[3]) == length(arguments[4]) <= 8 ||
        throw(PickleError("expected a tensor, got other arguments"))
    reference, offset, dims, steps = arguments[1:4]
    u.storages === nothing && return nothing
    haskey(u.storages, reference.key) || throw(PickleError("expected the storage $(repr(reference.key)) of a tensor in the file, got none"))
    T, bytes = reference.element, u.storages[reference.key]
    count = foldl((n, d) -> n * Float64(d), dims; init = 1.0)
    furthest = offset + mapreduce(k -> max(dims[k] - 1, 0) * Float64(steps[k]), +, eachindex(dims); init = 0.0)
    length(bytes) >= Float64(reference.count) * sizeof(T) && count <= reference.count && (count == 0 || furthest < reference.count) ||
        throw(PickleError("expected a tensor of size $dims inside its storage of $(reference.count) numbers, got one beyond it"))
    u.left -= Int(count) * sizeof(T)
    u.left >= 0 || throw(PickleError("expected tensors of about the size of the file, got many times more"))
    return gathered(T, bytes, offset, dims, steps)
end

function gathered(::Type{T}, bytes, offset::Int, dims::NTuple{D,Int}, steps::NTuple{D,Int}) where {T,D}
    a = Array{T}(undef, dims)
    isempty(a) && return a
    contiguous = all(k -> dims[k] == 1 || steps[k] == prod(dims[1:k-1]), eachindex(dims))
    source = T === Bool ? UInt8 : T        # any byte but 0 is true
    size = sizeof(T)
    GC.@preserve a bytes begin
        start = pointer(bytes) + offset * size
        contiguous && T !== Bool && return (unsafe_copyto!(Ptr{UInt8}(pointer(a)), start, sizeof(a)); a)
        for (k, index) in enumerate(CartesianIndices(a))
            place = mapreduce(d -> (index[d] - 1) * steps[d], +, eachindex(dims); init = 0)
            x = unsafe_load(Ptr{source}(start + place * size))
            a[k] = T === Bool ? x != 0 : x
        end
    end
    return a
end
