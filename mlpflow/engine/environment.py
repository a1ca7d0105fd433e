"""The environment in which a worker starts."""

from __future__ import annotations

import os
from pathlib import Path

from .discovery import Julia

__all__ = ["julia_command", "worker_environment"]

# The first Julia whose OpenBLAS (0.3.10 and newer) knows newer processors by itself.
_KNOWS_PROCESSORS = (1, 7)


def julia_command(julia: Julia) -> list[str]:
    """The command line that runs the worker, to be followed by its arguments."""
    program = "using MLPFlow; MLPFlow.run_worker()"
    options = ["--startup-file=no", "--history-file=no", "--color=no"]
    return [julia.path, *options, "-e", program]


def worker_environment(julia: Julia, root: Path) -> dict[str, str]:
    """The user's environment, with what the engine needs and the user has not set."""
    environment = dict(os.environ)
    environment["JULIA_LOAD_PATH"] = os.pathsep.join([str(root), "@stdlib"])
    environment.pop("JULIA_PROJECT", None)
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    if julia.version < _KNOWS_PROCESSORS:
        kernel = _blas_kernel(_processor_flags())
        if kernel:
            environment.setdefault("OPENBLAS_CORETYPE", kernel)
    return environment


def _blas_kernel(flags: frozenset[str]) -> str | None:
    """The fastest kernel of an old OpenBLAS, which falls back to a slow one on a new processor."""
    if {"avx512f", "avx512dq", "avx512bw", "avx512vl"} <= flags:
        return "SkylakeX"
    if {"avx2", "fma"} <= flags:
        return "Haswell"
    return None


def _processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
