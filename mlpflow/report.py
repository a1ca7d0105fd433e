"""A run told in a few lines: what was trained, how far it came, and what was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Curvature", "verdict"]

NEARLY = 1e-8


@dataclass(frozen=True)
class Curvature:
    """What the eigenvalues of a Hessian say about a point.

    Parameters
    ----------
    smallest, largest : float
        The extreme eigenvalues.
    index : int
        How many eigenvalues are negative beyond rounding.
    flat : int
        How many are zero to rounding.
    nearly_flat : int
        How many others are below 1e-8 of the largest one.
    count : int
        How many there are.
    """

    smallest: float
    largest: float
    index: int
    flat: int
    nearly_flat: int
    count: int

    @classmethod
    def of(cls, values: ArrayLike) -> Curvature:
        """Read off from eigenvalues in any order.

        An eigenvalue counts as zero below ``P * eps * max|value|``, the error of a symmetric
        eigensolver (Anderson et al., LAPACK Users' Guide, section 4.7).
        """
        ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
        size = np.abs(ordered)
        rounding = ordered.size * np.finfo(np.float64).eps * size.max()
        return cls(
            smallest=float(ordered[0]),
            largest=float(ordered[-1]),
            index=int(np.count_nonzero(ordered < -rounding)),
            flat=int(np.count_nonzero(size <= rounding)),
            nearly_flat=int(np.count_nonzero((size > rounding) & (size < NEARLY * size.max()))),
            count=int(ordered.size),
        )

    def __str__(self) -> str:
        return (
            f"{self.count} eigenvalues from {self.smallest:.3g} to {self.largest:.3g}, "
            f"index {self.index}"
        )


def verdict(gnorm: float, curvature: Curvature, tolerance: float) -> str:
    """What kind of point was found, in a sentence.

    Parameters
    ----------
    gnorm : float
        Infinity norm of the gradient.
    curvature : Curvature
        Of the Hessian there.
    tolerance : float
        The gradient norm below which a point counts as critical.
    """
    if not gnorm < tolerance:
        return (
            f"not a critical point yet: the gradient norm is above {tolerance:.0e}; "
            "see the status for what to try"
        )
    if curvature.index:
        directions = "direction" if curvature.index == 1 else "directions"
        return (
            f"a saddle point of index {curvature.index}: the loss falls along "
            f"{curvature.index} {directions}; start from another seed"
        )
    if curvature.flat:
        directions = "direction is" if curvature.flat == 1 else "directions are"
        return (
            f"a minimum to second order: no eigenvalue is negative, "
            f"but {curvature.flat} {directions} flat to rounding"
        )
    if curvature.nearly_flat:
        directions = "direction is" if curvature.nearly_flat == 1 else "directions are"
        return (
            f"a minimum: no eigenvalue is negative, but {curvature.nearly_flat} {directions} "
            f"nearly flat (below {NEARLY:.0e} of the largest eigenvalue)"
        )
    return (
        f"a true minimum: the gradient norm is below {tolerance:.0e}, every eigenvalue is positive"
    )
