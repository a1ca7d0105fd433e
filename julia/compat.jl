# What differs between the versions of Julia that the engine runs on (1.5 to today's), in one place.

# The functions for shared libraries: a standard library at first, part of Base.Libc later.
const LIBDL = isdefined(Base.Libc, :Libdl) ? Base.Libc.Libdl :
    Base.root_module(Base.PkgId(Base.UUID("8f399da3-3557-5675-b5ff-fb832c97cbdb"), "Libdl"))
