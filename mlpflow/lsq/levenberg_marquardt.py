"""The Levenberg-Marquardt method on residuals of any torch module."""

from __future__ import annotations

import math
from typing import Any

import torch

from .acceptance import ACCEPTANCE, Acceptance, Trial
from .damping import DAMPING, Damping, Marquardt, Nielsen, Radius
from .extrapolation import Extrapolation
from .geodesic import acceleration
from .objective import Linearization, Objective
from .optimizer import LeastSquaresOptimizer, Step
from .parameters import Source
from .residuals import Residual
from .status import LsqStatus
from .systems import TriangularSystem
from .valley import Valley

__all__ = ["LevenbergMarquardt"]

_EPS = torch.finfo(torch.float64).eps
# Below this share of the loss a predicted reduction drowns in the rounding of the loss itself.
_NOISE = 1e-13
# Relative error of the parameters at which the finish is over.
_EXACT = 1e-12
# Relative size of an undamped step from which steps are extrapolated.
_CLOSE = 1e-2
# A radius needs the eigenvalues of every system: cheap beside the rest for few parameters.
_RADIUS_PARAMETERS = 100


class LevenbergMarquardt(LeastSquaresOptimizer):
    """Damped Gauss-Newton steps, ``(B^T B + lambda D^2) d = -B^T u``.

    Parameters
    ----------
    params : Module, iterable of Tensor, or dict of name to Tensor
        A module is best: it lets the Jacobian choose among all its methods.
    damping : {"auto", "nielsen", "marquardt", "trust_region", "radius"} or Damping, default "auto"
        How lambda follows success. "auto": "radius" with diagonal scaling up to 100 parameters,
        `Marquardt(divide=3, multiply=2)` with the identity above; "nielsen" where the radius
        collapsed in a valley.
    scaling : {"auto", "identity", "diagonal"}, default "auto"
        D = I, or the largest column norms of B so far (More 1978): then nothing depends on the
        units of the parameters. "auto" is diagonal with a radius.
    acceptance : {"auto", "gain", "descent", "uphill"}, default "auto"
        "auto": "uphill" above 100 parameters, "gain" up to there. With both "auto", batches that
        change and cross-entropy have "nielsen" and "gain".
        "gain": at least 1e-4 of the predicted reduction. "descent": any reduction. "uphill": also
        ``(1 - cos)^2 loss <= best loss`` with the angle to the last step (Transtrum & Sethna 2012).
    geodesic : bool, default False
        Add the second-order correction along the step (Transtrum & Sethna 2012): two more
        evaluations a trial, fewer steps in curved valleys.
    bounds : (lower, upper) or dict of name to (lower, upper), optional
    max_trials : int, default 40
        Trials a step: every rejection raises lambda, with the same Jacobian.
    jacobian : str, default "auto"
        Or "recorded", "forward", "per_sample", "reverse".
    solver : {"auto", "qr", "normal", "dual"}, default "auto"
    memory : float, default 256e6
        Bytes for pieces of Jacobian and graph beside the system itself.
    reduction : {"mean", "sum"}, default "mean"
        Over the samples of each residual.
    distributed : bool, default True
        Sum over the ranks of an initialised `torch.distributed`.

    Examples
    --------
    >>> import torch
    >>> from mlpflow import lsq
    >>> p = torch.tensor([-1.1, 2.5], dtype=torch.float64, requires_grad=True)
    >>> opt = lsq.LevenbergMarquardt([p])
    >>> for _ in range(10):
    ...     step = opt.step(lambda: torch.stack([1 - p[0], 10 * (p[1] - p[0] ** 2)]))
    >>> step.loss < 1e-20
    True
    """

    def __init__(
        self,
        params: Source,
        *,
        damping: str | Damping = "auto",
        scaling: str = "auto",
        acceptance: str = "auto",
        geodesic: bool = False,
        bounds: Any = None,
        max_trials: int = 40,
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
        if isinstance(damping, str) and damping not in ("auto", *DAMPING):
            raise ValueError(f"damping must be 'auto' or one of {sorted(DAMPING)}, got {damping!r}")
        if scaling not in ("auto", "identity", "diagonal"):
            raise ValueError(f"scaling must be 'auto', 'identity' or 'diagonal', got {scaling!r}")
        if acceptance not in ("auto", *ACCEPTANCE):
            raise ValueError(
                f"acceptance must be 'auto' or one of {sorted(ACCEPTANCE)}, got {acceptance!r}"
            )
        if max_trials < 1:
            raise ValueError(f"max_trials must be at least 1, got {max_trials}")
        few = len(self.parameters) <= _RADIUS_PARAMETERS
        self._second_wind = damping == "auto" and few
        # Above 100 parameters, unless batches or labels make the loss no guide uphill.
        self._adventurous = damping == acceptance == "auto" and not few
        if damping == "auto":
            damping = "radius" if few else Marquardt(divide=3.0, multiply=2.0)
        if acceptance == "auto":
            acceptance = "gain" if few else "uphill"
        self.damping = DAMPING[damping]() if isinstance(damping, str) else damping
        if scaling == "auto":
            scaling = "diagonal" if isinstance(self.damping, Radius) else "identity"
        self.scaling, self.geodesic = scaling, geodesic
        self._acceptance = Acceptance(acceptance)
        self.max_trials = int(max_trials)
        self._scale: torch.Tensor | None = None
        self._polish = math.inf
        self._stagnant = 0
        self._last_size = 0.0
        self._extrapolation = Extrapolation()
        self._valley = Valley()
        self._seen: Objective | None = None

    @property
    def acceptance(self) -> str:
        """The rule in force: "gain", "descent" or "uphill"."""
        return self._acceptance.rule

    def step(self, residuals: object) -> Step:
        """Linearise once, then try steps until one is accepted.

        Parameters
        ----------
        residuals : callable, Residual, or list of these
            A callable without arguments returns a tensor or a list of tensors.

        Raises
        ------
        ValueError
            Where the residuals are not finite at the present parameters, or of the wrong form.
        """
        objective = self.objective(residuals)
        if self._seen is not None and self._seen is not objective and _has_data(residuals):
            # Other data: losses and directions of the last do not compare.
            self._acceptance.forget()
            self._valley = Valley()
            self._settle()
        self._seen = objective
        if any(term.criterion.labelled for term in objective.residuals):
            self._settle()
        self._start(objective)
        x = self.parameters.read()
        now = self.linearize(objective)
        gradient = now.system.gradient
        if not bool(torch.isfinite(gradient).all()):
            return self._report(now, None, 0, LsqStatus.nonfinite)
        self._acceptance.best_loss = min(self._acceptance.best_loss, now.loss)
        free = None if self.bounds is None else self.bounds.free(x, gradient)
        moving = gradient if free is None else gradient[free]
        if not moving.numel() or float(moving.abs().max()) == 0.0:
            return self._report(now, None, 0, LsqStatus.gradient)
        self._update_scale(now, x)
        return self._try(objective, now, x, free)

    def _settle(self) -> None:
        """From the default for networks on all data to Nielsen's rule without uphill steps."""
        if self._adventurous:
            self._adventurous, self._acceptance.rule = False, "gain"
            self.damping = Nielsen(value=self.damping.value)

    def _update_scale(self, now: Linearization, x: torch.Tensor) -> None:
        squares = now.system.column_squares()
        if self.scaling == "diagonal":
            norms = squares.sqrt()
            norms = norms.clamp(min=1e-12 * float(norms.max()) + 1e-300)
            self._scale = norms if self._scale is None else torch.maximum(norms, self._scale)
            squares = squares / self._scale.square()
        length = x if self._scale is None else x * self._scale
        self.damping.start(float(squares.max()), float(length.norm()))

    def _try(
        self, objective: Objective, now: Linearization, x: torch.Tensor, free: torch.Tensor | None
    ) -> Step:
        """Trials with more and more damping."""
        trial: Trial | None = None
        failures = loosened = 0
        extrapolated = self._extrapolated(objective, now, x, free)
        if extrapolated is not None:
            return extrapolated
        for count in range(1, self.max_trials + 1):
            d, predicted, clipped = self._candidate(objective, now, x, free)
            if d is None:
                self.damping.rejected(-math.inf, math.inf)
                continue
            length = float((d if self._scale is None else d * self._scale).norm())
            trial = Trial(d, predicted)
            if clipped and trial.predicted <= _NOISE * now.loss:
                # The bounds turned it: shorter steps become the projected gradient.
                failures += 1
                self.damping.rejected(-math.inf, length)
                continue
            if trial.predicted <= _NOISE * now.loss:
                final = self._undamped(now, x, free)
                if final is None and not failures and loosened < 20:
                    self.damping.loosen()
                    loosened += 1
                    continue
                if final is None and self._second_wind:
                    return self._switch(objective, now, x, free)
                if final is None and failures and self.acceptance == "uphill":
                    self.parameters.write(x)
                    return self._report(now, None, count, LsqStatus.rounding, trial)
                return self._finish(objective, now, x, free, trial, count, final)
            self._polish, self._stagnant = math.inf, 0
            self.parameters.write(x + d)
            trial.loss = self.evaluate(objective)
            if self._acceptance.accepts(trial, now.loss):
                done = self._wandered(now, trial.loss)
                self.damping.accepted(trial.ratio(now.loss), length)
                self._acceptance.last_step, self._last_size = d, _relative(d, x)
                return self._report(now, trial, count, done)
            failures += 1
            self.damping.rejected(trial.ratio(now.loss), length)
            if _relative(d, x) <= _EPS:
                self.parameters.write(x)
                if self._second_wind:
                    return self._switch(objective, now, x, free)
                return self._report(now, None, count, LsqStatus.step, trial)
        self.parameters.write(x)
        if self._second_wind:
            return self._switch(objective, now, x, free)
        return self._report(now, None, self.max_trials, LsqStatus.stalled, trial)

    def _wandered(self, now: Linearization, loss: float) -> LsqStatus | None:
        """Whether uphill steps have had their time below the rounding of the system."""
        if self.acceptance != "uphill":
            return None
        squares = now.system.column_squares()
        largest = float((squares if self._scale is None else squares / self._scale**2).max())
        rounding = _EPS**2 if isinstance(now.system, TriangularSystem) else _EPS
        undamped = (self.damping.value or 0.0) <= rounding * largest
        return LsqStatus.rounding if self._valley.exhausted(loss, undamped) else None

    def _extrapolated(
        self, objective: Objective, now: Linearization, x: torch.Tensor, free: torch.Tensor | None
    ) -> Step | None:
        """A step by the last undamped ones, where these are short and within the radius."""
        if not isinstance(self.damping, Radius) or self.bounds is not None:
            return None
        shift = self.damping.propose(now.system, self._scale, free)
        d = now.system.solve(0.0, None, free) if shift == 0.0 else None
        if d is None:
            self._extrapolation.clear()
            return None
        self.processes.from_first(d)
        size = _relative(d, x)
        if size > _CLOSE:
            self._extrapolation.clear()
            return None
        better = self._extrapolation.step(x, d)
        trial = Trial(better, self._predicted(now, d))
        if better is d or trial.predicted <= _NOISE * now.loss:
            return None
        self.parameters.write(x + better)
        trial.loss = self.evaluate(objective)
        if self._acceptance.accepts(trial, now.loss):
            self._polish, self._stagnant = math.inf, 0
            self._acceptance.last_step, self._last_size = better, size
            return self._report(now, trial, 1)
        self._extrapolation.clear()
        self.parameters.write(x)
        return None

    def _candidate(
        self, objective: Objective, now: Linearization, x: torch.Tensor, free: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, float, bool]:
        """The step, the reduction that the model promises, and whether bounds cut the step."""
        shift = self.damping.propose(now.system, self._scale, free)
        d = now.system.solve(shift, self._scale, free)
        if d is None:
            return None, 0.0, False
        self.processes.from_first(d)
        d, clipped = self._clip(x, d)
        predicted = self._predicted(now, d)
        # Where rounding decides, a correction by differences is noise.
        if self.geodesic and predicted > 1e-8 * now.loss:
            d = d + acceleration(objective, now, x, d, shift, self._scale, free)
            d = self.processes.from_first(d)
            d, clipped = self._clip(x, d)
        return d, predicted, clipped

    def _clip(self, x: torch.Tensor, d: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """The step within the bounds, and whether that changed it."""
        if self.bounds is None:
            return d, False
        inside = self.bounds.clip(x + d)
        return inside - x, not torch.equal(inside, x + d)

    def _predicted(self, now: Linearization, d: torch.Tensor) -> float:
        """The reduction of |u + B d|^2."""
        return -2 * float(now.system.gradient @ d) - now.system.curvature(d)

    def _undamped(
        self, now: Linearization, x: torch.Tensor, free: torch.Tensor | None
    ) -> Trial | None:
        """The Gauss-Newton step where it, too, promises less than the loss can tell."""
        d = now.system.solve(0.0, None, free)
        if d is None:
            return None
        self.processes.from_first(d)
        d, clipped = self._clip(x, d)
        trial = Trial(d, self._predicted(now, d))
        return trial if not clipped and trial.predicted <= 1e3 * _NOISE * now.loss else None

    def _finish(
        self,
        objective: Objective,
        now: Linearization,
        x: torch.Tensor,
        free: torch.Tensor | None,
        trial: Trial,
        count: int,
        final: Trial | None,
    ) -> Step:
        """Where the loss cannot tell any more: undamped steps as long as they become shorter.

        The parameters are then known to about sqrt(eps) by the loss, but to eps by the gradient.
        """
        if final is not None:
            trial = final
        size = _relative(trial.d, x)
        # Gauss-Newton steps shrink linearly here, slowly where the residuals stay large. What is
        # left after a step is about the step times its ratio to the one before.
        rate = min(size / self._last_size, 0.5) if self._last_size > 0 else 0.5
        self._last_size = size
        self._stagnant = 0 if size < 0.9 * self._polish else self._stagnant + 1
        if self._stagnant >= 2 or size == 0.0:
            return self._report(now, None, count, LsqStatus.step, trial)
        self._polish = min(size, self._polish)
        if final is not None and self.bounds is None:
            trial.d = self._extrapolation.step(x, trial.d)
        self.parameters.write(x + trial.d)
        if size * rate <= _EXACT:
            # What is left is below rounding: nothing that the loss could confirm.
            trial.loss = now.loss
            return self._report(now, trial, count - 1, LsqStatus.step)
        trial.loss = self.evaluate(objective)
        if not trial.loss <= now.loss * (1 + 1e-9):
            self.parameters.write(x)
            return self._report(now, None, count, LsqStatus.step, trial)
        return self._report(now, trial, count)

    def _switch(
        self, objective: Objective, now: Linearization, x: torch.Tensor, free: torch.Tensor | None
    ) -> Step:
        """From a collapsed radius to Nielsen's rule with the identity, once."""
        self._second_wind = False
        self.damping, self.scaling, self._scale = Nielsen(), "identity", None
        self._update_scale(now, x)
        return self._try(objective, now, x, free)

    def _report(
        self,
        now: Linearization,
        taken: Trial | None,
        trials: int,
        status: LsqStatus | None = None,
        last: Trial | None = None,
    ) -> Step:
        last = taken or last
        value = self.damping.value
        return Step(
            loss=now.loss if taken is None else taken.loss,
            previous_loss=now.loss,
            accepted=taken is not None,
            damping=math.nan if value is None else value,
            gain_ratio=math.nan if last is None else last.ratio(now.loss),
            step_norm=0.0 if taken is None else float(taken.d.norm()),
            gradient_norm=2 * float(now.system.gradient.abs().max()),
            trials=trials,
            status=status,
            jacobian=now.methods,
            solver=now.system.name,
        )

    def state_dict(self) -> dict[str, Any]:
        """Damping, scaling and the last step beside the counters."""
        return super().state_dict() | {
            "rule": type(self.damping).__name__,
            "damping": self.damping.state(),
            "scaling": self.scaling,
            "acceptance": self._acceptance.state(),
            "adventurous": self._adventurous,
            "second_wind": self._second_wind,
            "stagnant": self._stagnant,
            "scale": self._scale,
            "polish": self._polish,
            "last_size": self._last_size,
            "valley": self._valley.state(),
            "extrapolated": [self._extrapolation.points, self._extrapolation.steps],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        super().load_state_dict(state)
        rules = {rule.__name__: rule for rule in DAMPING.values()}
        if state["rule"] in rules and state["rule"] != type(self.damping).__name__:
            self.damping = rules[state["rule"]]()
        self.scaling, self._second_wind = state["scaling"], state["second_wind"]
        self._acceptance = Acceptance(**state["acceptance"])
        self._adventurous = state["adventurous"]
        self._stagnant = state["stagnant"]
        for name, value in state["damping"].items():
            setattr(self.damping, name, value)
        self._scale, self._polish = state["scale"], state["polish"]
        self._last_size = state["last_size"]
        self._valley = Valley(**state["valley"])
        self._extrapolation.points, self._extrapolation.steps = map(list, state["extrapolated"])


def _has_data(residuals: object) -> bool:
    """Whether the residuals bring their data: a function may be new and the data the same."""
    terms = residuals if isinstance(residuals, list | tuple) else [residuals]
    return all(isinstance(term, Residual) for term in terms)


def _relative(d: torch.Tensor, x: torch.Tensor) -> float:
    """The largest step of an entry relative to the entry."""
    return float((d.abs() / x.abs().clamp(min=1e-300)).max())
