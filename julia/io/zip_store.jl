# ZIP archives whose members are stored as they are (APPNOTE.TXT 6.3, methods 0 only), as torch.save writes them.

const ZIP_LOCAL = 0x04034b50
const ZIP_CENTRAL = 0x02014b50
const ZIP_END = 0x06054b50
const ZIP64_LOCATOR = 0x07064b50
const ZIP64_END = 0x06064b50
const ZIP_LIMIT = 0xffffffff            # where the 32-bit fields end
const ZIP_ALIGNMENT = 64                # torch maps the members into memory
const ZIP_FIRST_OF_1980 = 0x0021        # a date that every reader accepts, and the same bytes for the same content

# CRC-32 of ZIP and PNG (reflected polynomial 0xedb88320), eight bytes at a time: table k advances a byte over k more bytes.
const CRC32_TABLES = let tables = zeros(UInt32, 256, 8)
    for n in 0:255
        c = UInt32(n)
        for _ in 1:8
            c = isodd(c) ? 0xedb88320 ⊻ (c >> 1) : c >> 1
        end
        tables[n+1, 1] = c
    end
    for k in 2:8, n in 1:256
        c = tables[n, k-1]
        tables[n, k] = tables[(c & 0xff)+1, 1] ⊻ (c >> 8)
    end
    tables
end

"""
    crc32(bytes) -> UInt32

The checksum of ZIP archives.
"""
function crc32(bytes::AbstractVector{UInt8})
    t = CRC32_TABLES
    c = 0xffffffff
    n = length(bytes)
    i = 1
    @inbounds while i + 7 <= n
        a = c ⊻ (UInt32(bytes[i]) | UInt32(bytes[i+1]) << 8 | UInt32(bytes[i+2]) << 16 | UInt32(bytes[i+3]) << 24)
        c = t[(a & 0xff)+1, 8] ⊻ t[(a >> 8 & 0xff)+1, 7] ⊻ t[(a >> 16 & 0xff)+1, 6] ⊻ t[(a >> 24)+1, 5] ⊻
            t[bytes[i+4]+1, 4] ⊻ t[bytes[i+5]+1, 3] ⊻ t[bytes[i+6]+1, 2] ⊻ t[bytes[i+7]+1, 1]
        i += 8
    end
    @inbounds while i <= n
        c = t[((c ⊻ bytes[i]) & 0xff)+1, 1] ⊻ (c >> 8)
        i += 1
    end
    return ~c
end

"""
    zip_archive(members) -> Vector{UInt8}

An archive of `name => bytes` pairs. Throws an `ArgumentError` where it would pass the 4 GiB that the format's 32-bit fields hold.
"""
function zip_archive(members)
    total = mapreduce(member -> length(member[2]) + 2 * sizeof(member[1]) + 256, +, members; init = 0)
    total < ZIP_LIMIT || throw(ArgumentError("expected less than 4 GiB in one file, got $total bytes: leave keys out with exclude"))
    io, directory = IOBuffer(), IOBuffer()
    for (name, bytes) in members
        offset = position(io)
        common = (0x0014, 0x0800, 0x0000, 0x0000, ZIP_FIRST_OF_1980, crc32(bytes), UInt32(length(bytes)), UInt32(length(bytes)),
                  UInt16(sizeof(name)))
        padding = mod(-(offset + 30 + sizeof(name) + 4), ZIP_ALIGNMENT)
        put_fields(io, ZIP_LOCAL, common..., UInt16(padding + 4))
        write(io, name)
        put_fields(io, 0x4246, UInt16(padding))         # an extra field "FB" that nobody reads
        write(io, zeros(UInt8, padding), bytes)
        put_fields(directory, ZIP_CENTRAL, 0x0014, common..., 0x0000, 0x0000, 0x0000, 0x0000, 0x00000000, UInt32(offset))
        write(directory, name)
    end
    start, entries = position(io), take!(directory)
    write(io, entries)
    count = UInt16(length(members))
    put_fields(io, ZIP_END, 0x0000, 0x0000, count, count, UInt32(length(entries)), UInt32(start), 0x0000)
    return take!(io)
end

put_fields(io::IO, fields...) = foreach(field -> write(io, htol(field)), fields)

