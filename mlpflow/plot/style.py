"""What all pictures share: colours, new figures, log axes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = [
    "BLACK",
    "BLUE",
    "GREY",
    "VERMILION",
    "finish",
    "missing_matplotlib",
    "new_axes",
    "tidy_log_axis",
]

# Okabe and Ito (2008), "Color universal design": told apart with any colour vision, and in print.
BLACK = "#000000"
BLUE = "#0072B2"
GREY = "#999999"
VERMILION = "#D55E00"

PIP_INSTALL = f"{sys.executable} -m pip install"


def missing_matplotlib() -> ImportError:
    """The error that says how to get matplotlib."""
    return ImportError(f"pictures need matplotlib: run {PIP_INSTALL} matplotlib")


def new_axes(columns: int, size: tuple[float, float]) -> list[Axes]:
    """A new pyplot figure with ``columns`` axes side by side, ``size`` in inches."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise missing_matplotlib() from None
    figure, axes = plt.subplots(1, columns, figsize=size, layout="constrained", squeeze=False)
    del figure  # pyplot keeps it
    return list(axes[0])


def finish(ax: Axes, **labels: Any) -> None:
    """Labels, a light grid, and no frame on the right and above."""
    ax.set(**labels)
    ax.grid(True, which="major", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def tidy_log_axis(axis: Axis, values: NDArray[np.float64]) -> None:
    """Readable ticks on a logarithmic axis that spans few decades.

    There matplotlib labels every minor tick in the form 3 x 10^0, and they overlap.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return
    low, high = np.log10(positive.min()), np.log10(positive.max())
    if high - low < 0.8:
        middle = (low + high) / 2
        low, high = middle - 0.4, middle + 0.4
    room = 0.08 * (high - low)
    limits = 10.0 ** (low - room), 10.0 ** (high + room)
    axis.set_view_interval(*limits, ignore=True)
    if high - low < 2.5:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
