"""The keywords of `train`: their defaults, once, and their checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_number, as_truth, as_whole, check_finite, shown
from ._hints import did_you_mean
from .checkpoint import checked_path
from .params import Params, checked_vector
from .progress import Progress
from .rules import RULES, Rule, rule_named
from .solvers import Solver, checked_solver, describe_solver

__all__ = ["ALGORITHMS", "TrainOptions"]

ALGORITHMS = (
    "auto", "DP5", "DOP853", "RKC2", "RKC3", "Rodas5P", "ESDIRK547L2SA2", "NewtonKrylov",
)  # fmt: skip
# What the engine's integers can hold.
_UNLIMITED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The keywords of `train`.

    Attributes
    ----------
    alg : str or Rule
        Integrator of the gradient flow: ``"DP5"`` and ``"DOP853"`` (explicit, of order 5 and 8),
        ``"RKC2"`` and ``"RKC3"`` (explicit and stabilized), ``"Rodas5P"`` and ``"ESDIRK547L2SA2"``
        (implicit, with the exact Hessian), ``"NewtonKrylov"`` (implicit, without it) or ``"auto"``.
        Or a discrete dynamics: `GradientDescent`, `HeavyBall`, `Nesterov`, `Adam`, `AdamW`,
        `RMSprop`; its time is the sum of its learning rates. The name of a rule stands for its
        defaults.
    maxT : float
        Time to follow the flow.
    abstol, reltol : float
        Accuracy of the flow: the error of a parameter p stays below max(abstol, reltol |p|).
    maxtime_ode, maxiterations_ode : float, int
        Budget of the flow in seconds and steps; 0 leaves the flow out.
    maxevaluations_ode : int
        Budget of the flow in gradients, Hessians and products of a Hessian with a vector.
    n_samples_trajectory : int
        About so many points of the flow are kept.
    batchsize : int, optional
        Samples a step of a rule; None: all. A flow uses all samples.
    batchseed : int
        Of the order of the samples.
    replacement : bool
        Each step draws its samples, instead of each epoch using every sample once.
    tauinv : float, Params or array of shape (P,), optional
        Inverse time scales: dp/dt = -tauinv grad L. 0 freezes a parameter, in the optimizer too.
    maxnorm : float
        See `loss`.
    merge : (layer, (i, j), strength), optional
        See `loss`.
    optim_solver : str, LevenbergMarquardt or GaussNewton
        ``"newton"`` (trust region), ``"newton_cg"`` (the same from products, for many parameters),
        ``"levenberg_marquardt"``, ``"gauss_newton"`` (dogleg), ``"bfgs"``, ``"lbfgs"`` or
        ``"auto"``.
    maxtime_optim, maxiterations_optim : float, int
        Budget of the optimizer in seconds and iterations; 0 leaves the optimizer out.
    min_gnorm : float
        A run has converged when the infinity norm of the gradient is at most this.
    minloss : float
        A run has converged when the loss is at most this.
    patience : int
        Iterations of the optimizer without improvement after which it ends.
    checkpoint : path, optional
        A file to which the state of the run is written now and then, atomically.
    checkpoint_interval : float
        Seconds between two checkpoints; 0 for one after every step. There is also one at the end of
        the flow and of the run.
    resume : path or bool, optional
        A checkpoint to go on from. True: from ``checkpoint`` if that file exists.
    verbosity : int
        0 shows nothing.
    progress : bool or callable, optional
        True or False: a progress bar or none. None: a bar in a terminal or notebook. A function
        takes a `Progress` about ten times a second.
    callback : callable, optional
        Takes a `Progress` with ``.params`` after every step; returning True ends the run.
    """

    alg: str | Rule = "auto"
    maxT: float = np.inf
    abstol: float = 1e-6
    reltol: float = 1e-6
    maxtime_ode: float = 180.0
    maxiterations_ode: int = 10**6
    maxevaluations_ode: int = _UNLIMITED
    n_samples_trajectory: int = 100
    batchsize: int | None = None
    batchseed: int = 0
    replacement: bool = False
    tauinv: Any = None
    maxnorm: float = np.inf
    merge: Any = None
    optim_solver: Solver = "auto"
    maxtime_optim: float = 120.0
    maxiterations_optim: int = 10**5
    min_gnorm: float = 1e-15
    minloss: float = 2e-32
    patience: int = 10**6
    checkpoint: Any = None
    checkpoint_interval: float = 60.0
    resume: Any = None
    verbosity: int = 1
    progress: bool | Callable[[Progress], object] | None = None
    callback: Callable[[Progress], object] | None = None

    @classmethod
    def from_keywords(cls, keywords: dict[str, Any]) -> TrainOptions:
        """Options from keywords; an unknown one is a TypeError with "did you mean"."""
        names = [field.name for field in dataclasses.fields(cls)]
        for name in keywords:
            if name not in names:
                raise TypeError(
                    f"train: unexpected keyword {name!r}{_hint(name, names)}; expected some of "
                    f"{', '.join(names)}"
                )
        return cls(**keywords)

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(getattr(self, name), name))
        if self.batchsize is not None and not isinstance(self.alg, Rule):
            raise ValueError(
                f"batchsize: expected None with alg={self.alg!r}, because a gradient flow uses all "
                f"samples; alg=mlpflow.Adam() does not; got {self.batchsize}"
            )

    def for_engine(self, shapes: Any) -> dict[str, Any]:
        """The keywords that Julia's `run_training` takes."""
        options = {name: getattr(self, name) for name in _ENGINE_NAMES}
        if isinstance(self.alg, Rule):
            options["alg"] = self.alg.for_engine()
        options["optim_solver"] = describe_solver(self.optim_solver)
        options["tauinv"] = checked_tauinv(self.tauinv, shapes)
        return options

    def to_dict(self) -> dict[str, Any]:
        """Names and values, without the functions."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["callback"] = None
        if callable(values["progress"]):
            values["progress"] = None
        return values


def _hint(name: str, names: list[str]) -> str:
    if name == "losstype":
        return "; losstype belongs to mlpflow.Net"
    return did_you_mean(name, names)


def _one_of(choices: tuple[str, ...]) -> Callable[[Any, str], str]:
    def check(value: Any, name: str) -> str:
        if isinstance(value, str) and value in choices:
            return value
        raise ValueError(
            f"{name}: expected one of {', '.join(choices)}, got {shown(value)}"
            f"{did_you_mean(str(value), choices)}"
        )

    return check


def _dynamics(value: Any, name: str) -> str | Rule:
    if isinstance(value, Rule):
        return value
    if isinstance(value, str) and value in RULES:
        return rule_named(value)
    return _one_of((*ALGORITHMS, *RULES))(value, name)


def _not_negative(value: Any, name: str) -> float:
    return as_number(value, name, low=0.0)


def _positive(value: Any, name: str) -> float:
    number = as_number(value, name, low=0.0, strict=True)
    if number == np.inf:
        raise ValueError(f"{name}: expected a finite number, got inf")
    return number


def _count(value: Any, name: str) -> int:
    if isinstance(value, float) and value == np.inf:
        return _UNLIMITED
    return as_whole(value, name)


def _samples(value: Any, name: str) -> int:
    return as_whole(value, name, low=2)


def _batchsize(value: Any, name: str) -> int | None:
    return None if value is None else as_whole(value, name, low=1)


def _seed(value: Any, name: str) -> int:
    number = as_whole(value, name)
    if number >= 2**63:
        raise ValueError(f"{name}: expected a number below 2**63, got {shown(value)}")
    return number


def _function(value: Any, name: str) -> Any:
    if value is None or callable(value):
        return value
    raise TypeError(f"{name}: expected a function or None, got {shown(value)}")


def _resume(value: Any, name: str) -> str | bool | None:
    return value if isinstance(value, bool) else checked_path(value, name)


def _progress(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool) or callable(value):
        return value
    raise TypeError(f"{name}: expected True, False, None or a function, got {shown(value)}")


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "alg": _dynamics,
    "maxT": _not_negative,
    "abstol": _positive,
    "reltol": _positive,
    "maxtime_ode": _not_negative,
    "maxiterations_ode": _count,
    "maxevaluations_ode": _count,
    "n_samples_trajectory": _samples,
    "batchsize": _batchsize,
    "batchseed": _seed,
    "replacement": as_truth,
    "maxnorm": _not_negative,
    "optim_solver": checked_solver,
    "maxtime_optim": _not_negative,
    "maxiterations_optim": _count,
    "min_gnorm": _not_negative,
    "minloss": as_number,
    "patience": _count,
    "checkpoint": checked_path,
    "checkpoint_interval": _not_negative,
    "resume": _resume,
    "verbosity": as_whole,
    "progress": _progress,
    "callback": _function,
}

_ENGINE_NAMES = (
    "alg", "maxT", "abstol", "reltol", "maxtime_ode", "maxiterations_ode", "maxevaluations_ode",
    "n_samples_trajectory", "batchsize", "batchseed", "replacement", "optim_solver",
    "maxtime_optim", "maxiterations_optim", "min_gnorm", "minloss", "patience",
)  # fmt: skip


def checked_tauinv(tauinv: Any, shapes: Any) -> Any:
    if tauinv is None:
        return None
    if isinstance(tauinv, Params) or np.ndim(tauinv) > 0:
        array = checked_vector(tauinv, shapes, "tauinv")
        check_finite(array, "tauinv")
        if (array < 0).any():
            raise ValueError(f"tauinv: expected numbers >= 0, got {array.min()}")
        return array
    number = _not_negative(tauinv, "tauinv")
    if number == np.inf:
        raise ValueError("tauinv: expected a finite number, got inf")
    return number
