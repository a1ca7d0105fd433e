"""The eigenvalues of a Hessian, in order, on a logarithmic axis with their signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .style import BLUE, GREY, VERMILION, finish, new_axes, tidy_log_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_spectrum"]


def plot_spectrum(
    values: ArrayLike, *, ax: Axes | None = None, title: str = "", **marks: Any
) -> Axes:
    """Draw the absolute values of eigenvalues, negative ones in another colour and shape.

    Parameters
    ----------
    values : array of float, shape (P,)
        Eigenvalues in any order.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str
        Over the axes.
    **marks
        Passed on to ``Axes.plot``.

    Returns
    -------
    Axes

    Notes
    -----
    A symmetric eigensolver knows an eigenvalue to about ``P * eps * max|value|`` and no better
    (Anderson et al., LAPACK Users' Guide, section 4.7); below that line the signs mean nothing.
    """
    from matplotlib.ticker import MaxNLocator

    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not ordered.size:
        raise ValueError("expected at least one eigenvalue, got none")
    if ax is None:
        ax = new_axes(1, (5.0, 3.2))[0]
    number = np.arange(1, ordered.size + 1)
    rounding = ordered.size * np.finfo(np.float64).eps * np.abs(ordered).max()
    ax.set_yscale("log")
    style: dict[str, Any] = {"linestyle": "none", "markersize": 5} | marks
    groups = [
        ("positive", "o", BLUE, ordered > rounding),
        ("negative", "v", VERMILION, ordered < -rounding),
        ("zero to rounding", "x", GREY, np.abs(ordered) <= rounding),
    ]
    for name, marker, color, chosen in groups:
        if chosen.any():
            # An exact zero has no place on the axis; it is drawn where zero begins.
            height = np.maximum(np.abs(ordered[chosen]), rounding * 1e-3 or np.finfo(float).eps)
            label = f"{name}: {np.count_nonzero(chosen)}"
            ax.plot(number[chosen], height, marker=marker, color=color, label=label, **style)
    if (np.abs(ordered) <= rounding).any() and rounding > 0:
        ax.axhline(rounding, color=GREY, linestyle=":", linewidth=1, label="rounding level")
    finish(
        ax,
        xlabel="number of the eigenvalue, ascending",
        ylabel=r"$|\lambda|$ of the Hessian of the mean loss",
    )
    tidy_log_axis(ax.yaxis, np.abs(ordered))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(title, loc="left", fontsize="medium")
    ax.legend(frameon=False, fontsize="small", loc="best")
    return ax
