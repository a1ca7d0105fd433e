"""What the least-squares optimizers share: parameters, objectives, what a step reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch

from .bounds import Box
from .distributed import Processes
from .jacobian.choice import JacobianMethod
from .objective import Linearization, Objective
from .parameters import ParameterVector, Source
from .residuals import Residual, residual_list
from .status import LsqStatus

__all__ = ["LeastSquaresOptimizer", "Step"]


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes
    ----------
    loss, previous_loss : float
        After and before; equal where no trial was taken.
    accepted : bool
    damping : float
        lambda of the last trial, in units of ``sum weight/N |r|^2`` (nan: there is none).
    gain_ratio : float
        Actual over predicted reduction of the last trial.
    step_norm : float
        |d| of the step taken, 0 where none was.
    gradient_norm : float
        Largest entry of the loss's gradient before the step.
    trials : int
        Losses evaluated.
    status : LsqStatus or None
        Why there is nothing left to do, or None.
    jacobian : dict of str to str
        How each residual's Jacobian was made.
    solver : str
    """

    loss: float
    previous_loss: float
    accepted: bool
    damping: float
    gain_ratio: float
    step_norm: float
    gradient_norm: float
    trials: int
    status: LsqStatus | None = None
    jacobian: dict[str, str] = field(default_factory=dict)
    solver: str = ""


class LeastSquaresOptimizer(ABC):
    """Base of the optimizers: ``step(residuals)`` moves the parameters in place."""

    def __init__(
        self,
        params: Source,
        *,
        bounds: Any = None,
        jacobian: str = "auto",
        solver: str = "auto",
        memory: float = 256e6,
        reduction: str = "mean",
        distributed: bool = True,
    ) -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
        if solver not in ("auto", "qr", "normal", "dual"):
            raise ValueError(f"solver must be 'auto', 'qr', 'normal' or 'dual', got {solver!r}")
        if not memory >= 1e6:
            raise ValueError(f"memory must be at least 1e6 bytes, got {memory}")
        self.parameters = params if isinstance(params, ParameterVector) else ParameterVector(params)
        self.bounds = Box.of(bounds, self.parameters)
        self.jacobian, self.solver = jacobian, solver
        self.memory, self.reduction = float(memory), reduction
        self.processes = Processes(distributed)
        self.evaluations = 0
        self.linearizations = 0
        self._objective: Objective | None = None
        self._last_residuals: object = None
        self._choices: dict[object, JacobianMethod] = {}
        self._started = False

    def objective(self, residuals: object) -> Objective:
        """The objective of residuals, the last one again where they are the same."""
        if self._objective is not None and self._same(residuals):
            return self._objective
        terms = residual_list(residuals)
        objective = Objective(
            self.parameters,
            terms,
            jacobian=self.jacobian,
            solver=self.solver,
            memory=self.memory,
            reduction=self.reduction,
            processes=self.processes,
            choices=self._choices,
        )
        # A list is kept by its entries: the user may change it in place.
        self._last_residuals = list(residuals) if isinstance(residuals, list | tuple) else residuals
        self._objective = objective
        return objective

    def _same(self, residuals: object) -> bool:
        last = self._last_residuals
        if isinstance(last, list) and isinstance(residuals, list | tuple):
            return len(last) == len(residuals) and all(
                old is new and isinstance(new, Residual)
                for old, new in zip(last, residuals, strict=True)
            )
        return residuals is last and isinstance(residuals, Residual)

    def _start(self, objective: Objective) -> None:
        """Once, before the first step."""
        if self._started:
            return
        self._started = True
        objective.warn_of_noise()
        if self.processes.active:
            self.parameters.write(self.processes.from_first(self.parameters.read()))
        if self.bounds is not None:
            self.parameters.write(self.bounds.clip(self.parameters.read()))

    def linearize(self, objective: Objective) -> Linearization:
        """The system at the present point; ValueError where the residuals are not finite."""
        linearization = objective.linearize()
        self.linearizations += 1
        if not torch.isfinite(torch.tensor(linearization.loss)):
            raise ValueError(
                f"the loss is {linearization.loss} at the present parameters: look for NaN or "
                "infinities in the data, or start from other parameters"
            )
        return linearization

    def evaluate(self, objective: Objective) -> float:
        """The loss at the present point; inf where it is not a number."""
        self.evaluations += 1
        value = objective.loss()
        return value if value == value else float("inf")

    @abstractmethod
    def step(self, residuals: object) -> Step:
        """One step; see the subclass."""

    def state_dict(self) -> dict[str, Any]:
        """Damping and counters: what a continued run needs beside the parameters."""
        return {
            "evaluations": self.evaluations,
            "linearizations": self.linearizations,
            "started": self._started,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.evaluations = state["evaluations"]
        self.linearizations = state["linearizations"]
        self._started = state["started"]
