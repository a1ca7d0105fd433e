"""When steps up and down a valley are no longer worth their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Valley"]

# Steps without half the loss: at least so many, and this share of those before.
_PATIENCE = 60
_SHARE = 0.25


@dataclass
class Valley:
    """Counts the steps since the loss was last halved, once an undamped step found a bottom.

    A bottom is a new lowest loss by a step whose damping is below the rounding of the system. There
    Gauss-Newton has converged in every direction that the system resolves, and further steps can
    only wander along the others.
    """

    steps: int = 0
    halved: float = float("inf")
    halved_at: int = 0
    lowest: float = float("inf")
    bottom: bool = False

    def exhausted(self, loss: float, undamped: bool) -> bool:
        """After a step that was taken to a loss, whether to stop."""
        self.steps += 1
        if not self.bottom and undamped and loss < self.lowest:
            self.bottom, self.halved_at = True, self.steps
        self.lowest = min(self.lowest, loss)
        if loss <= 0.5 * self.halved:
            self.halved, self.halved_at = loss, self.steps
        since = self.steps - self.halved_at
        return self.bottom and since >= max(_PATIENCE, _SHARE * self.halved_at)

    def state(self) -> dict[str, Any]:
        return dict(vars(self))
