"""Pictures of runs and of Hessian spectra.

Every function takes ``ax=None`` (or ``axes=None``), returns the Axes it drew on, and imports
matplotlib only when called. `plot_loss` and `plot_spectrum` take plain arrays.
"""

from .curves import plot_loss
from .files import save_loss_picture, save_spectrum_picture
from .spectrum import plot_spectrum
from .training import training_report

__all__ = [
    "plot_loss",
    "plot_spectrum",
    "save_loss_picture",
    "save_spectrum_picture",
    "training_report",
]
