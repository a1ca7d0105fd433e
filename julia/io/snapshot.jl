# The state of a run as plain data, and back: by walking the fields of its structs, without knowing what they mean.

"""
    transient(x) -> Tuple of Symbols

Names of the fields of the struct `x` that are no state of a run: what is made anew from its arguments when the run goes on.
"""
transient(x) = ()

"""
    filled(x) -> NamedTuple

How much of an array field of the struct `x` holds anything: the number of entries along the last dimension, counted from the
first. 0: nothing, because it will be written before it is read. Fields that are not named are kept whole, and which are named
does not depend on the state. This is about the size of a snapshot, never about what it means.
"""
filled(x) = NamedTuple()

"""
    snapshot(x)

`x` as plain data that `msgpack` takes and `restore!` turns back, to the last bit: numbers, text, symbols, `nothing`, arrays,
tuples, and structs of these (as dictionaries of their fields, without those that are `transient`). Arrays of numbers are
shared with `x`, not copied. Throws an `ArgumentError` for functions, dictionaries and other things that are not plain.
"""
function snapshot(@nospecialize(x))
    x isa Union{Nothing,Real,String,Symbol} && return x
    is_numbers(x) && return x
    x isa Char && return Int(x)
    x isa Union{Tuple,Vector} && return Any[snapshot(element) for element in x]
    is_record(x) || throw(ArgumentError("expected the state of a run to be numbers, text, arrays, tuples and structs of " *
                                        "these, got a $(typeof(x))"))
    skipped, lengths = transient(x), filled(x)
    fields = Dict{String,Any}()
    for name in fieldnames(typeof(x))
        name in skipped && continue
        value = getfield(x, name)
        fields[String(name)] = snapshot(haskey(lengths, name) ? leading(value, lengths[name]) : value)
    end
    return fields
end

const NOT_PLAIN = Union{Function,AbstractDict,AbstractSet,IO,Module,Type,Ptr,Task,AbstractArray,AbstractRNG}

is_numbers(@nospecialize(x)) = x isa Array{<:WireElement} && isconcretetype(eltype(x))

is_record(@nospecialize(x)) = isstructtype(typeof(x)) && !(x isa NOT_PLAIN)

# The first n entries of an array along its last dimension.
leading(a::Array{T,D}, n::Int) where {T,D} = n == size(a, D) ? a : copy(selectdim(a, D, 1:n))

"""
    restore!(x, data) -> x

Write a snapshot back into the mutable struct `x` of the type that it was taken of: in place where there is an array of
the same size, else in a new one. Fields that are `transient`, and what was not `filled`, stay as they are in `x`. Throws an
`ArgumentError` that names the field when the data is not that of such a struct.
"""
function restore!(@nospecialize(x), data)
    restored = from_snapshot(x, data, String(nameof(typeof(x))))
    restored === x || throw(ArgumentError("expected a mutable struct to restore, got a $(typeof(x))"))
    return x
end

# What stands where `old` is now; `place` says where that is. One method for all types: it is compiled once.
function from_snapshot(@nospecialize(old), @nospecialize(data), place::String)
    old isa Bool && data isa Bool && return data
    old isa Real && data isa Real && return number_from_snapshot(old, data, place)
    old isa Char && data isa Int && 0 <= data <= 0x10ffff && return Char(data)
    old isa Symbol && data isa Union{Symbol,String} && return Symbol(data)
    old isa String && data isa String && return data
    (old === nothing || data === nothing) && return optional_from_snapshot(old, data, place)
    is_numbers(old) && typeof(data) === typeof(old) && return overwrite!(old, data)
    old isa Union{Tuple,Vector} && data isa Vector{Any} && return list_from_snapshot(old, data, place)
    is_record(old) && data isa Dict{String,Any} && return record_from_snapshot(old, data, place)
    throw(ArgumentError("expected $(kind_of(old)) for $place, got $(kind_of(data))"))
end

function number_from_snapshot(@nospecialize(old), @nospecialize(data), place::String)
    fits = !(old isa Bool || data isa Bool) && (old isa Integer) == (data isa Integer)
    fits &= !(old isa Integer) || typemin(old) <= data <= typemax(old)
    fits || throw(ArgumentError("expected a $(typeof(old)) for $place, got $data"))
    return convert(typeof(old), data)
end

# A field that is sometimes `nothing` and sometimes a number or an array of numbers.
function optional_from_snapshot(@nospecialize(old), @nospecialize(data), place::String)
    old === data && return nothing
    value = old === nothing ? data : old
    value isa Real || is_numbers(value) ||
        throw(ArgumentError("expected $(kind_of(old)) for $place, got $(kind_of(data))"))
    return data isa Array ? copy(data) : data
end

overwrite!(old, data) = size(old) == size(data) ? copyto!(old, data) : copy(data)

function list_from_snapshot(@nospecialize(old), data::Vector{Any}, place::String)
    entries = Any[i <= length(old) ? from_snapshot(old[i], data[i], "$place[$i]") : data[i] for i in eachindex(data)]
    length(old) == length(data) && old isa Tuple && return Tuple(entries)
    length(old) == length(data) && return copyto!(old, entries)
    # A list that has grown or shrunk; what a new entry of another kind should look like nobody here knows.
    (old isa Tuple || !all(entry -> entry isa eltype(old), entries)) &&
        throw(ArgumentError("expected $(length(old)) entries in $place, got $(length(data))"))
    return convert(typeof(old), entries)
end

function record_from_snapshot(@nospecialize(old), data::Dict{String,Any}, place::String)
    T, skipped = typeof(old), transient(old)
    lengths = filled(old)
    names = [name for name in fieldnames(T) if !(name in skipped)]
    Set(map(String, names)) == Set(keys(data)) || throw(ArgumentError(
        "expected the fields $(join(names, ", ")) for $place, got $(join(sort!(collect(keys(data))), ", "))"))
    values = Any[getfield(old, name) for name in fieldnames(T)]
    for (i, name) in enumerate(fieldnames(T))
        name in skipped && continue
        part = data[String(name)]
        values[i] = haskey(lengths, name) ? fill_leading!(values[i], part, "$place.$name") :
            from_snapshot(values[i], part, "$place.$name")
        ismutable(old) && setfield!(old, name, values[i])
    end
    ismutable(old) && return old
    all(i -> values[i] === getfield(old, i), 1:length(values)) && return old
    # As a constructor would make it, whose checks the values have passed before.
    return ccall(:jl_new_structv, Any, (Any, Ptr{Any}, UInt32), T, values, length(values))
end

function fill_leading!(old::Array{T,D}, data, place::String) where {T,D}
    data isa Array{T,D} && size(data)[1:D-1] == size(old)[1:D-1] ||
        throw(ArgumentError("expected $(kind_of(old)) for $place, got $(kind_of(data))"))
    size(data, D) <= size(old, D) || return copy(data)
    copyto!(old, data)
    return old
end

kind_of(@nospecialize(x)) = is_numbers(x) ? "an array of $(eltype(x)) of size $(size(x))" : "a $(typeof(x))"
