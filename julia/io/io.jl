# Formats for plain data: numbers, strings, arrays, dictionaries. Nothing here knows what a network is.

include("msgpack_arrays.jl")
include("msgpack_write.jl")
include("msgpack_read.jl")
include("snapshot.jl")
include("atomic_file.jl")
include("checked_file.jl")
include("zip_store.jl")
include("pickle_write.jl")
include("pickle_read.jl")
include("pickle_file.jl")
