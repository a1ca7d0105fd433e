"""Least-squares systems min |u + B d|^2, kept as B^T B, as a triangle, or as the rows B themselves.

All three answer the same questions: the gradient ``g = B^T u``, the damped step

    d = argmin |u + B d|^2 + lambda |D d|^2,

and the curvature ``|B d|^2``. They are made from chunks of rows; everything is float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

__all__ = [
    "EPS",
    "System",
    "damping_diagonal",
    "eigenparts_of_rows",
    "row_spectrum",
    "spread",
    "usable",
]

EPS = torch.finfo(torch.float64).eps


class System(ABC):
    """A system under construction, then one to be solved.

    Attributes
    ----------
    size : int
        Number of unknowns P.
    gradient : Tensor of shape (P,)
        B^T u: half the gradient of the loss.
    """

    #: As it is reported.
    name = ""

    def __init__(self, size: int, device: torch.device) -> None:
        self.size = size
        self.gradient = torch.zeros(size, dtype=torch.float64, device=device)
        self._secular: tuple[object, tuple[torch.Tensor, torch.Tensor]] | None = None

    @abstractmethod
    def add(self, B: torch.Tensor, u: torch.Tensor, scale: float = 1.0) -> None:
        """sqrt(scale) times rows B (R, P) and residuals u (R,); the buffers stay the caller's."""

    @abstractmethod
    def finish(self) -> None:
        """No more rows will come."""

    @abstractmethod
    def parts(self) -> list[torch.Tensor]:
        """What several processes add up."""

    @abstractmethod
    def column_squares(self) -> torch.Tensor:
        """diag(B^T B), of shape (P,)."""

    @abstractmethod
    def curvature(self, d: torch.Tensor) -> float:
        """|B d|^2."""

    def solve(
        self, damping: float, scale: torch.Tensor | None = None, free: torch.Tensor | None = None
    ) -> torch.Tensor | None:
        """The damped step, or None where the factorisation breaks down (more damping helps).

        Parameters
        ----------
        damping : float
            lambda >= 0.
        scale : Tensor of shape (P,), optional
            The diagonal of D; None is the identity.
        free : bool Tensor of shape (P,), optional
            Unknowns that may move; the others get a step of 0.
        """
        return self.solve_for(self.gradient, damping, scale, free)

    @abstractmethod
    def solve_for(
        self,
        gradient: torch.Tensor,
        damping: float,
        scale: torch.Tensor | None = None,
        free: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        """-(B^T B + lambda D^2)^-1 gradient for another right-hand side."""

    @abstractmethod
    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues of B^T B, ascending, and vectors: for covariances and ranks."""

    @abstractmethod
    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues, ascending, and vectors of D^-1 B^T B D^-1 with D = diag(unit)."""

    def rank_floor(self, rows: int) -> float:
        """Eigenvalues, squares of singular values, below this share of the largest are rounding."""
        return float((max(rows, self.size) * EPS) ** 2)

    def secular(
        self, scale: torch.Tensor | None = None, free: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues e and parts c with |D d(lambda)|^2 = sum (c / (e + lambda))^2."""
        key = (id(scale), None if free is None else bytes(free.cpu().numpy().tobytes()))
        if self._secular is None or self._secular[0] != key:
            self._secular = (key, self._eigenparts(scale, free))
        return self._secular[1]

    @abstractmethod
    def _eigenparts(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What `secular` keeps for the same scale and unknowns."""

    def _scaled_gradient(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> torch.Tensor:
        g = self.gradient if scale is None else self.gradient / scale
        return g if free is None else g[free]


def damping_diagonal(size: int, damping: float, scale: torch.Tensor | None) -> torch.Tensor:
    """lambda D^2, of shape (P,)."""
    ones = torch.ones(size, dtype=torch.float64)
    return damping * (ones if scale is None else scale.square())


def spread(d: torch.Tensor, free: torch.Tensor | None) -> torch.Tensor:
    """A step of the free unknowns as a step of all."""
    if free is None:
        return d
    full = torch.zeros(len(free), dtype=d.dtype, device=d.device)
    full[free] = d
    return full


def usable(d: torch.Tensor) -> torch.Tensor | None:
    """None in place of a step that is not finite."""
    return d if bool(torch.isfinite(d).all()) else None


def row_spectrum(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues of rows^T rows, ascending, and vectors."""
    _, singular, vectors = torch.linalg.svd(rows, full_matrices=True)
    values = torch.zeros(rows.shape[1], dtype=torch.float64, device=singular.device)
    values[: len(singular)] = singular.square()
    return values.flip(0), vectors.flip(0).T


def eigenparts_of_rows(rows: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues of rows^T rows that are not 0, and the parts of rows^T u along their vectors."""
    left, singular, _ = torch.linalg.svd(rows, full_matrices=False)
    parts = singular * (left.T @ u)
    parts[singular <= max(rows.shape) * EPS * singular[0]] = 0.0
    return singular.square(), parts
