"""What is made of a module's outputs: a loss, and the rows of a Gauss-Newton system.

A criterion turns outputs ``z`` of shape (N, M) into a loss, summed over the N samples, and the
square root of its curvature: residuals ``u`` of shape (N, K) and factors such that the rows

    B[n, k] = sum_j factor[n, j, k] dz[n, j]/dp

give the gradient ``2 B^T u`` and the Gauss-Newton matrix ``2 B^T B`` of the loss. The quadratic
model of every loss is then ``|u + B d|^2`` up to a constant. The factor is diagonal for losses that
treat each output on its own: then it has the shape (N, M), or is None where it is 1.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["Criterion", "CrossEntropy", "Rows", "SumSquares", "criterion_from"]


@dataclass(frozen=True)
class Rows:
    """A criterion at given outputs: ``loss`` (summed), ``residuals`` (N, K) and ``factor``."""

    loss: torch.Tensor
    residuals: torch.Tensor
    factor: torch.Tensor | None


class Criterion(abc.ABC):
    """A loss of the outputs (N, M) of a residual function."""

    #: True for criteria that want (outputs, labels) from the function.
    labelled = False

    @abc.abstractmethod
    def loss(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """The sum over the samples, in float64."""

    def differentiable(self, z: torch.Tensor) -> torch.Tensor:
        """The loss in its graph, where it needs no labels."""
        raise TypeError(f"expected a criterion without labels, got {type(self).__name__}")

    @abc.abstractmethod
    def rows(self, z: torch.Tensor, labels: torch.Tensor | None) -> Rows:
        """The loss with what its Gauss-Newton system needs."""


class SumSquares(Criterion):
    """sum |z|^2, or sum s^2 rho(z^2/s^2) with a robust ``rho`` and its scale ``s``.

    The rows of a robust loss are scaled as in SciPy's `least_squares` (Triggs et al., Bundle
    Adjustment, section 4.3): with t = z^2/s^2, factor^2 = rho'(t) + 2 t rho''(t), floored at eps,
    and u = z rho'(t) / factor.
    """

    def __init__(self, robust: str | Robust = "linear", scale: float = 1.0) -> None:
        if not isinstance(robust, str):
            self.rho: Robust | None = robust
        elif robust in ROBUST:
            self.rho = ROBUST[robust]
        else:
            raise ValueError(
                f"robust must be one of {sorted(ROBUST)} or a function, got {robust!r}"
            )
        if not scale > 0 or not math.isfinite(scale):
            raise ValueError(f"robust_scale must be positive, got {scale}")
        self.scale = float(scale)

    def loss(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        square = z.detach().to(torch.float64).square()
        if self.rho is None:
            return square.sum()
        return self.scale**2 * self.rho(square / self.scale**2)[0].sum()

    def differentiable(self, z: torch.Tensor) -> torch.Tensor:
        """The loss in z's precision, in its graph."""
        if self.rho is None:
            return z.square().sum()
        return self.scale**2 * self.rho(z.square() / self.scale**2)[0].sum()

    def rows(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> Rows:
        z = z.detach().to(torch.float64)
        if self.rho is None:
            return Rows(z.square().sum(), z, None)
        t = (z / self.scale).square()
        rho, first, second = self.rho(t)
        eps = torch.finfo(torch.float64).eps
        factor = (first + 2 * t * second).clamp(min=eps).sqrt()
        return Rows(self.scale**2 * rho.sum(), z * first / factor, factor)


class CrossEntropy(Criterion):
    """-sum_n log softmax(z_n)[label_n], labels as integers (N,) or probability rows (N, M).

    The Hessian of one sample in its outputs is H = diag(p) - p p^T = S S^T with
    S = (I - sqrt(p) sqrt(p)^T) scaled from the left by sqrt(p) (Schraudolph 2002, the generalised
    Gauss-Newton matrix). S u = p - y has the solution u = (p - y)/sqrt(p), because p - y sums to 0.
    """

    labelled = True

    def _target(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        if labels is None:
            raise ValueError("the cross-entropy needs a function that returns (outputs, labels)")
        if labels.is_floating_point():
            if labels.shape != z.shape:
                raise ValueError(
                    f"probability labels must have the outputs' shape {tuple(z.shape)}, "
                    f"got {tuple(labels.shape)}"
                )
            return labels.to(torch.float64)
        labels = labels.reshape(-1)
        if len(labels) != len(z) or int(labels.min()) < 0 or int(labels.max()) >= z.shape[1]:
            raise ValueError(
                f"labels must be {len(z)} integers from 0 to {z.shape[1] - 1}, got {len(labels)} "
                f"from {int(labels.min())} to {int(labels.max())}"
            )
        return torch.nn.functional.one_hot(labels, z.shape[1]).to(torch.float64)

    def loss(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        z = z.detach().to(torch.float64)
        return -(self._target(z, labels) * torch.log_softmax(z, dim=1)).sum()

    def rows(self, z: torch.Tensor, labels: torch.Tensor | None) -> Rows:
        z = z.detach().to(torch.float64)
        y = self._target(z, labels)
        log_p = torch.log_softmax(z, dim=1)
        p = log_p.exp()
        root = p.sqrt().clamp(min=1e-60)
        mix = torch.diag_embed(root) - p.unsqueeze(2) * root.unsqueeze(1)
        total = y.sum(dim=1, keepdim=True)
        u = (p * total - y) / root
        half = math.sqrt(0.5)
        return Rows(-(y * log_p).sum(), half * u, half * mix)


Robust = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


def huber(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """t where t <= 1, else 2 sqrt(t) - 1; with its first two derivatives."""
    inside = t <= 1
    root = t.clamp(min=1).sqrt()
    return (
        torch.where(inside, t, 2 * root - 1),
        torch.where(inside, torch.ones_like(t), 1 / root),
        torch.where(inside, torch.zeros_like(t), -0.5 / root**3),
    )


def soft_l1(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """2 (sqrt(1 + t) - 1), with its first two derivatives."""
    root = (1 + t).sqrt()
    return 2 * t / (root + 1), 1 / root, -0.5 / root**3


def cauchy(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """log(1 + t), with its first two derivatives."""
    return torch.log1p(t), 1 / (1 + t), -1 / (1 + t) ** 2


def arctan(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """arctan(t), with its first two derivatives."""
    q = 1 + t**2
    return torch.atan(t), 1 / q, -2 * t / q**2


ROBUST: dict[str, Robust | None] = {
    "linear": None,
    "huber": huber,
    "soft_l1": soft_l1,
    "cauchy": cauchy,
    "arctan": arctan,
}


def criterion_from(
    criterion: str | Criterion, robust: str | Robust = "linear", scale: float = 1.0
) -> Criterion:
    """The criterion of a name: "squares" or "cross_entropy"."""
    if isinstance(criterion, Criterion):
        return criterion
    if criterion == "squares":
        return SumSquares(robust, scale)
    if criterion == "cross_entropy":
        if robust != "linear":
            raise ValueError(f"robust={robust!r} is for squares; the cross-entropy has none")
        return CrossEntropy()
    raise ValueError(f"criterion must be 'squares' or 'cross_entropy', got {criterion!r}")
