"""The report of a least-squares training: losses and damping against steps and seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import BLACK, BLUE, VERMILION, finish, missing_matplotlib

if TYPE_CHECKING:
    from ..lsq.history import History

__all__ = ["training_report"]


def training_report(history: Any, *, axes: Any = None, **line: Any) -> NDArray[np.object_]:
    """Draw loss, validation loss and damping of a run of `mlpflow.lsq`, 2 x 2 panels.

    Parameters
    ----------
    history : History, FitResult, dict, or path of a saved history
    axes : array of Axes of shape (2, 2), optional
        Upper row: losses; lower row: damping. Left: against steps; right: against seconds.
    **line
        Passed on to ``Axes.plot``.

    Returns
    -------
    ndarray of Axes, of shape (2, 2)
    """
    values = _values(history)
    if axes is None:
        axes = _new_grid()
    axes = np.asarray(axes, dtype=object)
    if axes.shape != (2, 2):
        raise ValueError(f"axes must have shape (2, 2), got {axes.shape}")
    steps = np.arange(1, len(values["loss"]) + 1)
    for column, (along, label) in enumerate([(steps, "step"), (values["time"], "seconds")]):
        upper, lower = axes[:, column]
        _draw(upper, along, values["loss"], "training", BLUE, line)
        if values["validation_loss"]:
            _draw(upper, along, values["validation_loss"], "validation", VERMILION, line)
            upper.legend(frameon=False)
        _draw(lower, along, values["damping"], "damping", BLACK, line)
        finish(upper, xlabel=label, ylabel="mean loss")
        finish(lower, xlabel=label, ylabel=r"damping $\lambda$")
    grid: NDArray[np.object_] = axes
    return grid


def _values(history: Any) -> dict[str, Any]:
    if isinstance(history, str | Path):
        return dict(json.loads(Path(history).read_text(encoding="utf-8")))
    if isinstance(history, dict):
        return history
    inner: History = getattr(history, "history", history)
    return inner.to_dict()


def _draw(ax: Any, along: Any, values: Any, label: str, color: str, line: dict[str, Any]) -> None:
    """On a logarithmic axis; losses of 0 have no place there."""
    heights = np.asarray(values, dtype=float)
    heights = np.where(heights > 0, heights, np.nan)
    ax.plot(along, heights, label=label, **{"color": color, **line})
    if np.isfinite(heights).any():
        ax.set_yscale("log")


def _new_grid() -> NDArray[np.object_]:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise missing_matplotlib() from None
    _, axes = plt.subplots(2, 2, figsize=(8, 5), layout="constrained", sharex="col")
    return np.asarray(axes, dtype=object)
