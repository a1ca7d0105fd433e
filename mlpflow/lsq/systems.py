"""Least-squares systems min |u + B d|^2, kept as B^T B, as a triangle, or as the rows B themselves.

All three answer the same questions: the gradient ``g = B^T u``, the damped step

    d = argmin |u + B d|^2 + lambda |D d|^2,

and the curvature ``|B d|^2``. They are made from chunks of rows; everything is float64.
"""

from __future__ import annotations

import math

import torch

__all__ = ["NormalSystem", "RowSystem", "System", "TriangularSystem"]

_EPS = torch.finfo(torch.float64).eps


class System:
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

    def add(self, B: torch.Tensor, u: torch.Tensor) -> None:
        """Rows B (R, P) and residuals u (R,); the buffers stay the caller's."""
        raise NotImplementedError

    def finish(self) -> None:
        """No more rows will come."""

    def parts(self) -> list[torch.Tensor]:
        """What several processes add up."""
        raise NotImplementedError

    def column_squares(self) -> torch.Tensor:
        """diag(B^T B), of shape (P,)."""
        raise NotImplementedError

    def curvature(self, d: torch.Tensor) -> float:
        """|B d|^2."""
        raise NotImplementedError

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

    def solve_for(
        self,
        gradient: torch.Tensor,
        damping: float,
        scale: torch.Tensor | None = None,
        free: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        """-(B^T B + lambda D^2)^-1 gradient for another right-hand side."""
        raise NotImplementedError

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues of B^T B, ascending, and vectors: for covariances and ranks."""
        raise NotImplementedError

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues, ascending, and vectors of D^-1 B^T B D^-1 with D = diag(unit)."""
        raise NotImplementedError

    def rank_floor(self, rows: int) -> float:
        """Eigenvalues, squares of singular values, below this share of the largest are rounding."""
        return float((max(rows, self.size) * _EPS) ** 2)

    def secular(
        self, scale: torch.Tensor | None = None, free: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues e and parts c with |D d(lambda)|^2 = sum (c / (e + lambda))^2."""
        key = (id(scale), None if free is None else bytes(free.cpu().numpy().tobytes()))
        if self._secular is None or self._secular[0] != key:
            self._secular = (key, self._eigenparts(scale, free))
        return self._secular[1]

    def _eigenparts(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        raise NotImplementedError

    def _scaled_gradient(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> torch.Tensor:
        g = self.gradient if scale is None else self.gradient / scale
        return g if free is None else g[free]


def _diagonal(size: int, damping: float, scale: torch.Tensor | None) -> torch.Tensor:
    ones = torch.ones(size, dtype=torch.float64)
    return damping * (ones if scale is None else scale.square())


def _spread(d: torch.Tensor, free: torch.Tensor | None) -> torch.Tensor:
    if free is None:
        return d
    full = torch.zeros(len(free), dtype=d.dtype, device=d.device)
    full[free] = d
    return full


def _usable(d: torch.Tensor) -> torch.Tensor | None:
    return d if bool(torch.isfinite(d).all()) else None


class NormalSystem(System):
    """B^T B (P x P) and B^T u: memory O(P^2) for any number of rows; Cholesky, or eigenvalues.

    Forming B^T B squares the condition number. Where Cholesky breaks down, the eigenvalues are
    computed once and serve every further damping.
    """

    name = "normal equations"

    def __init__(self, size: int, device: torch.device) -> None:
        super().__init__(size, device)
        self.matrix = torch.zeros(size, size, dtype=torch.float64, device=device)
        self._pending: list[torch.Tensor] = []
        self._eigen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._width = size if size < 512 else max(128, size // 20)

    def add(self, B: torch.Tensor, u: torch.Tensor) -> None:
        # PyTorch has no symmetric rank-k update: blocks of rows up to the diagonal, half the work.
        for start in range(0, self.size, self._width):
            stop = min(start + self._width, self.size)
            self.matrix[start:stop, :stop].addmm_(B[:, start:stop].T, B[:, :stop])
        self.gradient.addmv_(B.T, u)

    def finish(self) -> None:
        for start in range(self._width, self.size, self._width):
            rows = slice(start, min(start + self._width, self.size))
            self.matrix[:start, rows] = self.matrix[rows, :start].T

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
        matrix = self.matrix.clone() if free is None else self.matrix[free][:, free]
        g = gradient if free is None else gradient[free]
        shift = _diagonal(self.size, damping, scale).to(g)
        matrix.diagonal().add_(shift if free is None else shift[free])
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if int(failed):
            if scale is None and free is None:
                return self._from_eigen(gradient, damping)
            return None
        d = torch.cholesky_solve(-g.unsqueeze(1), factor).squeeze(1)
        return _usable(_spread(d, free))

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, vectors = torch.linalg.eigh(self.matrix / (unit * unit.unsqueeze(1)))
        return values.clamp(min=0), vectors

    def rank_floor(self, rows: int) -> float:
        return float(self.size * _EPS)

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
        parts[values <= len(values) * _EPS * values[-1]] = 0.0
        return values.clamp(min=0), parts

    def _from_eigen(self, gradient: torch.Tensor, damping: float) -> torch.Tensor | None:
        values, vectors = self.spectrum()
        floor = self.size * _EPS * float(values[-1])
        # Directions below rounding carry no information: they do not move.
        weight = torch.where(values > floor, 1 / (values.clamp(min=floor) + damping + 1e-300), 0.0)
        return _usable(-vectors @ (weight * (vectors.T @ gradient)))

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._eigen is None:
            values, vectors = torch.linalg.eigh(self.matrix)
            self._eigen = (values.clamp(min=0), vectors)
        return self._eigen


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

    def add(self, B: torch.Tensor, u: torch.Tensor) -> None:
        self._rows.append(torch.cat([B, u.unsqueeze(1)], dim=1))
        self._count += len(u)
        self.gradient.addmv_(B.T, u)
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
        shift = _diagonal(self.size, damping, scale).to(self.gradient).sqrt()
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
        shift = torch.diag(_diagonal(self.size, damping, scale).to(gradient).sqrt())
        stacked = torch.cat([self._matrix, shift])
        g = gradient
        if free is not None:
            stacked, g = stacked[:, free], g[free]
        R = torch.linalg.qr(stacked, mode="r")[1]
        if float(R.diagonal().abs().min()) == 0:
            return None
        half = torch.linalg.solve_triangular(R.T, -g.unsqueeze(1), upper=False)
        d = torch.linalg.solve_triangular(R, half, upper=True).squeeze(1)
        return _usable(_spread(d, free))

    def _eigenparts(
        self, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        matrix = self._matrix if scale is None else self._matrix / scale
        return _from_rows(matrix if free is None else matrix[:, free], self.triangle[:, self.size])

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _row_spectrum(self._matrix / unit)

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        return _row_spectrum(self._matrix)


def _row_spectrum(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues of rows^T rows, ascending, and vectors."""
    _, singular, vectors = torch.linalg.svd(rows, full_matrices=True)
    values = torch.zeros(rows.shape[1], dtype=torch.float64, device=singular.device)
    values[: len(singular)] = singular.square()
    return values.flip(0), vectors.flip(0).T


def _from_rows(rows: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues of rows^T rows that are not 0, and the parts of rows^T u along their vectors."""
    left, singular, _ = torch.linalg.svd(rows, full_matrices=False)
    parts = singular * (left.T @ u)
    parts[singular <= max(rows.shape) * _EPS * singular[0]] = 0.0
    return singular.square(), parts


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
    if float(pivots.min()) <= size * _EPS * float(pivots.max()):
        # Rank-deficient to rounding: the smallest solution that does as well.
        U, s, V = torch.linalg.svd(R[:size, :size], full_matrices=False)
        keep = s > size * _EPS * s[0]
        inverse = torch.where(keep, 1 / torch.where(keep, s, 1.0), 0.0)
        d = -(V.T @ (inverse * (U.T @ R[:size, size]))) / length
    else:
        step = torch.linalg.solve_triangular(R[:size, :size], -R[:size, size:], upper=True)
        d = step.squeeze(1) / length
    return _usable(_spread(d, free))


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

    def add(self, B: torch.Tensor, u: torch.Tensor) -> None:
        self._rows.append(B.clone())
        self._residuals.append(u.clone())

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
        shift = _diagonal(self.size, damping, scale).to(gradient)
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
        return _usable(-(g - rows.T @ inner) / shift.sqrt())

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
            floor = len(values) * _EPS * float(values[-1])
            inverse = torch.where(values > floor, 1 / values.clamp(min=floor + 1e-300), 0.0)
            v = vectors @ (inverse * (vectors.T @ u))
        else:
            v = torch.cholesky_solve(u.unsqueeze(1), factor).squeeze(1)
        d = -(rows.T @ v)
        return _usable(d if weight is None else d * weight)

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
        return _from_rows(rows if free is None else rows[:, free], self.residuals)

    def scaled_spectrum(self, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _row_spectrum(self.rows / unit)

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        return _row_spectrum(self.rows)
