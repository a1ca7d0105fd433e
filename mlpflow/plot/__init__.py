"""Pictures of runs and of Hessian spectra.

Every function takes plain arrays and ``ax=None`` (or ``axes=None``), returns the Axes it drew on,
and imports matplotlib only when called.
"""

from .curves import plot_loss
from .spectrum import plot_spectrum

__all__ = ["plot_loss", "plot_spectrum"]