"""
    zip_members(bytes) -> Dict(name => view)

The members of an archive, looked up in its directory. Throws a `PickleError` when the archive is damaged or a member is compressed.
"""
function zip_members(bytes::Vector{UInt8})
    count, start = zip_directory(bytes)
    members = Dict{String,Any}()
    position = start + 1
    for _ in 1:count
        fields = zip_entry(bytes, position)
        haskey(members, fields.name) && throw(PickleError("expected every member of the archive once, got $(repr(fields.name)) twice"))
        members[fields.name] = zip_member(bytes, fields)
        position = fields.next
    end
    return members
end

function zip_field(::Type{T}, bytes::Vector{UInt8}, position::Integer) where {T<:Unsigned}
    1 <= position && position + sizeof(T) - 1 <= length(bytes) || throw(PickleError("the archive is cut off"))
    return read_little_endian(T, bytes, Int(position))
end

# Number of entries and offset of the directory; they stand at the end, before a comment of up to 64 KiB.
function zip_directory(bytes::Vector{UInt8})
    for p in length(bytes)-21:-1:max(1, length(bytes) - 21 - 0xffff)
        zip_field(UInt32, bytes, p) == ZIP_END || continue
        count, start = zip_field(UInt16, bytes, p + 10), zip_field(UInt32, bytes, p + 16)
        (count == 0xffff || start == ZIP_LIMIT) && return zip64_directory(bytes, p)
        return Int(count), Int(start)
    end
    throw(PickleError("the archive is cut off: it has no directory"))
end

function zip64_directory(bytes::Vector{UInt8}, p::Int)
    zip_field(UInt32, bytes, p - 20) == ZIP64_LOCATOR || throw(PickleError("the archive's directory is damaged"))
    q = zip_field(UInt64, bytes, p - 12)
    q < length(bytes) && zip_field(UInt32, bytes, q + 1) == ZIP64_END || throw(PickleError("the archive's directory is damaged"))
    count, start = zip_field(UInt64, bytes, q + 33), zip_field(UInt64, bytes, q + 49)
    max(count, start) < length(bytes) || throw(PickleError("the archive's directory is damaged"))
    return Int(count), Int(start)
end

function zip_entry(bytes::Vector{UInt8}, p::Int)
    zip_field(UInt32, bytes, p) == ZIP_CENTRAL || throw(PickleError("the archive's directory is damaged"))
    name_length, extra, comment = (Int(zip_field(UInt16, bytes, p + k)) for k in (28, 30, 32))
    p + 45 + name_length + extra <= length(bytes) || throw(PickleError("the archive is cut off"))
    name = String(bytes[p+46:p+45+name_length])
    wide = zip64_values(bytes, p + 46 + name_length, extra)
    size, offset = zip_field(UInt32, bytes, p + 24), zip_field(UInt32, bytes, p + 42)
    stored = zip_field(UInt32, bytes, p + 20)
    # The wide values stand for those that are full, in this order: size, compressed size, offset.
    take() = isempty(wide) ? throw(PickleError("the archive's directory is damaged")) : popfirst!(wide)
    sizes = map(n -> n == ZIP_LIMIT ? take() : UInt64(n), (size, stored, offset))
    return (name = name, method = zip_field(UInt16, bytes, p + 10), crc = zip_field(UInt32, bytes, p + 16), size = sizes[1],
            stored = sizes[2], offset = sizes[3], next = p + 46 + name_length + extra + comment)
end

function zip64_values(bytes::Vector{UInt8}, p::Int, extra::Int)
    stop = p + extra
    while p + 4 <= stop
        id, n = zip_field(UInt16, bytes, p), Int(zip_field(UInt16, bytes, p + 2))
        id == 0x0001 && return [zip_field(UInt64, bytes, p + 4 + 8k) for k in 0:n÷8-1]
        p += 4 + n
    end
    return UInt64[]
end

function zip_member(bytes::Vector{UInt8}, fields)
    what = "the archive's member $(repr(fields.name))"
    fields.method == 0 && fields.stored == fields.size || throw(PickleError("expected $what to be stored as it is, got a compressed one"))
    max(fields.offset, fields.size) <= length(bytes) || throw(PickleError("$what is cut off"))
    p = Int(fields.offset) + 1
    zip_field(UInt32, bytes, p) == ZIP_LOCAL || throw(PickleError("$what is not where the directory says"))
    first = p + 30 + Int(zip_field(UInt16, bytes, p + 26)) + Int(zip_field(UInt16, bytes, p + 28))
    last = first + Int(fields.size) - 1
    last <= length(bytes) || throw(PickleError("$what is cut off"))
    content = view(bytes, first:last)
    crc32(content) == fields.crc || throw(PickleError("$what is damaged: its checksum is another"))
    return content
end
