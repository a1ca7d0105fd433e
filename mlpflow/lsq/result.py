"""What `lsq.fit` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .history import History
from .objective import Objective
from .statistics import Statistics, statistics
from .status import LsqStatus

if TYPE_CHECKING:
    import numpy as np

__all__ = ["FitResult"]


@dataclass(eq=False)
class FitResult:
    """How a fit ended; the model holds the best parameters.

    Attributes
    ----------
    status : LsqStatus
    loss : float
        At the best parameters.
    validation_loss : float or None
        Likewise; with validation data "best" means this one.
    best_step : int
        After how many steps; 0 is the start.
    steps, evaluations, linearizations : int
        Evaluations of the loss, and of the Jacobian (or gradient).
    time : float
        Seconds.
    history : History
    jacobian : dict of str to str
        How each residual's Jacobian was made.
    solver : str
    parameters : Tensor of shape (P,)
        The best ones, flat, float64.
    """

    status: LsqStatus
    loss: float
    validation_loss: float | None
    best_step: int
    steps: int
    evaluations: int
    linearizations: int
    time: float
    history: History
    jacobian: dict[str, str]
    solver: str
    parameters: torch.Tensor
    _objective: Objective | None = field(default=None, repr=False)
    _statistics: Statistics | None = field(default=None, repr=False)

    @property
    def message(self) -> str:
        """The status as a sentence."""
        return self.status.message

    @property
    def converged(self) -> bool:
        """Whether a tolerance was met."""
        return self.status.converged

    @property
    def statistics(self) -> Statistics:
        """Rank, variance, covariance and standard errors, computed when asked for."""
        if self._statistics is None:
            if self._objective is None:
                raise ValueError("statistics need the residuals: they are not saved with a result")
            vector = self._objective.parameters
            now = vector.read()
            vector.write(self.parameters)
            try:
                self._statistics = statistics(self._objective)
            finally:
                vector.write(now)
        return self._statistics

    @property
    def covariance(self) -> torch.Tensor:
        """Of the estimate, (P, P)."""
        return self.statistics.covariance

    @property
    def standard_errors(self) -> dict[str, torch.Tensor]:
        """By parameter name, in the parameters' shapes."""
        assert self._objective is not None or self._statistics is not None
        errors = self.statistics.standard_errors
        assert self._objective is not None
        vector = self._objective.parameters
        return dict(zip(vector.names, vector.split(errors), strict=True))

    def plot(self, axes: Any = None) -> np.ndarray:
        """`mlpflow.plot.training_report` of the history."""
        from ..plot import training_report

        return training_report(self.history, axes=axes)

    def save_history(self, path: str | Path) -> Path:
        """The history as JSON, for `mlpflow.plot.training_report` and others."""
        return self.history.save(path)

    def __repr__(self) -> str:
        return (
            f"FitResult: {self.status} after {self.steps} steps, loss {self.loss:.6g}, "
            f"{self.evaluations} evaluations, {self.time:.2f} s"
        )
