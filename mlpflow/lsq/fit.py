"""One call from a model and data, or residuals, to a fitted model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .._hints import did_you_mean
from .criteria import Robust
from .data_terms import Loss, data_residuals, model_function
from .gauss_newton import GaussNewton
from .history import History
from .levenberg_marquardt import LevenbergMarquardt
from .loaders import batch_tensors
from .objective import Objective
from .optimizer import LeastSquaresOptimizer, Step
from .residuals import Residual
from .result import FitResult
from .status import LsqStatus
from .truncated import TruncatedGaussNewton

__all__ = ["OPTIMIZERS", "fit"]

OPTIMIZERS: dict[str, type[LeastSquaresOptimizer]] = {
    "levenberg_marquardt": LevenbergMarquardt,
    "gauss_newton": GaussNewton,
    "truncated": TruncatedGaussNewton,
}


@dataclass(frozen=True)
class Stopping:
    """When a run ends, beside the optimizer's own convergence."""

    max_steps: int
    max_time: float
    minloss: float
    gradient_tolerance: float
    loss_tolerance: float
    patience: int | None

    def __post_init__(self) -> None:
        if self.max_steps < 0:
            raise ValueError(f"max_steps must be >= 0, got {self.max_steps}")
        for name in ("max_time", "minloss", "gradient_tolerance", "loss_tolerance"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be at least 1, got {self.patience}")

    def after(self, step: Step, steps: int, seconds: float, since_best: int) -> LsqStatus | None:
        if step.loss <= self.minloss:
            return LsqStatus.minloss
        if step.gradient_norm <= self.gradient_tolerance:
            return LsqStatus.gradient
        gained = step.previous_loss - step.loss
        if step.accepted and 0 <= gained < self.loss_tolerance * step.previous_loss:
            return LsqStatus.loss
        if self.patience is not None and since_best >= self.patience:
            return LsqStatus.patience
        if seconds >= self.max_time:
            return LsqStatus.max_time
        return LsqStatus.max_steps if steps >= self.max_steps else None


def fit(
    model: torch.nn.Module | Any,
    data: Any,
    *,
    loss: Loss = "squares",
    optimizer: str | LeastSquaresOptimizer = "levenberg_marquardt",
    validation: Any = None,
    robust: str | Robust = "linear",
    robust_scale: float = 1.0,
    max_steps: int = 1000,
    max_time: float = math.inf,
    minloss: float = 0.0,
    gradient_tolerance: float = 0.0,
    loss_tolerance: float = 0.0,
    patience: int | None = None,
    minibatch: bool = False,
    progress: bool = False,
    callback: Callable[[int, Step], object] | None = None,
    snapshots: str | Path | None = None,
    snapshot_every: int = 100,
    resume: str | Path | None = None,
    **options: Any,
) -> FitResult:
    """Minimise the mean squared residuals of a model; the best parameters stay in the model.

    Parameters
    ----------
    model : Module, or a list or dict of tensors
        A list or dict goes with residual functions only.
    data : callable, Residual, list of these, (*inputs, targets), or loader of such batches
        A loader that is iterated whole at every evaluation, unless ``minibatch``.
    loss : {"squares", "softmax_squares", "cross_entropy"} or callable, default "squares"
        Of outputs and targets; a callable returns residuals, one row a sample.
    optimizer : {"levenberg_marquardt", "gauss_newton", "truncated"} or an optimizer
    validation : like data, optional
        "Best" is then the lowest validation loss.
    robust, robust_scale
        As in `Residual`.
    max_steps : int, default 1000
    max_time : float, default inf
        Seconds.
    minloss, gradient_tolerance, loss_tolerance : float, default 0.0
        Stop at this loss; largest entry of its gradient; relative reduction a step.
    patience : int, optional
        Stop after so many steps without a new best.
    minibatch : bool, default False
        One step on each batch of the loader in turn; the history holds the batches' losses.
    progress : bool, default False
        A tqdm bar.
    callback : callable(step_number, Step), optional
        Stops the run by returning true.
    snapshots : path, optional
        A folder for ``step_000100.pt``, every `snapshot_every` steps.
    resume : path, optional
        A snapshot to go on from.
    **options
        Of the optimizer: ``damping``, ``bounds``, ``solver``, ``jacobian``, ``memory`` and others.

    Returns
    -------
    FitResult

    Raises
    ------
    ValueError, TypeError
        For bad data or options, before the first step.

    Examples
    --------
    >>> import torch
    >>> from mlpflow import lsq
    >>> _ = torch.manual_seed(0)
    >>> x = torch.linspace(-1, 1, 50, dtype=torch.float64).reshape(-1, 1)
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(1, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)).double()
    >>> result = lsq.fit(model, (x, torch.sin(3 * x)), max_steps=50)
    >>> result.loss < 1e-6
    True
    """
    stopping = Stopping(max_steps, max_time, minloss, gradient_tolerance, loss_tolerance, patience)
    opt = _optimizer(model, optimizer, options)
    module = model if isinstance(model, torch.nn.Module) else None
    if minibatch:
        source: Any = _Minibatches(module, data, loss, opt)
    else:
        source = _Whole(data_residuals(module, data, loss, robust, robust_scale))
    check = None
    if validation is not None:
        terms = data_residuals(module, validation, loss, robust, robust_scale)
        check = Objective(opt.parameters, terms, memory=opt.memory, processes=opt.processes)
    run = _Run(opt, source, stopping, check)
    if resume is not None:
        run.restore(resume)
    folder = None if snapshots is None else Path(snapshots)
    return run.go(callback, progress, folder, snapshot_every)


def _optimizer(
    model: Any, optimizer: str | LeastSquaresOptimizer, options: dict[str, Any]
) -> LeastSquaresOptimizer:
    if isinstance(optimizer, LeastSquaresOptimizer):
        if options:
            raise TypeError(f"options {sorted(options)} belong to the optimizer: give them to it")
        return optimizer
    if optimizer not in OPTIMIZERS:
        hint = did_you_mean(str(optimizer), OPTIMIZERS)
        raise ValueError(f"optimizer must be one of {sorted(OPTIMIZERS)}, got {optimizer!r}{hint}")
    kind = OPTIMIZERS[optimizer]
    code = kind.__init__.__code__
    known = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"self", "params"}
    for name in options:
        if name not in known:
            raise TypeError(f"{optimizer} has no option {name!r}{did_you_mean(name, known)}")
    return kind(model, **options)


