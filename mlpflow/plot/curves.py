"""Loss over flow time, and loss and gradient norm over the iterations of the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .style import BLACK, BLUE, VERMILION, finish, new_axes, tidy_log_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "draw_curve", "plot_loss", "share_log_axis"]

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
        (curve, xlabel, ylabel, color)
        for curve, xlabel, ylabel, color in panels
        if curve is not None and np.size(curve[1])
    ]
    if not given:
        raise ValueError("expected at least one curve to draw, got none")
    if axes is None:
        axes = new_axes(len(given), (3.6 * len(given), 3.2))
    if len(axes) != len(given):
        raise ValueError(f"expected {len(given)} axes, one a curve, got {len(axes)}")
    for ax, (curve, xlabel, ylabel, color) in zip(axes, given, strict=True):
        draw_curve(ax, curve, {"color": color, "linewidth": 1.8} | line)
        finish(ax, xlabel=xlabel, ylabel=ylabel)
        # Panels of the same quantity have the same axis: the optimizer goes on from the flow.
        share_log_axis([ax], *(other for other, _, label, _ in given if label == ylabel))
    axes[0].set_title(title, loc="left", fontsize="medium")
    return list(axes)


def share_log_axis(axes: Sequence[Axes], *curves: Curve) -> None:
    """Give all axes a y axis that has room for all curves."""
    values = np.concatenate([_arrays(curve)[1] for curve in curves])
    for ax in axes:
        tidy_log_axis(ax.yaxis, values)


def draw_curve(ax: Axes, curve: Curve, line: dict[str, Any], *, mark_start: bool = True) -> None:
    """Draw one curve on logarithmic axes; what is not positive has no place there.

    The y axis is left as it is, for `share_log_axis`.

    Parameters
    ----------
    ax : Axes
    curve : (array, array)
    line : dict
        For ``Axes.plot``; ``color`` is needed.
    mark_start : bool
        Put a mark at the left edge for the value at 0?
    """
    x, y = _arrays(curve)
    later = x > 0
    ax.set_xscale("log")
    ax.set_yscale("log")
    few = np.count_nonzero(later) <= 30
    drawn = np.where(y > 0, y, np.nan)
    ax.plot(x[later], drawn[later], marker="o" if few else None, markersize=3.5, **line)
    if mark_start and not later.all():
        _mark_start(ax, float(drawn[~later][0]), line["color"])
    tidy_log_axis(ax.xaxis, x)


def _mark_start(ax: Axes, height: float, color: Any) -> None:
    # Axes coordinates in x: the left edge, wherever the data put it.
    left_edge = ax.get_yaxis_transform()
    ax.plot(
        [0], [height], marker=">", markersize=6, color=color, transform=left_edge, clip_on=False
    )
    ax.annotate(
        "start",
        (0, height),
        xycoords=left_edge,
        xytext=(8, 5),
        textcoords="offset points",
        fontsize="small",
    )


def _arrays(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = (np.asarray(values, dtype=np.float64) for values in curve)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"expected two arrays of one length, got shapes {x.shape} and {y.shape}")
    return x, y
