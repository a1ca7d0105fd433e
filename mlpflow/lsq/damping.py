"""How the damping of a Levenberg-Marquardt step follows its success."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from .systems import System

__all__ = ["DAMPING", "Damping", "Marquardt", "Nielsen", "Radius", "TrustRegion"]


@dataclass
class Damping(abc.ABC):
    """lambda of ``(B^T B + lambda D^2) d = -B^T u``.

    Parameters
    ----------
    value : float or None, default None
        The first lambda; None: 1e-3 times the largest entry of diag(B^T B) / D^2 at the start.
    lowest, highest : float, default 1e-30, 1e30
    """

    value: float | None = None
    lowest: float = 1e-30
    highest: float = 1e30

    #: Of the first lambda to the largest entry.
    first: ClassVar[float] = 1e-3

    def start(self, largest: float, length: float) -> None:
        """Set what depends on the first system: its largest entry, and |D x| of the start."""
        if self.value is None:
            self.value = self.first * (largest if largest > 0 else 1.0)

    def propose(
        self, system: System, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> float:
        """The lambda of the next trial."""
        assert self.value is not None
        return self.value

    @abc.abstractmethod
    def accepted(self, ratio: float, length: float) -> None:
        """After a step that was taken, with its gain ratio and |D d|."""

    @abc.abstractmethod
    def rejected(self, ratio: float, length: float) -> None:
        """After a step that was not (or could not be computed: length inf)."""

    def _set(self, value: float) -> None:
        self.value = min(max(value, self.lowest), self.highest)

    def loosen(self) -> None:
        """Where the steps have become too short for the loss to tell."""
        assert self.value is not None
        self._set(self.value / 100)

    def state(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class Marquardt(Damping):
    """Divide by a factor after success, multiply by a factor after failure (Marquardt 1963)."""

    divide: float = 10.0
    multiply: float = 10.0

    def accepted(self, ratio: float, length: float) -> None:
        assert self.value is not None
        self._set(self.value / self.divide)

    def rejected(self, ratio: float, length: float) -> None:
        assert self.value is not None
        self._set(self.value * self.multiply)


@dataclass
class Nielsen(Damping):
    """lambda max(1/3, 1 - (2 rho - 1)^3) after success; doubling factors after failures.

    Nielsen (1999), "Damping parameter in Marquardt's method", IMM-REP-1999-05.
    """

    factor: float = field(default=2.0)

    def accepted(self, ratio: float, length: float) -> None:
        assert self.value is not None
        self._set(self.value * max(1 / 3, 1 - (2 * ratio - 1) ** 3))
        self.factor = 2.0

    def rejected(self, ratio: float, length: float) -> None:
        assert self.value is not None
        self._set(self.value * self.factor)
        self.factor *= 2


@dataclass
class TrustRegion(Damping):
    """lambda times 4 after a poor step, divided by 10 after a good one.

    Poor is a gain ratio below 1/4, good one above 3/4; failures multiply by a factor that doubles.
    """

    divide: float = 10.0
    multiply: float = 4.0
    factor: float = field(default=4.0)

    def accepted(self, ratio: float, length: float) -> None:
        assert self.value is not None
        self.factor = self.multiply
        if ratio < 0.25:
            self._set(self.value * self.multiply)
        elif ratio > 0.75:
            self._set(self.value / self.divide)

    def rejected(self, ratio: float, length: float) -> None:
        assert self.value is not None
        self._set(self.value * self.factor)
        self.factor *= 2


@dataclass
class Radius(Damping):
    """lambda such that |D d| is at most a radius; the radius follows the gain ratio (More 1978).

    lambda is found from the eigenvalues of the system, so that a Gauss-Newton step is taken as soon
    as it is short enough, however large lambda was before.

    Parameters
    ----------
    radius : float or None, default None
        None: `first_radius` times |D x| of the start, or 1 where that is 0.
    first_radius : float, default 1.0
    shrink : float, default 0.5
        Of the step's length, after a gain ratio below 1/4 or a rejection. Gentler than More's 1/4:
        far starts keep more of what they gained.
    """

    value: float | None = 0.0
    radius: float | None = None
    first_radius: float = 1.0
    shrink: float = 0.5
    inside: bool = False

    def start(self, largest: float, length: float) -> None:
        if self.radius is None:
            self.radius = self.first_radius * length if length > 0 else 1.0

    def propose(
        self, system: System, scale: torch.Tensor | None, free: torch.Tensor | None
    ) -> float:
        assert self.radius is not None
        values, parts = system.secular(scale, free)
        self.value = _root(values, parts, self.radius)
        self.inside = self.value == 0.0
        return self.value

    def accepted(self, ratio: float, length: float) -> None:
        assert self.radius is not None
        if ratio < 0.25:
            self.radius = self.shrink * length
        elif ratio > 0.75:
            self.radius = max(self.radius, 2 * length) if not self.inside else self.radius

    def loosen(self) -> None:
        assert self.radius is not None
        self.radius *= 10

    def rejected(self, ratio: float, length: float) -> None:
        assert self.radius is not None
        self.radius = self.shrink * min(length, self.radius)


def _root(values: torch.Tensor, parts: torch.Tensor, radius: float) -> float:
    """lambda >= 0 with |d(lambda)| = radius, or 0 where the undamped step is shorter.

    |d|^2 = sum (parts / (values + lambda))^2; Newton on 1/|d| - 1/radius (Hebden 1973, More 1978),
    which converges from the left, safeguarded by bisection.
    """

    def length(shift: float) -> tuple[float, float]:
        shifted = (values + shift).clamp(min=1e-300)
        squares = (parts / shifted).square()
        return math.sqrt(float(squares.sum())), float((squares / shifted).sum())

    norm, slope = length(0.0)
    if norm <= 1.0001 * radius or not math.isfinite(norm):
        return 0.0
    low, high = 0.0, float(parts.norm()) / radius
    shift = min(max((norm / radius - 1) * norm**2 / max(slope, 1e-300), 1e-14 * high), high)
    for _ in range(60):
        norm, slope = length(shift)
        if abs(norm - radius) <= 0.01 * radius:
            break
        low, high = (shift, high) if norm > radius else (low, shift)
        newton = shift + (norm / radius - 1) * norm**2 / max(slope, 1e-300)
        if not low < newton < high:
            newton = math.sqrt(low * high) if low > 0 else 0.01 * high
        shift = newton
    return shift


DAMPING: dict[str, type[Damping]] = {
    "marquardt": Marquardt,
    "nielsen": Nielsen,
    "radius": Radius,
    "trust_region": TrustRegion,
}
