"""Gauss-Newton without a matrix: conjugate gradients in a trust region, for any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from .objective import Objective
from .optimizer import LeastSquaresOptimizer, Step
from .parameters import Source
from .status import LsqStatus

__all__ = ["TruncatedGaussNewton", "steihaug"]

_EPS = torch.finfo(torch.float64).eps


def steihaug(
    product: Callable[[torch.Tensor], torch.Tensor],
    gradient: torch.Tensor,
    radius: float,
    tolerance: float,
    iterations: int,
) -> tuple[torch.Tensor, int, bool]:
    """min 2 g^T d + d^T A d with |d| <= radius, approximately (Steihaug 1983).

    Returns
    -------
    d : Tensor of shape (P,)
    products : int
    boundary : bool
        Whether the path left the region.
    """
    d = torch.zeros_like(gradient)
    residual = gradient.clone()
    direction = -residual
    square = float(residual @ residual)
    target = tolerance**2 * square
    for count in range(1, iterations + 1):
        image = product(direction)
        curvature = float(direction @ image)
        if curvature <= _EPS * float(direction @ direction) * 1e-8:
            return _to_boundary(d, direction, radius), count, True
        share = square / curvature
        ahead = d + share * direction
        if float(ahead.norm()) >= radius:
            return _to_boundary(d, direction, radius), count, True
        d = ahead
        residual = residual + share * image
        new = float(residual @ residual)
        if new <= target:
            return d, count, False
        direction = -residual + (new / square) * direction
        square = new
    return d, iterations, False


def _to_boundary(d: torch.Tensor, direction: torch.Tensor, radius: float) -> torch.Tensor:
    a, b = float(direction @ direction), float(d @ direction)
    c = float(d @ d) - radius**2
    root = math.sqrt(max(b * b - a * c, 0.0))
    return d + ((root - b) / a if b <= 0 else -c / (b + root)) * direction


class TruncatedGaussNewton(LeastSquaresOptimizer):
    """Gauss-Newton steps by conjugate gradients on products ``B^T (B v)``: memory O(P).

    Parameters
    ----------
    params : Module, iterable of Tensor, or dict of name to Tensor
    radius : float, optional
        The first trust radius; default the length of the start, at least 1.
    max_products : int, default 200
        Products a step at most.
    max_trials : int, default 40
    memory, reduction, distributed
        As in `LevenbergMarquardt`.

    Notes
    -----
    A product is a derivative along v (by differentiating J^T w in w) and a backward pass. The inner
    tolerance is min(0.5, sqrt of the gradient relative to the first), as in inexact Newton methods
    (Eisenstat & Walker 1996).
    """

    def __init__(
        self,
        params: Source,
        *,
        radius: float | None = None,
        max_products: int = 200,
        max_trials: int = 40,
        memory: float = 256e6,
        reduction: str = "mean",
        distributed: bool = True,
    ) -> None:
        super().__init__(params, memory=memory, reduction=reduction, distributed=distributed)
        if max_products < 1:
            raise ValueError(f"max_products must be at least 1, got {max_products}")
        if radius is not None and not radius > 0:
            raise ValueError(f"radius must be positive, got {radius}")
        self.radius = radius
        self.max_products, self.max_trials = int(max_products), int(max_trials)
        self.products = 0
        self._first_gradient = 0.0

    def step(self, residuals: object) -> Step:
        """One step; a rejection shortens the radius and solves again."""
        objective = self.objective(residuals)
        self._start(objective)
        x = self.parameters.read()
        loss, g = objective.gradient()
        self.linearizations += 1
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} at the present parameters: look for NaN or infinities in the "
                "data, or start from other parameters"
            )
        norm = float(g.norm())
        if not math.isfinite(norm) or norm == 0.0:
            status = LsqStatus.gradient if norm == 0.0 else LsqStatus.nonfinite
            return self._report(loss, g, status)
        if self.radius is None:
            self.radius = max(1.0, float(x.norm()))
        self._first_gradient = max(self._first_gradient, norm)
        tolerance = min(0.5, math.sqrt(norm / self._first_gradient), 0.1)
        return self._try(objective, x, loss, g, tolerance)

    def _try(
        self, objective: Objective, x: torch.Tensor, loss: float, g: torch.Tensor, tolerance: float
    ) -> Step:
        assert self.radius is not None
        for count in range(1, self.max_trials + 1):
            d, products, boundary = steihaug(
                objective.product, g, self.radius, tolerance, self.max_products
            )
            self.processes.from_first(d)
            self.products += products + 1
            predicted = -2 * float(g @ d) - float(d @ objective.product(d))
            self.parameters.write(x + d)
            new = self.evaluate(objective)
            ratio = (loss - new) / predicted if predicted > 0 else -math.inf
            length = float(d.norm())
            if ratio > 0.75 and boundary:
                self.radius *= 2
            elif ratio < 0.25:
                self.radius = 0.25 * min(length, self.radius)
            if ratio > 1e-4 and new < loss:
                return self._report(loss, g, None, new, d, count, ratio)
            self.parameters.write(x)
            if length <= _EPS * float(x.norm()) or predicted <= 1e-14 * loss:
                return self._report(loss, g, LsqStatus.step, trials=count)
        return self._report(loss, g, LsqStatus.stalled, trials=self.max_trials)

    def _report(
        self,
        loss: float,
        g: torch.Tensor,
        status: LsqStatus | None,
        new: float | None = None,
        d: torch.Tensor | None = None,
        trials: int = 0,
        ratio: float = math.nan,
    ) -> Step:
        return Step(
            loss=loss if new is None else new,
            previous_loss=loss,
            accepted=new is not None,
            damping=math.nan if self.radius is None else self.radius,
            gain_ratio=ratio,
            step_norm=0.0 if d is None else float(d.norm()),
            gradient_norm=2 * float(g.abs().max()),
            trials=trials,
            status=status,
            solver="conjugate gradients",
        )

    def state_dict(self) -> dict[str, Any]:
        """Radius, products and the first gradient beside the counters."""
        return super().state_dict() | {
            "radius": self.radius,
            "products": self.products,
            "first_gradient": self._first_gradient,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        super().load_state_dict(state)
        self.radius, self.products = state["radius"], state["products"]
        self._first_gradient = state["first_gradient"]
