"""What to do about a worker that does not start, by what Julia said."""

from __future__ import annotations

import re

__all__ = ["mend_of_start"]

# Looked for in this order in the error and the last lines that Julia wrote.
MENDS = [
    (
        r"No space left on device|ENOSPC|Disk quota exceeded|EDQUOT",
        "make room on the disk, or set JULIA_DEPOT_PATH and MLPFLOW_CACHE to folders on another",
    ),
    (
        r"Permission denied|EACCES|EPERM|Read-only file system|EROFS|ENOTDIR|not a directory"
        r"|IOError: mkdir",
        "set JULIA_DEPOT_PATH to a folder that you can write, where Julia keeps what it compiles",
    ),
    (
        r"OutOfMemoryError|[Cc]annot allocate memory|ENOMEM|bad_alloc",
        "free some memory, or ask the cluster for 2 GB: Julia needs them to compile the engine",
    ),
    (
        r"SIGILL|[Ii]llegal instruction|target for the system image|unsupported CPU",
        "run `mlpflow setup` on this machine: what is there was compiled for another processor",
    ),
    (
        r"could not load library|cannot open shared object|undefined symbol|wrong ELF class",
        "run `mlpflow setup`, or name a complete Julia by MLPFLOW_JULIA: a library is missing",
    ),
    (
        r"engine's Julia files|Package MLPFlow not found|protocol|LoadError|UndefVarError|syntax:"
        r"|failed to precompile",
        "install mlpflow again (pip install --force-reinstall mlpflow): files are damaged or mixed",
    ),
    (
        r"system image|sysimage|sys\.so",
        "set MLPFLOW_IMAGE=no, or install Julia again: its system image is broken",
    ),
    (
        r"SIGKILL",
        "give it more memory or time: something outside, often a memory limit, ended it",
    ),
]

OTHERWISE = "run `mlpflow doctor`, which examines the set-up; `mlpflow setup` mends most of it"


def mend_of_start(words: str) -> str:
    """One sentence that mends it, from what is known about the failure."""
    for pattern, mend in MENDS:
        if re.search(pattern, words):
            return mend
    return OTHERWISE
