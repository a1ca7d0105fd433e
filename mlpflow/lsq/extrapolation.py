"""Extrapolation of Gauss-Newton steps that shrink linearly: Anderson's method."""

from __future__ import annotations

import torch

__all__ = ["Extrapolation"]

_DEPTH = 6
# Of the extrapolated step to the plain one: more is rounding.
_LONGEST = 100.0
# Differences of steps below this share of the largest are rounding, or curvature.
_RANK = 1e-7


class Extrapolation:
    """The fixed point of x -> x + d(x) from the last pairs (x, d).

    Where residuals stay large, Gauss-Newton steps d shrink by a matrix, d' = M d. With differences
    dX of the points and dD of the steps, the secant model of d has its root near

        x + d - (dX + dD) c,    c = argmin |W (d - dD c)|,

    (Anderson 1965; Walker & Ni 2011, SIAM J. Numer. Anal. 49, 1715). W = 1/|x| frees the result of
    the parameters' units.
    """

    def __init__(self) -> None:
        self.points: list[torch.Tensor] = []
        self.steps: list[torch.Tensor] = []

    def clear(self) -> None:
        """After a damped step, or one that failed."""
        self.points, self.steps = [], []

    def step(self, x: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        """The step from ``x`` whose Gauss-Newton step is ``d``: ``d`` itself at first."""
        if not self.points or not torch.equal(self.points[-1], x):
            self.points = [*self.points[-_DEPTH:], x.clone()]
            self.steps = [*self.steps[-_DEPTH:], d.clone()]
        if len(self.points) < 2:
            return d
        weight = 1 / x.abs().clamp(min=1e-300)
        points, steps = torch.stack(self.points), torch.stack(self.steps)
        dX, dD = (points[1:] - points[:-1]).T, (steps[1:] - steps[:-1]).T
        rows = weight.unsqueeze(1) * dD
        length = rows.norm(dim=0).clamp(min=1e-300)
        c = torch.linalg.pinv(rows / length, rtol=_RANK) @ (weight * d) / length
        better = d - (dX + dD) @ c
        if float((weight * better).norm()) <= _LONGEST * float((weight * d).norm()):
            return better
        return d
