"""Which steps are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["ACCEPTANCE", "Acceptance", "Trial"]

ACCEPTANCE = ("gain", "descent", "uphill")
# Of the predicted reduction that a step must bring.
_LEAST_GAIN = 1e-4


@dataclass
class Trial:
    """A step, what the model promises, and the loss it led to."""

    d: torch.Tensor
    predicted: float
    loss: float = math.inf

    def ratio(self, before: float) -> float:
        """The gain ratio: reduction of the loss by what was promised."""
        return (before - self.loss) / self.predicted if self.predicted > 0 else -math.inf


@dataclass
class Acceptance:
    """The rule, the last step that was taken, and the lowest loss that was seen."""

    rule: str
    last_step: torch.Tensor | None = None
    best_loss: float = math.inf

    def accepts(self, trial: Trial, before: float) -> bool:
        """Whether a step from the loss `before` is taken."""
        if not math.isfinite(trial.loss):
            return False
        if self.rule == "descent":
            return trial.loss < before
        if trial.ratio(before) > _LEAST_GAIN and trial.loss < before:
            return True
        if self.rule == "gain" or self.last_step is None:
            return False
        both = float(trial.d.norm() * self.last_step.norm())
        cosine = float(trial.d @ self.last_step) / both if both > 0 else 0.0
        return (1 - cosine) ** 2 * trial.loss <= self.best_loss

    def forget(self) -> None:
        """Where losses and directions of other data do not compare."""
        self.last_step, self.best_loss = None, math.inf

    def state(self) -> dict[str, Any]:
        return dict(vars(self))
