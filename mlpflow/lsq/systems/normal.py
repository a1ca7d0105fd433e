"""The normal equations: B^T B and B^T u."""

from __future__ import annotations

from typing import TypeAlias

import torch

from .base import EPS, System, damping_diagonal, spread, usable
from .layered import LayeredGram, LayeredRows, LayerPlace

__all__ = ["NormalSystem"]

_Shift: TypeAlias = tuple[float, torch.Tensor | None, torch.Tensor | None]


class NormalSystem(System):
    """B^T B (P x P) and B^T u: memory O(P^2) for any number of rows; Cholesky, or eigenvalues.

    Forming B^T B squares the condition number. Where Cholesky breaks down, the eigenvalues are
    computed once and serve every further damping.
    """

    name = "normal equations"

    def __init__(self, size: int, device: torch.device) -> None:
        super().__init__(size, device)
        self.matrix = torch.zeros(size, size, dtype=torch.float64, device=device)
        self._layered: dict[tuple[LayerPlace, ...], LayeredGram] = {}
        self._eigen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._factor: tuple[_Shift, torch.Tensor] | None = None
        self._width = size if size < 128 else min(256, max(64, size // 8))

    def add(self, B: torch.Tensor, u: torch.Tensor, scale: float = 1.0) -> None:
        # PyTorch has no symmetric rank-k update: blocks of rows up to the diagonal, half the work.
        for start in range(0, self.size, self._width):
            stop = min(start + self._width, self.size)
            block = self.matrix[start:stop, :stop]
            block.addmm_(B[:, start:stop].T, B[:, :stop], alpha=scale)
        self.gradient.addmv_(B.T, u, alpha=scale)

    def add_layered(self, rows: LayeredRows, scale: float) -> None:
        """``scale`` times rows that are outer products."""
        gram = self._layered.get(rows.places)
        if gram is None:
            gram = self._layered[rows.places] = LayeredGram(rows.places, self.matrix.device)
        gram.add(rows, scale)
        rows.add_gradient(self.gradient, scale)

    def finish(self) -> None:
        for start in range(self._width, self.size, self._width):
            rows = slice(start, min(start + self._width, self.size))
            self.matrix[:start, rows] = self.matrix[rows, :start].T
        for gram in self._layered.values():
            gram.expand(self.matrix)
        self._layered = {}

    def parts(self) -> list[torch.Tensor]:
        return [self.matrix, self.gradient]

    def column_squares(self) -> torch.Tensor:
        return self.matrix.diagonal().clone()

    def curvature(self, d: torch.Tensor) -> float:
        return float(d @ (self.matrix @ d))

    def solve_for(
        self,
        gradient: torch.Tensor,
        damping: float,
        scale: torch.Tensor | None = None,
        free: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        if self._eigen is not None and scale is None and free is None:
            return self._from_eigen(gradient, damping)
        L = self._cholesky(damping, scale, free)
        if L is None:
            return self._from_eigen(gradient, damping) if scale is None and free is None else None
        g = gradient if free is None else gradient[free]
        half = torch.linalg.solve_triangular(L, -g.unsqueeze(1), upper=False)
        d = torch.linalg.solve_triangular(L.T, half, upper=True).squeeze(1)
        return usable(spread(d, free))

    def _cholesky(
        self, damping: float, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> torch.Tensor | None:
        """The factor, kept for another right-hand side, or None where there is none."""
        if self._factor is not None:
            known, known_scale, known_free = self._factor[0]
            if known == damping and known_scale is scale and known_free is free:
                return self._factor[1]
        self._factor = None  # before the next one, for its memory
        matrix = self.matrix.clone()
        matrix.diagonal().add_(damping_diagonal(self.size, damping, scale).to(matrix))
        if free is not None:
            index = free.nonzero().squeeze(1)
            matrix = matrix[index.unsqueeze(1), index]
        factor = _cholesky_in_place(matrix)
        if factor is not None:
            self._factor = ((damping, scale, free), factor)
        return factor

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, vectors = torch.linalg.eigh(self.matrix / (unit * unit.unsqueeze(1)))
        return values.clamp(min=0), vectors

    def rank_floor(self, rows: int) -> float:
        return float(self.size * EPS)

    def _eigenparts(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if scale is None and free is None:
            values, vectors = self.spectrum()
        else:
            matrix = self.matrix if scale is None else self.matrix / (scale * scale.unsqueeze(1))
            matrix = matrix if free is None else matrix[free][:, free]
            values, vectors = torch.linalg.eigh(matrix)
        parts = vectors.T @ self._scaled_gradient(scale, free)
        parts[values <= len(values) * EPS * values[-1]] = 0.0
        return values.clamp(min=0), parts

    def _from_eigen(self, gradient: torch.Tensor, damping: float) -> torch.Tensor | None:
        values, vectors = self.spectrum()
        # Directions below rounding carry no information: they do not move. The rounding of a sum of
        # many rows is a few units; a bound with P, 100 times higher, cuts what networks still need.
        floor = 4 * EPS * float(values[-1])
        weight = torch.where(values > floor, 1 / (values.clamp(min=floor) + damping + 1e-300), 0.0)
        return usable(-vectors @ (weight * (vectors.T @ gradient)))

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._eigen is None:
            self._factor = None  # for its memory
            values, vectors = torch.linalg.eigh(self.matrix)
            self._eigen = (values.clamp(min=0), vectors)
        return self._eigen


def _cholesky_in_place(matrix: torch.Tensor) -> torch.Tensor | None:
    """The lower factor, or None where the matrix is not positive definite.

    It takes the place of the (symmetric) matrix: its transpose is in the order of columns that
    LAPACK wants, so that nothing of size P x P is copied.
    """
    L = matrix.T
    info = torch.empty((), dtype=torch.int32, device=matrix.device)
    torch.linalg.cholesky_ex(L, out=(L, info))
    return None if int(info) else L
