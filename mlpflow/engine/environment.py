"""The environment in which a worker starts."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .discovery import Julia

__all__ = ["julia_command", "processor_identity", "worker_environment"]

# The first Julia whose OpenBLAS (0.3.10 and newer) knows newer processors by itself.
_KNOWS_PROCESSORS = (1, 7)


def julia_command(julia: Julia, image: Path | None = None) -> list[str]:
    """The command line that runs the worker, to be followed by its arguments."""
    program = "using MLPFlow; MLPFlow.run_worker()"
    options = ["--startup-file=no", "--history-file=no", "--color=no"]
    if image is not None:
        options.append(f"--sysimage={image}")
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


def processor_identity() -> str:
    """The processor's name and abilities: machine code for one may not run on another."""
    name = _processor_line("model name") or platform.processor()
    return " ".join([platform.machine(), name, *sorted(_processor_flags())])


def _processor_flags() -> frozenset[str]:
    return frozenset(_processor_line("flags").split())


def _processor_line(name: str) -> str:
    """What Linux says about its first processor; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""