class _Whole:
    """All data at every step."""

    minibatch = False

    def __init__(self, residuals: list[Residual]) -> None:
        self.residuals = residuals

    def next(self) -> list[Residual]:
        return self.residuals


class _Minibatches:
    """The next batch at every step, around the loader again and again."""

    minibatch = True

    def __init__(
        self, model: torch.nn.Module | None, loader: Any, loss: Loss, opt: LeastSquaresOptimizer
    ) -> None:
        if model is None:
            raise TypeError("minibatch needs a module and a loader")
        if isinstance(loader, tuple | Residual) or not hasattr(loader, "__iter__"):
            raise TypeError(f"minibatch needs a loader of batches, got {type(loader).__name__}")
        self.function = model_function(model, loss)
        self.labelled = loss == "cross_entropy"
        self.loader, self.device = loader, opt.parameters.device
        self._batches = iter(loader)

    def next(self) -> list[Residual]:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self.loader)
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError("the loader gave no batch")
        criterion = "cross_entropy" if self.labelled else "squares"
        tensors = batch_tensors(batch, self.device)
        return [Residual(self.function, *tensors, criterion=criterion, name="batch")]


class _Run:
    """The loop: steps, history, the best parameters."""

    def __init__(
        self,
        opt: LeastSquaresOptimizer,
        source: _Whole | _Minibatches,
        stopping: Stopping,
        check: Objective | None,
    ) -> None:
        self.opt, self.source, self.stopping, self.check = opt, source, stopping, check
        self.history = History()
        self.best = opt.parameters.read()
        self.best_loss = math.inf
        self.best_check = math.inf
        self.best_step = 0
        self.steps = 0
        self.last: Step | None = None

    def go(
        self,
        callback: Callable[[int, Step], object] | None,
        progress: bool,
        folder: Path | None,
        every: int,
    ) -> FitResult:
        start = time.perf_counter()
        before = self.history.time[-1] if len(self.history) else 0.0
        bar = _bar(self.stopping.max_steps) if progress else None
        status: LsqStatus | None = None
        if self.check is not None and not len(self.history):
            self.best_check = self.check.loss()
        try:
            while status is None:
                if self.steps >= self.stopping.max_steps:
                    status = LsqStatus.max_steps
                    break
                began = time.perf_counter()
                step = self.opt.step(self.source.next())
                now = time.perf_counter()
                self._record(step, now - began, before + now - start)
                status = self._status(step, before + now - start)
                if callback is not None and callback(self.steps, step):
                    status = status or LsqStatus.callback
                if bar is not None:
                    bar.update(1)
                    bar.set_postfix(loss=f"{step.loss:.3e}", damping=f"{step.damping:.1e}")
                if folder is not None and (status is not None or self.steps % every == 0):
                    self.save(folder)
        except KeyboardInterrupt:
            status = LsqStatus.interrupted
        finally:
            if bar is not None:
                bar.close()
            self.opt.parameters.write(self.best)
        return self._result(status, time.perf_counter() - start)

    def _record(self, step: Step, seconds: float, total: float) -> None:
        self.last = step
        history = self.history
        if not len(history):
            history.start_loss = step.previous_loss
            self.best_loss = step.previous_loss
        self.steps += 1
        history.loss.append(step.loss)
        history.damping.append(step.damping)
        history.gain_ratio.append(step.gain_ratio)
        history.step_norm.append(step.step_norm)
        history.gradient_norm.append(step.gradient_norm)
        history.trials.append(step.trials)
        history.step_time.append(seconds)
        history.time.append(total)
        if self.check is not None:
            value = self.check.loss()
            history.validation_loss.append(value)
            better = value < self.best_check
        else:
            # In the finish the loss wavers by rounding while the parameters still become better.
            better = step.accepted and step.loss <= self.best_loss * (1 + 1e-9)
        if self.source.minibatch and self.check is None:
            better = True  # losses of different batches do not compare: the last parameters count
        if better:
            self.best, self.best_step = self.opt.parameters.read(), self.steps
            self.best_loss = min(self.best_loss, step.loss) if self.check is None else step.loss
            if self.check is not None:
                self.best_check = value

    def _status(self, step: Step, seconds: float) -> LsqStatus | None:
        since = self.steps - self.best_step
        stop = self.stopping.after(step, self.steps, seconds, since)
        if self.source.minibatch:
            # One batch's minimum is not the data's.
            return stop if stop in _MINIBATCH_STOPS else None
        return step.status or stop

    def _result(self, status: LsqStatus, seconds: float) -> FitResult:
        opt, last = self.opt, self.last
        objective = None if self.source.minibatch else opt._objective
        return FitResult(
            status=status,
            loss=self.best_loss,
            validation_loss=None if self.check is None else self.best_check,
            best_step=self.best_step,
            steps=self.steps,
            evaluations=opt.evaluations,
            linearizations=opt.linearizations,
            time=seconds,
            history=self.history,
            jacobian={} if last is None else last.jacobian,
            solver="" if last is None else last.solver,
            parameters=self.best,
            _objective=objective,
        )

    def save(self, folder: Path) -> Path:
        """A snapshot that `restore` reads; written beside its place, then moved there."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"step_{self.steps:06d}.pt"
        state = {
            "parameters": self.opt.parameters.read(),
            "best": self.best,
            "best_loss": self.best_loss,
            "best_check": self.best_check,
            "best_step": self.best_step,
            "steps": self.steps,
            "optimizer": self.opt.state_dict(),
            "history": self.history.to_dict(),
        }
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(path)
        return path

    def restore(self, path: str | Path) -> None:
        state = torch.load(path, weights_only=True)
        if len(state["parameters"]) != len(self.opt.parameters):
            raise ValueError(
                f"{path} holds {len(state['parameters'])} parameters, the model has "
                f"{len(self.opt.parameters)}"
            )
        device = self.opt.parameters.device
        self.opt.parameters.write(state["parameters"].to(device))
        self.best = state["best"].to(device)
        self.best_loss, self.best_check = state["best_loss"], state["best_check"]
        self.best_step, self.steps = state["best_step"], state["steps"]
        self.opt.load_state_dict(state["optimizer"])
        self.history = History.from_dict(state["history"])


_MINIBATCH_STOPS = (
    LsqStatus.max_steps,
    LsqStatus.max_time,
    LsqStatus.patience,
    LsqStatus.minloss,
)


def _bar(total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="step")
