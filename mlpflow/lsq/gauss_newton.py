"""Gauss-Newton steps, made safe by a line search or by Powell's dogleg."""

from __future__ import annotations

import math
from typing import Any

import torch

from .objective import Linearization, Objective
from .optimizer import LeastSquaresOptimizer, Step
from .parameters import Source
from .status import LsqStatus

__all__ = ["GaussNewton"]

_EPS = torch.finfo(torch.float64).eps
# Of the predicted reduction: the least that is worth a step (Armijo).
_SUFFICIENT = 1e-4


class GaussNewton(LeastSquaresOptimizer):
    """Steps ``-(B^T B + r I)^-1 B^T u`` with a globalisation.

    Parameters
    ----------
    params : Module, iterable of Tensor, or dict of name to Tensor
    globalization : {"line_search", "dogleg"}, default "line_search"
        Backtracking with quadratic interpolation and Armijo's condition; or a path from the
        steepest descent step to the Gauss-Newton step, cut at a radius (Powell 1970).
    regularization : float, default 1e-8
        r, relative to the largest entry of diag(B^T B): for rank-deficient Jacobians.
    radius : float, default 1.0
        The dogleg's first.
    max_trials : int, default 40
    bounds, jacobian, solver, memory, reduction, distributed
        As in `LevenbergMarquardt`.
    """

    def __init__(
        self,
        params: Source,
        *,
        globalization: str = "line_search",
        regularization: float = 1e-8,
        radius: float = 1.0,
        max_trials: int = 40,
        bounds: Any = None,
        jacobian: str = "auto",
        solver: str = "auto",
        memory: float = 256e6,
        reduction: str = "mean",
        distributed: bool = True,
    ) -> None:
        super().__init__(
            params,
            bounds=bounds,
            jacobian=jacobian,
            solver=solver,
            memory=memory,
            reduction=reduction,
            distributed=distributed,
        )
        if globalization not in ("line_search", "dogleg"):
            raise ValueError(
                f"globalization must be 'line_search' or 'dogleg', got {globalization!r}"
            )
        if not regularization >= 0 or not radius > 0:
            raise ValueError(
                f"regularization must be >= 0 and radius > 0, got {regularization} and {radius}"
            )
        self.globalization = globalization
        self.regularization, self.radius = float(regularization), float(radius)
        self.max_trials = int(max_trials)

    def step(self, residuals: object) -> Step:
        """One step: linearise, then evaluate trial points until one is good enough."""
        objective = self.objective(residuals)
        self._start(objective)
        x = self.parameters.read()
        now = self.linearize(objective)
        g = now.system.gradient
        if not bool(torch.isfinite(g).all()):
            return self._report(now, LsqStatus.nonfinite)
        free = None if self.bounds is None else self.bounds.free(x, g)
        moving = g if free is None else torch.where(free, g, torch.zeros_like(g))
        if not bool(moving.any()):
            return self._report(now, LsqStatus.gradient)
        full = self._full(now, free)
        if self.globalization == "dogleg":
            return self._dogleg(objective, now, x, moving, full)
        return self._line_search(objective, now, x, full)

    def _full(self, now: Linearization, free: torch.Tensor | None) -> torch.Tensor:
        largest = float(now.system.column_squares().max())
        shift = self.regularization * largest
        for _ in range(20):
            d = now.system.solve(shift, None, free)
            if d is not None:
                return self.processes.from_first(d)
            shift = max(100 * shift, _EPS * largest)
        raise ArithmeticError("the Gauss-Newton system cannot be solved: are the residuals finite?")

    def _predicted(self, now: Linearization, d: torch.Tensor) -> float:
        return -2 * float(now.system.gradient @ d) - now.system.curvature(d)

    def _move(
        self, objective: Objective, x: torch.Tensor, d: torch.Tensor
    ) -> tuple[float, torch.Tensor]:
        if self.bounds is not None:
            d = self.bounds.clip(x + d) - x
        self.parameters.write(x + d)
        return self.evaluate(objective), d

    def _line_search(
        self, objective: Objective, now: Linearization, x: torch.Tensor, full: torch.Tensor
    ) -> Step:
        slope = 2 * float(now.system.gradient @ full)
        share = 1.0
        for count in range(1, self.max_trials + 1):
            loss, d = self._move(objective, x, share * full)
            if loss <= now.loss + _SUFFICIENT * share * slope:
                done = _settled(d, x, now.loss, loss, slope)
                return self._report(now, done, loss, d, count, (now.loss - loss) / -slope)
            # The minimum of the parabola through both losses and the slope, not too far away.
            curvature = loss - now.loss - share * slope
            new = -slope * share**2 / (2 * curvature) if math.isfinite(curvature) else 0.0
            share = min(max(new, 0.1 * share), 0.5 * share)
            if share * float(full.norm()) <= _EPS * float(x.norm()):
                break
        self.parameters.write(x)
        flat = -slope <= 1e-12 * now.loss
        return self._report(now, LsqStatus.step if flat else LsqStatus.stalled, trials=count)

    def _dogleg(
        self,
        objective: Objective,
        now: Linearization,
        x: torch.Tensor,
        gradient: torch.Tensor,
        full: torch.Tensor,
    ) -> Step:
        curvature = now.system.curvature(gradient)
        cauchy = -gradient * float(gradient @ gradient) / max(curvature, 1e-300)
        for count in range(1, self.max_trials + 1):
            d = _cut(cauchy, full, self.radius)
            loss, d = self._move(objective, x, d)
            predicted = self._predicted(now, d)
            ratio = (now.loss - loss) / predicted if predicted > 0 else -math.inf
            length = float(d.norm())
            if ratio > 0.75:
                self.radius = max(self.radius, 2 * length)
            elif ratio < 0.25:
                self.radius = 0.5 * min(length, self.radius)
            if ratio > _SUFFICIENT and loss < now.loss:
                slope = 2 * float(gradient @ d)
                done = _settled(d, x, now.loss, loss, slope)
                return self._report(now, done, loss, d, count, ratio)
            if length <= _EPS * float(x.norm()) or predicted <= 1e-14 * now.loss:
                self.parameters.write(x)
                return self._report(now, LsqStatus.step, trials=count)
        self.parameters.write(x)
        return self._report(now, LsqStatus.stalled, trials=self.max_trials)

    def _report(
        self,
        now: Linearization,
        status: LsqStatus | None,
        loss: float | None = None,
        d: torch.Tensor | None = None,
        trials: int = 0,
        ratio: float = math.nan,
    ) -> Step:
        return Step(
            loss=now.loss if loss is None else loss,
            previous_loss=now.loss,
            accepted=loss is not None,
            damping=self.radius if self.globalization == "dogleg" else math.nan,
            gain_ratio=ratio,
            step_norm=0.0 if d is None else float(d.norm()),
            gradient_norm=2 * float(now.system.gradient.abs().max()),
            trials=trials,
            status=status,
            jacobian=now.methods,
            solver=now.system.name,
        )

    def state_dict(self) -> dict[str, Any]:
        """The radius beside the counters."""
        return super().state_dict() | {"radius": self.radius}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        super().load_state_dict(state)
        self.radius = state["radius"]


def _settled(
    d: torch.Tensor, x: torch.Tensor, before: float, after: float, slope: float
) -> LsqStatus | None:
    """Step and reduction both at the level of rounding."""
    small = float(d.norm()) <= 1e-12 * (float(x.norm()) + 1e-12)
    return LsqStatus.step if small and before - after <= 1e-12 * before else None


def _cut(cauchy: torch.Tensor, full: torch.Tensor, radius: float) -> torch.Tensor:
    """The point of the dogleg path at the radius."""
    if float(full.norm()) <= radius:
        return full
    length = float(cauchy.norm())
    if length >= radius:
        return cauchy * (radius / length)
    way = full - cauchy
    a, b = float(way @ way), float(cauchy @ way)
    c = length**2 - radius**2
    share = (
        (-b + math.sqrt(max(b * b - a * c, 0.0))) / a
        if b <= 0
        else -c / (b + math.sqrt(max(b * b - a * c, 0.0)))
    )
    return cauchy + share * way
