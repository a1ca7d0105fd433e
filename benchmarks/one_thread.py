"""One thread for everything that computes. Imported before NumPy, PyTorch and JAX, which read the
environment once."""

from __future__ import annotations

import os

__all__ = ["ALL_CORES", "ENVIRONMENT", "pin"]

ENVIRONMENT = {
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
    "JULIA_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}

ALL_CORES = os.sched_getaffinity(0)


def pin() -> None:
    """Confine this process, and all that it starts, to one core and one thread a library.

    XLA sizes its pools by the cores that the process may use; no flag alone stops it.
    """
    os.sched_setaffinity(0, {max(ALL_CORES)})
    os.environ.update(ENVIRONMENT)
