"""Pictures of results, written into files without a screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .spectrum import plot_spectrum
from .style import missing_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..objective import Spectrum
    from ..result import TrainResult

__all__ = ["save_loss_picture", "save_spectrum_picture"]

DOTS_PER_INCH = 150


def save_loss_picture(result: TrainResult, path: Path, title: str) -> None:
    """Draw the panels of ``result.plot()`` into a file."""
    panels = (result.flow is not None) + 2 * (result.optim is not None)
    figure = _new_figure(3.6 * panels, 3.2)
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    result.plot(axes)[0].set_title(title, loc="left", fontsize="medium")
    figure.savefig(path, dpi=DOTS_PER_INCH)


def save_spectrum_picture(spectrum: Spectrum, path: Path, title: str) -> None:
    """Draw `plot_spectrum` into a file."""
    figure = _new_figure(5.0, 3.2)
    plot_spectrum(spectrum.values, ax=figure.subplots(), title=title)
    figure.savefig(path, dpi=DOTS_PER_INCH)


def _new_figure(width: float, height: float) -> Figure:
    """A figure without pyplot, which would want to know about screens."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_matplotlib() from None
    return Figure(figsize=(width, height), layout="constrained")
