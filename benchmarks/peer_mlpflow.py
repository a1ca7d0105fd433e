"""mlpflow called from Python: NumPy in, NumPy out, the round trip to the engine included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import mlpflow as mf

from .cases import Problem
from .timing import Contender, PythonContender

__all__ = ["PYTHON", "contenders", "make_net", "version"]

PYTHON = "mlpflow, Python"


def version() -> str:
    """Version, Julia and BLAS."""
    info = mf.engine_info()
    image = "own system image" if "mlpflow" in info["sysimage"].lower() else "Julia's system image"
    return (
        f"mlpflow {mf.__version__} (Julia {info['julia']}, {image}, {info['threads']} thread, "
        f"{info['blas']['config']}, kernel {info['blas']['kernel']})"
    )


def make_net(problem: Problem) -> mf.Net:
    """The problem as a network."""
    case = problem.case
    return mf.Net(list(case.layers), problem.x, problem.y, losstype=case.losstype)


def _numbers(value: Any) -> np.ndarray:
    parts = value if isinstance(value, tuple) else [value]
    arrays = [part.flat if isinstance(part, mf.Params) else np.ravel(part) for part in parts]
    return np.concatenate(arrays)


# A row a quantity: what is called, with the network, the parameters and a vector.
_CALLS: dict[str, Callable[[mf.Net, np.ndarray, np.ndarray], Any]] = {
    "gradient": lambda net, p, v: mf.value_and_gradient(net, p),
    "hessian": lambda net, p, v: mf.hessian(net, p),
    "hvp": lambda net, p, v: mf.hvp(net, p, v),
    "jacobian": lambda net, p, v: mf.jacobian(net, p),
    "gauss_newton": lambda net, p, v: mf.gauss_newton(net, p),
}


def contenders(quantity: str, problem: Problem) -> list[Contender]:
    """What mlpflow offers for a quantity; nothing where it has no such function."""
    if quantity not in _CALLS:
        return []
    run = partial(_CALLS[quantity], make_net(problem), problem.p, problem.v)
    return [PythonContender(PYTHON, run, _numbers)]
