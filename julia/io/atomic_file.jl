# Files that are replaced as a whole: whoever reads sees the old content or the new one, also after a crash or a power cut.

"""
    write_atomically(path, temporary, data::Vector{UInt8})

Write `data` to the file `temporary`, wait until it lies on the disk, and rename it to `path`, which is in the same folder.
Throws a `SystemError` and leaves `path` as it was when something fails.
"""
function write_atomically(path::String, temporary::String, data::Vector{UInt8})
    try
        write_durably(temporary, data)
        system_check("renaming $temporary", ccall(:rename, Cint, (Cstring, Cstring), temporary, path))
    catch
        rm(temporary; force=true)
        rethrow()
    end
    synchronize_folder(dirname(path))
    return nothing
end

# The third argument is for Windows; without it Julia 1.5 cannot print the error.
system_check(what::String, result::Integer) = result == -1 ? throw(SystemError(what, Libc.errno(), nothing)) : result

function write_durably(path::String, data::Vector{UInt8})
    flags = Base.Filesystem.JL_O_WRONLY | Base.Filesystem.JL_O_CREAT | Base.Filesystem.JL_O_TRUNC
    descriptor = open_descriptor(path, flags)
    try
        write_out(descriptor, data, path)
        system_check("writing $path", ccall(:fsync, Cint, (Cint,), descriptor))
    finally
        ccall(:close, Cint, (Cint,), descriptor)
    end
    return nothing
end

# By the system's own calls: an IOStream does not say that the disk is full.
open_descriptor(path::String, flags::Integer) =
    system_check("opening $path", ccall(:open, Cint, (Cstring, Cint, Cuint...), path, flags, 0o666))

function write_out(descriptor::Cint, data::Vector{UInt8}, path::String)
    done = 0
    while done < length(data)
        n = GC.@preserve data ccall(:write, Cssize_t, (Cint, Ptr{UInt8}, Csize_t), descriptor, pointer(data, done + 1),
                                    length(data) - done)
        n == -1 && Libc.errno() == Libc.EINTR && continue
        done += system_check("writing $path", n)
    end
    return nothing
end

# A rename is an entry in the folder, which has to reach the disk too. Where the file system knows no such thing, it is
# content with less.
function synchronize_folder(folder::String)
    descriptor = ccall(:open, Cint, (Cstring, Cint, Cuint...), folder, Base.Filesystem.JL_O_RDONLY, 0)
    descriptor == -1 && return nothing
    ccall(:fsync, Cint, (Cint,), descriptor)
    ccall(:close, Cint, (Cint,), descriptor)
    return nothing
end
