"""Loss over flow time, and loss and gradient norm over the iterations of the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .style import BLACK, BLUE, VERMILION, finish, new_axes, widen_log_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_loss"]

LOSS = "mean loss"
Curve = tuple[ArrayLike, ArrayLike]


def plot_loss(
    flow: Curve | None,
    loss: Curve | None,
    gnorm: Curve | None = None,
    *,
    axes: Sequence[Axes] | None = None,
    title: str = "",
    **line: Any,
) -> list[Axes]:
    """Draw how the loss fell, on logarithmic axes.

    Parameters
    ----------
    flow : (array, array) or None
        Flow times and the losses there. A time of 0 has no place on the axis: its loss is a mark
        at the left edge.
    loss, gnorm : (array, array) or None
        Iterations of the optimizer, and the losses and infinity norms of the gradient there.
    axes : sequence of Axes, optional
        One for each curve that is given; a new figure otherwise.
    title : str
        Over the first axes.
    **line
        Passed on to ``Axes.plot``.

    Returns
    -------
    list of Axes
        One a curve.
    """
    panels = [
        (flow, "flow time $t$", LOSS, BLUE),
        (loss, "iteration of the optimizer", LOSS, VERMILION),
        (gnorm, "iteration of the optimizer", r"$|\nabla L|_\infty$ of the mean loss", BLACK),
    ]
    given = [
        (_arrays(curve), xlabel, ylabel, color)
        for curve, xlabel, ylabel, color in panels
        if curve is not None and np.size(curve[1])
    ]
    if not given:
        raise ValueError("expected at least one curve to draw, got none")
    if axes is None:
        axes = new_axes(len(given), (3.6 * len(given), 3.2))
    if len(axes) != len(given):
        raise ValueError(f"expected {len(given)} axes, one a curve, got {len(axes)}")
    same_axis = []
    for ax, ((x, y), xlabel, ylabel, color) in zip(axes, given, strict=True):
        if ylabel == LOSS:
            same_axis.append(ax)
        _draw(ax, x, y, {"color": color, "linewidth": 1.8} | line)
        finish(ax, xlabel=xlabel, ylabel=ylabel)
    _share_axis(same_axis)
    axes[0].set_title(title, loc="left", fontsize="medium")
    return list(axes)


def _share_axis(axes: list[Axes]) -> None:
    """Show that the optimizer goes on where the flow ended."""
    if not axes:
        return
    limits = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _arrays(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = (np.asarray(values, dtype=np.float64) for values in curve)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"expected two arrays of one length, got shapes {x.shape} and {y.shape}")
    return x, y


def _draw(ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], line: dict[str, Any]) -> None:
    later = x > 0
    ax.set_xscale("log")
    ax.set_yscale("log")
    few = np.count_nonzero(later) <= 30
    ax.plot(x[later], y[later], marker="o" if few else None, markersize=3.5, **line)
    if not later.all():
        start = y[~later][0]
        # Axes coordinates in x: the left edge, wherever the data put it.
        ax.plot(
            [0],
            [start],
            marker=">",
            markersize=6,
            color=line["color"],
            transform=ax.get_yaxis_transform(),
            clip_on=False,
        )
        ax.annotate(
            "start",
            (0, start),
            xycoords=ax.get_yaxis_transform(),
            xytext=(7, 6),
            textcoords="offset points",
            fontsize="small",
        )
    widen_log_axis(ax, y)
