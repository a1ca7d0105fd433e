"""The keys under which scripts written for the reference package look for results.

Parameters come as dictionaries ``"w1" => [W1 b1]``, the bias in the last column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._hints import did_you_mean
from .params import Params

if TYPE_CHECKING:
    from .result import TrainResult

__all__ = ["KEYS", "look_up"]


def joined(p: Params) -> dict[str, np.ndarray]:
    """``{"w1": [W1 b1], ...}``."""
    return {
        f"w{number}": weight.copy() if bias is None else np.column_stack([weight, bias])
        for number, (weight, bias) in enumerate(p.layers, start=1)
    }


def _trajectory(result: TrainResult) -> dict[float, dict[str, np.ndarray]]:
    samples = result.trajectory
    return {
        float(t): joined(result.net._params(row))
        for t, row in zip(samples.t, samples.params, strict=True)
    }


KEYS: dict[str, Callable[[TrainResult], Any]] = {
    "loss": lambda r: r.loss,
    "ode_loss": lambda r: r.flow.loss if r.flow else None,
    "gnorm": lambda r: r.data_gnorm,
    "gnorm_regularized": lambda r: r.gnorm,
    "init": lambda r: joined(r.init),
    "x": lambda r: joined(r.params),
    "ode_x": lambda r: joined(r.flow.params) if r.flow else None,
    "trajectory": _trajectory,
    "loss_curve": lambda r: np.concatenate([r.trajectory.loss if r.flow else [], r.loss_curve]),
    "ode_iterations": lambda r: r.flow.iterations if r.flow else 0,
    "optim_iterations": lambda r: r.optim.iterations if r.optim else 0,
    "ode_time_run": lambda r: r.flow.time if r.flow else 0.0,
    "optim_time_run": lambda r: r.optim.time if r.optim else 0.0,
    "total_time": lambda r: r.total_time,
    "ode_stopped_by": lambda r: str(r.flow.status) if r.flow else "not_run",
    "optim_stopped_by": lambda r: str(r.optim.status) if r.optim else "not_run",
    "status": lambda r: str(r.status),
    "message": lambda r: r.message,
    "converged": lambda r: r.converged,
    "input": lambda r: getattr(r.net, "inputs", None),
    "target": lambda r: getattr(r.net, "targets", None),
    "layerspec": lambda r: r.net.layers,
    "weights": lambda r: getattr(r.net, "weights", None),
    "integration_error": lambda r: r.integration_error,
}


def look_up(result: TrainResult, key: str) -> Any:
    """One of the reference keys; KeyError with "did you mean" for others."""
    if key not in KEYS:
        raise KeyError(
            f"expected one of {', '.join(KEYS)}, got {key!r}{did_you_mean(str(key), KEYS)}"
        )
    return KEYS[key](result)
