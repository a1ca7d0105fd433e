"""What all pictures share: colours, new figures, log axes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BLACK",
    "BLUE",
    "GREY",
    "VERMILION",
    "finish",
    "missing_matplotlib",
    "new_axes",
    "widen_log_axis",
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


def widen_log_axis(ax: Axes, values: NDArray[np.float64]) -> None:
    """Give a logarithmic y axis whole decades when its values span little.

    Otherwise matplotlib labels the minor ticks of a fraction of a decade, which nobody can read.
    """
    from matplotlib.ticker import NullFormatter

    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return
    low, high = np.log10(positive.min()), np.log10(positive.max())
    if high - low < 1.5:
        ax.set_ylim(10.0 ** np.floor(low - 0.02), 10.0 ** np.ceil(high + 0.02))
        ax.yaxis.set_minor_formatter(NullFormatter())
