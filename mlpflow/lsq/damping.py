"""How the damping of a Levenberg-Marquardt step follows its success."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

__all__ = ["DAMPING", "Damping", "Marquardt", "Nielsen", "TrustRegion"]


@dataclass
class Damping:
    """lambda of ``(B^T B + lambda D^2) d = -B^T u``, relative to nothing.

    Parameters
    ----------
    value : float or None, default None
        The first lambda; None: 1e-3 times the largest entry of diag(B^T B) / D^2 at the start.
    lowest, highest : float, default 1e-30, 1e30
        Relative to that largest entry.
    """

    value: float | None = None
    lowest: float = 1e-30
    highest: float = 1e30

    #: Of the first lambda to the largest entry.
    first: ClassVar[float] = 1e-3

    def start(self, largest: float) -> None:
        """Set the first value where none was given."""
        if self.value is None:
            self.value = self.first * (largest if largest > 0 else 1.0)

    def accepted(self, ratio: float) -> None:
        """After a step that was taken, with its gain ratio."""
        raise NotImplementedError

    def rejected(self) -> None:
        """After a step that was not."""
        raise NotImplementedError

    def _set(self, value: float) -> None:
        self.value = min(max(value, self.lowest), self.highest)

    def state(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class Marquardt(Damping):
    """Divide by a factor after success, multiply by a factor after failure (Marquardt 1963)."""

    divide: float = 10.0
    multiply: float = 10.0

    def accepted(self, ratio: float) -> None:
        assert self.value is not None
        self._set(self.value / self.divide)

    def rejected(self) -> None:
        assert self.value is not None
        self._set(self.value * self.multiply)


@dataclass
class Nielsen(Damping):
    """lambda max(1/3, 1 - (2 rho - 1)^3) after success; doubling factors after failures.

    Nielsen (1999), "Damping parameter in Marquardt's method", IMM-REP-1999-05.
    """

    growth: float = 2.0
    factor: float = field(default=2.0)

    def accepted(self, ratio: float) -> None:
        assert self.value is not None
        self._set(self.value * max(1 / 3, 1 - (2 * ratio - 1) ** 3))
        self.factor = self.growth

    def rejected(self) -> None:
        assert self.value is not None
        self._set(self.value * self.factor)
        self.factor *= 2


@dataclass
class TrustRegion(Damping):
    """Four times more after a poor step, down by the gain ratio's success (More 1978, section 4).

    lambda grows by `multiply` below a gain ratio of 1/4, stays up to 3/4, and falls by `divide`
    above; failures multiply by a factor that doubles.
    """

    divide: float = 10.0
    multiply: float = 4.0
    factor: float = field(default=4.0)

    def accepted(self, ratio: float) -> None:
        assert self.value is not None
        self.factor = self.multiply
        if ratio < 0.25:
            self._set(self.value * self.multiply)
        elif ratio > 0.75:
            self._set(self.value / self.divide)

    def rejected(self) -> None:
        assert self.value is not None
        self._set(self.value * self.factor)
        self.factor *= 2


DAMPING: dict[str, type[Damping]] = {
    "marquardt": Marquardt,
    "nielsen": Nielsen,
    "trust_region": TrustRegion,
}
