"""The rows themselves, where they are few."""

from __future__ import annotations

import torch

from .base import EPS, System, damping_diagonal, eigenparts_of_rows, row_spectrum, usable

__all__ = ["RowSystem"]


class RowSystem(System):
    """The rows themselves, fewer than unknowns: a step of size P from an R x R system (dual form).

    d = -B^T (B B^T + lambda I)^-1 u, which is the damped step by the push-through identity.
    """

    name = "dual"

    def __init__(self, size: int, device: torch.device) -> None:
        super().__init__(size, device)
        self._rows: list[torch.Tensor] = []
        self._residuals: list[torch.Tensor] = []
        self._kernel: tuple[object, torch.Tensor] | None = None

    def add(self, B: torch.Tensor, u: torch.Tensor, scale: float = 1.0) -> None:
        self._rows.append(B * scale**0.5)
        self._residuals.append(u * scale**0.5)

    def finish(self) -> None:
        self.rows = self._rows[0] if len(self._rows) == 1 else torch.cat(self._rows)
        self.residuals = torch.cat(self._residuals)
        self._rows, self._residuals = [], []
        self.gradient = self.rows.T @ self.residuals

    def parts(self) -> list[torch.Tensor]:
        return [self.rows, self.residuals]

    def column_squares(self) -> torch.Tensor:
        return self.rows.square().sum(dim=0)

    def curvature(self, d: torch.Tensor) -> float:
        return float((self.rows @ d).square().sum())

    def solve(
        self, damping: float, scale: torch.Tensor | None = None, free: torch.Tensor | None = None
    ) -> torch.Tensor | None:
        return self._dual(self.residuals, damping, scale, free)

    def solve_for(
        self,
        gradient: torch.Tensor,
        damping: float,
        scale: torch.Tensor | None = None,
        free: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        # Any right-hand side here is B^T v; v by least squares would lose digits, so Woodbury.
        if damping <= 0:
            return None
        if scale is None and free is None:
            kernel = self._gram_of_rows(self.rows, None).clone()
            kernel.diagonal().add_(damping)
            factor, failed = torch.linalg.cholesky_ex(kernel)
            if int(failed):
                return None
            inner = torch.cholesky_solve((self.rows @ gradient).unsqueeze(1), factor).squeeze(1)
            return usable(-(gradient - self.rows.T @ inner) / damping)
        shift = damping_diagonal(self.size, damping, scale).to(gradient)
        rows = self.rows / shift.sqrt()
        g = gradient / shift.sqrt()
        if free is not None:
            rows, g = rows * free, g * free
        kernel = rows @ rows.T
        kernel.diagonal().add_(1.0)
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if int(failed):
            return None
        inner = torch.cholesky_solve((rows @ g).unsqueeze(1), factor).squeeze(1)
        return usable(-(g - rows.T @ inner) / shift.sqrt())

    def _dual(
        self,
        u: torch.Tensor,
        damping: float,
        scale: torch.Tensor | None,
        free: torch.Tensor | None,
    ) -> torch.Tensor | None:
        weight = None
        if scale is not None:
            weight = 1 / scale
        if free is not None:
            weight = free.to(torch.float64) if weight is None else weight * free
        rows = self.rows if weight is None else self.rows * weight
        kernel = self._gram_of_rows(rows, weight).clone()
        kernel.diagonal().add_(damping)
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if int(failed):
            values, vectors = torch.linalg.eigh(kernel)
            floor = len(values) * EPS * float(values[-1])
            inverse = torch.where(values > floor, 1 / values.clamp(min=floor + 1e-300), 0.0)
            v = vectors @ (inverse * (vectors.T @ u))
        else:
            v = torch.cholesky_solve(u.unsqueeze(1), factor).squeeze(1)
        d = -(rows.T @ v)
        return usable(d if weight is None else d * weight)

    def _gram_of_rows(self, rows: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """B B^T, kept for the next damping of the same scale."""
        if self._kernel is not None and weight is None and self._kernel[0] is None:
            return self._kernel[1]
        kernel = rows @ rows.T
        self._kernel = (None, kernel) if weight is None else None
        return kernel

    def _eigenparts(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.rows if scale is None else self.rows / scale
        return eigenparts_of_rows(rows if free is None else rows[:, free], self.residuals)

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return row_spectrum(self.rows / unit)

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        return row_spectrum(self.rows)
