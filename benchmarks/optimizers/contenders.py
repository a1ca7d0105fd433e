"""Our optimizers, and SciPy's on the engine's own derivatives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy
from scipy.optimize import least_squares, minimize

import mlpflow as mf

__all__ = ["OURS", "PEERS", "Arrival", "contenders", "run", "scipy_version"]

OURS = ("auto", "levenberg_marquardt", "gauss_newton", "newton", "newton_cg", "bfgs")
PEERS = ("BFGS", "L-BFGS-B", "trust-exact", "trust-ncg", "least_squares lm", "least_squares trf")

# The engine's `minloss` for none, SciPy's budgets.
_UNLIMITED = 10**9


@dataclass(frozen=True)
class Arrival:
    """Where one run ended.

    Attributes
    ----------
    gnorm : float
        Infinity norm of the gradient there, by the engine.
    loss : float
    seconds : float
    evaluations : int
        Gradients, Hessians, Jacobians and products.
    why : str
        What the optimizer said.
    """

    gnorm: float
    loss: float
    seconds: float
    evaluations: int
    why: str


Contender = Callable[[mf.Net, np.ndarray, float, float], tuple[np.ndarray, int, str]]


class _EndError(Exception):
    """The point is good enough, or the time is over."""


class _Watch:
    """The engine's derivatives for a peer: counts, and ends the run as soon as it may end.

    A peer need not notice itself that it has arrived: the first gradient that is small enough, at
    whatever point it is asked for, ends its run. The point with the least gradient counts.
    """

    def __init__(self, net: mf.Net, target: float, limit: float) -> None:
        self.net, self.target = net, target
        self.deadline = time.monotonic() + limit
        self.evaluations = 0
        self.best, self.gnorm = None, np.inf
        self.scale = np.sqrt(1.0 / len(net.inputs))

    def _see(self, x: np.ndarray, gradient: np.ndarray) -> None:
        norm = float(np.abs(gradient).max())
        if norm < self.gnorm:
            self.gnorm, self.best = norm, x.copy()
        if norm <= self.target:
            raise _EndError("gradient tolerance")
        if time.monotonic() > self.deadline:
            raise _EndError("out of time")

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.evaluations += 1
        value, gradient = mf.value_and_gradient(self.net, x)
        self._see(x, gradient.flat)
        return value, gradient.flat

    def hessian(self, x: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        return mf.hessian(self.net, x)

    # Residuals over sqrt(N): least_squares minimises half their sum of squares, half the loss.
    def residuals(self, x: np.ndarray) -> np.ndarray:
        self.r = self.scale * mf.residuals(self.net, x).ravel()
        self.at = x.copy()
        return self.r

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        J = self.scale * mf.jacobian(self.net, x).reshape(-1, len(x))
        r = self.r if np.array_equal(self.at, x) else self.residuals(x)
        self._see(x, 2 * J.T @ r)
        return J


def contenders() -> dict[str, Contender]:
    """By name."""
    ours = {f"mlpflow {solver}": partial(_ours, solver) for solver in OURS}
    return ours | {f"SciPy {method}": partial(_peer, method) for method in PEERS}


def run(contender: Contender, net: mf.Net, p: np.ndarray, target: float, limit: float) -> Arrival:
    """One run, timed as a user sees it."""
    start = time.perf_counter()
    x, evaluations, why = contender(net, p, target, limit)
    seconds = time.perf_counter() - start
    gradient = np.asarray(mf.gradient(net, x))
    return Arrival(float(np.abs(gradient).max()), mf.loss(net, x), seconds, evaluations, why)


def _ours(
    solver: str, net: mf.Net, p: np.ndarray, target: float, limit: float
) -> tuple[np.ndarray, int, str]:
    optim = mf.train(
        net, p, maxtime_ode=0, optim_solver=solver, maxtime_optim=limit, min_gnorm=target,
        minloss=-1.0, maxiterations_optim=_UNLIMITED, progress=False,
    ).optim  # fmt: skip
    evaluations = optim.gradient_evaluations + optim.hessian_evaluations + optim.product_evaluations
    return np.asarray(optim.params), evaluations, str(optim.status)


def _peer(
    method: str, net: mf.Net, p: np.ndarray, target: float, limit: float
) -> tuple[np.ndarray, int, str]:
    watch = _Watch(net, target, limit)
    try:
        why = _SEARCHES[method.split()[0]](method, watch, p)
    except _EndError as end:
        why = str(end)
    return (p if watch.best is None else watch.best), watch.evaluations, why


# Every tolerance of a peer's own is off: it goes on for as long as it finds steps.
_OPTIONS: dict[str, dict[str, Any]] = {
    "BFGS": {"gtol": 0.0, "maxiter": _UNLIMITED},
    "L-BFGS-B": {
        "gtol": 0.0, "ftol": 0.0, "maxcor": 20, "maxiter": _UNLIMITED, "maxfun": _UNLIMITED
    },
    "trust-exact": {"gtol": 0.0, "maxiter": 10**6},
    "trust-ncg": {"gtol": 0.0, "maxiter": 10**6},
}  # fmt: skip


def _minimize(method: str, watch: _Watch, p: np.ndarray) -> str:
    second = {"hess": watch.hessian} if method.startswith("trust") else {}
    found = minimize(
        watch.value_and_gradient, p, jac=True, method=method, options=_OPTIONS[method], **second
    )
    return str(found.message)


def _least_squares(method: str, watch: _Watch, p: np.ndarray) -> str:
    eps = np.finfo(float).eps
    found = least_squares(
        watch.residuals, p, jac=watch.jacobian, method=method.split()[1],
        xtol=eps, ftol=eps, gtol=eps, max_nfev=10**6,
    )  # fmt: skip
    return str(found.message)


_SEARCHES: dict[str, Callable[[str, _Watch, np.ndarray], str]] = {
    "least_squares": _least_squares,
    **dict.fromkeys(_OPTIONS, _minimize),
}


def scipy_version() -> str:
    """For the head of the report."""
    return f"SciPy {scipy.__version__}"
