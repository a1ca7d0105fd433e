# A file with a line that says what it is, plain data, and a checksum: damage gives one clear error.
#
#     line        "mlpflow checkpoint 1\n": kind and version of the format, for people and for `file`
#     length      UInt64, little-endian, of the content
#     checksum    UInt32, little-endian: CRC-32C (Castagnoli) of the content, which finds every error of up to 32 bits in a row
#     content     MessagePack

const SEAL_BYTES = 12

"""
    sealed(line, value) -> Vector{UInt8}

The file that begins with `line` and holds the plain data `value`.
"""
function sealed(line::String, value)
    content = msgpack(value)
    return vcat(Vector{UInt8}(line), little_endian(UInt64(length(content))), little_endian(crc32c(content)), content)
end

little_endian(n::Unsigned) = collect(reinterpret(UInt8, [htol(n)]))

"""
    unsealed(line, bytes, path) -> value

What `sealed(line, value)` had been given. Throws an `ArgumentError` that names `path` when the bytes are those of another file,
or not all there, or not as they were written.
"""
function unsealed(line::String, bytes::Vector{UInt8}, path::String)
    what = rstrip(line)
    start = sizeof(line)
    length(bytes) >= start && bytes[1:start] == codeunits(line) ||
        throw(ArgumentError("expected a file that begins with \"$what\", got another: $path"))
    wrong(found) = throw(ArgumentError("expected a whole file of the kind \"$what\", got one that is $found: $path"))
    length(bytes) >= start + SEAL_BYTES || wrong("cut off after $(length(bytes)) bytes")
    expected = read_little_endian(UInt64, bytes, start + 1)
    content = bytes[start+SEAL_BYTES+1:end]
    length(content) == expected || wrong("of $(length(content)) instead of $expected bytes")
    crc32c(content) == read_little_endian(UInt32, bytes, start + 9) || wrong("damaged: its checksum is another")
    try
        return unmsgpack(content)
    catch e
        e isa MessagePackError || rethrow()
        wrong("damaged: $(e.message)")
    end
end

read_little_endian(::Type{T}, bytes::Vector{UInt8}, position::Int) where {T} =
    ltoh(reinterpret(T, bytes[position:position+sizeof(T)-1])[1])
