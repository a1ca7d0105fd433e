# Results as files for torch.load: an archive with a pickle and the storages of its tensors (PyTorch 1.6 and newer), and, for
# reading alone, one pickle after another (older ones, and Pickle.jl).

const LEGACY_MAGIC = parse(BigInt, "1950a86a20f9469cfc6c"; base = 16)
const LEGACY_PROTOCOL = 1001
const LEGACY_BEGINNING = UInt8[0x80, 0x02, 0x8a, 0x0a]

"""
    pickle(file, result; exclude = String[])

Write a result of [`train`](@ref), or any dictionary, tuple or vector of numbers, text and arrays, so that [`unpickle`](@ref),
`mlpflow.unpickle` and `torch.load(file, weights_only=True)` read it. Arrays become tensors of the same shape; entries that are `nothing` and
the keys `exclude` of a dictionary are left out. The file is replaced atomically. Throws an `ArgumentError` for what is no plain data
and for a key of `exclude` that is not there, a `SystemError` when the file cannot be written.
"""
function pickle(file::AbstractString, result; exclude = String[])
    data, storages = pickled(without(result, exclude))
    members = Pair{String,Vector{UInt8}}["archive/data.pkl" => data, "archive/byteorder" => Vector{UInt8}("little")]
    for (k, bytes) in enumerate(storages)
        push!(members, "archive/data/$(k - 1)" => bytes)
    end
    push!(members, "archive/version" => Vector{UInt8}("3\n"))
    path = abspath(file)
    write_atomically(path, "$path.$(getpid()).part", zip_archive(members))
    return nothing
end

without(value, exclude) =
    isempty(exclude) ? value : throw(ArgumentError("expected a dictionary to exclude keys from, got a $(typeof(value))"))

function without(d::AbstractDict, exclude)
    names = exclude isa AbstractString ? [exclude] : collect(exclude)
    for name in names
        haskey(d, name) || throw(ArgumentError("exclude: expected some of the keys $(join(sort!(map(string, collect(keys(d)))), ", ")), got $name"))
    end
    return Dict(key => value for (key, value) in d if !(key in names) && value !== nothing)
end

"""
    unpickle(file)

What [`pickle`](@ref), `mlpflow.pickle`, `torch.save` or the reference package wrote, as far as it is plain data and tensors: tensors come back as
arrays of the same shape and element type, dictionaries as `Dict`. Nothing that a file names is run. Throws an `ArgumentError` for a damaged or
another file, a `SystemError` when there is none.
"""
function unpickle(file::AbstractString)
    bytes = read(file)
    try
        length(bytes) >= 4 && bytes[1:4] == LEGACY_BEGINNING && return legacy_value(bytes)
        length(bytes) >= 4 && read_little_endian(UInt32, bytes, 1) == ZIP_LOCAL && return archive_value(bytes)
        throw(PickleError("it begins otherwise"))
    catch e
        e isa PickleError || rethrow()
        throw(ArgumentError("$file: expected a file written by pickle or torch.save, got another: $(e.message)"))
    end
end

function archive_value(bytes::Vector{UInt8})
    members = zip_members(bytes)
    data = filter(name -> endswith(name, "/data.pkl"), collect(keys(members)))
    length(data) == 1 || throw(PickleError("the archive has $(length(data)) members data.pkl"))
    folder = data[1][1:end-sizeof("data.pkl")]
    order = get(members, folder * "byteorder", Vector{UInt8}("little"))
    order == codeunits("little") || throw(PickleError("expected little-endian numbers, got others"))
    prefix = folder * "data/"
    storages = Dict(name[sizeof(prefix)+1:end] => content for (name, content) in members if startswith(name, prefix))
    value, position = unpickled(members[data[1]], 1, storages, length(bytes))
    position > length(members[data[1]]) || throw(PickleError("something follows the pickle"))
    return value
end

# Magic number, protocol, facts about the machine, the value, the keys of the storages, the storages. The value is read twice,
# because the storages lie behind it.
function legacy_value(bytes::Vector{UInt8})
    next(position, storages = nothing) = unpickled(bytes, position, storages, length(bytes))
    magic, position = next(1)
    magic == LEGACY_MAGIC || throw(PickleError("its magic number is another"))
    protocol, position = next(position)
    protocol == LEGACY_PROTOCOL || throw(PickleError("its protocol is another"))
    machine, start = next(position)
    machine isa Dict && get(machine, "little_endian", true) === true || throw(PickleError("expected little-endian numbers, got others"))
    _, position, sizes = next(start)
    names, position = next(position)
    names isa Vector && all(name -> name isa String, names) || throw(PickleError("expected a list of storages, got another thing"))
    storages = Dict{String,Any}()
    for name in names
        u = Unpickler(bytes, position, nothing, length(bytes))
        count = next_number!(u, Int64)
        0 <= count <= length(bytes) || throw(PickleError("the file is cut off"))
        storages[name] = next_bytes!(u, count * get(sizes, name, 1))
        position = u.position
    end
    return next(start, storages)[1]
end
