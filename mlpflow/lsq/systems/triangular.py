"""The triangle of a QR of the rows."""

from __future__ import annotations

import math

import torch

from .base import EPS, System, damping_diagonal, eigenparts_of_rows, row_spectrum, spread, usable

__all__ = ["TriangularSystem"]


class TriangularSystem(System):
    """R and c with |R d + c| = |B d + u| up to a constant, from QR of the rows as they come.

    The damped step is a QR of R stacked on sqrt(lambda) D: no condition number is squared. This is
    More's (1978) way to the Levenberg-Marquardt step.
    """

    name = "QR"

    def __init__(self, size: int, device: torch.device) -> None:
        super().__init__(size, device)
        self._rows: list[torch.Tensor] = []
        self._count = 0
        self.triangle = torch.zeros(0, size + 1, dtype=torch.float64, device=device)

    def add(self, B: torch.Tensor, u: torch.Tensor, scale: float = 1.0) -> None:
        self._rows.append(torch.cat([B, u.unsqueeze(1)], dim=1).mul_(scale**0.5))
        self._count += len(u)
        self.gradient.addmv_(B.T, u, alpha=scale)
        if self._count > max(512, 4 * self.size):
            self._compress()

    def _compress(self) -> None:
        stacked = torch.cat([self.triangle, *self._rows])
        self._rows, self._count = [], 0
        if not bool(torch.isfinite(stacked).all()):
            self.triangle = torch.full_like(self.triangle, math.nan)
            return
        self.triangle = torch.linalg.qr(stacked, mode="r")[1]

    def finish(self) -> None:
        self._compress()

    def parts(self) -> list[torch.Tensor]:
        return [self.triangle, self.gradient]

    @property
    def _matrix(self) -> torch.Tensor:
        return self.triangle[:, : self.size]

    def column_squares(self) -> torch.Tensor:
        return self._matrix.square().sum(dim=0)

    def curvature(self, d: torch.Tensor) -> float:
        return float((self._matrix @ d).square().sum())

    def solve(
        self, damping: float, scale: torch.Tensor | None = None, free: torch.Tensor | None = None
    ) -> torch.Tensor | None:
        shift = damping_diagonal(self.size, damping, scale).to(self.gradient).sqrt()
        stacked = torch.zeros(
            len(self.triangle) + self.size, self.size + 1, dtype=torch.float64, device=shift.device
        )
        stacked[: len(self.triangle)] = self.triangle
        stacked[len(self.triangle) :, : self.size].diagonal().copy_(shift)
        if free is not None:
            stacked = stacked[:, torch.cat([free, free.new_ones(1)])]
        return _triangular_step(stacked, free)

    def solve_for(
        self,
        gradient: torch.Tensor,
        damping: float,
        scale: torch.Tensor | None = None,
        free: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        shift = torch.diag(damping_diagonal(self.size, damping, scale).to(gradient).sqrt())
        stacked = torch.cat([self._matrix, shift])
        g = gradient
        if free is not None:
            stacked, g = stacked[:, free], g[free]
        R = torch.linalg.qr(stacked, mode="r")[1]
        if float(R.diagonal().abs().min()) == 0:
            return None
        half = torch.linalg.solve_triangular(R.T, -g.unsqueeze(1), upper=False)
        d = torch.linalg.solve_triangular(R, half, upper=True).squeeze(1)
        return usable(spread(d, free))

    def _eigenparts(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        matrix = self._matrix if scale is None else self._matrix / scale
        return eigenparts_of_rows(
            matrix if free is None else matrix[:, free], self.triangle[:, self.size]
        )

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return row_spectrum(self._matrix / unit)

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        return row_spectrum(self._matrix)


def _triangular_step(stacked: torch.Tensor, free: torch.Tensor | None) -> torch.Tensor | None:
    """min |A d + b| from the columns [A b] by QR, the columns brought to length 1 first."""
    length = stacked[:, :-1].square().sum(dim=0).sqrt()
    if not bool(torch.isfinite(length).all()) or bool((length == 0).any()):
        return None
    stacked = stacked.clone()
    stacked[:, :-1] /= length
    R = torch.linalg.qr(stacked, mode="r")[1]
    size = len(length)
    pivots = R.diagonal()[:size].abs()
    if float(pivots.min()) <= size * EPS * float(pivots.max()):
        # Rank-deficient to rounding: the smallest solution that does as well.
        U, s, V = torch.linalg.svd(R[:size, :size], full_matrices=False)
        keep = s > size * EPS * s[0]
        inverse = torch.where(keep, 1 / torch.where(keep, s, 1.0), 0.0)
        d = -(V.T @ (inverse * (U.T @ R[:size, size]))) / length
    else:
        step = torch.linalg.solve_triangular(R[:size, :size], -R[:size, size:], upper=True)
        d = step.squeeze(1) / length
    return usable(spread(d, free))
