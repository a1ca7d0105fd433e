"""The contenders: our integrators, and SciPy's on the engine's gradient and Hessian."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import scipy
from scipy.integrate import solve_ivp

import mlpflow as mf

from .ladder import Method, OutOfTimeError, Run

__all__ = ["our_method", "reference", "scipy_method", "scipy_version"]


def our_method(net: mf.Net, p: np.ndarray, T: float, alg: str) -> Method:
    """`train`'s flow alone."""
    return partial(_our_run, net, p, T, alg)


def _our_run(net: mf.Net, p: np.ndarray, T: float, alg: str, tolerance: float, limit: float) -> Run:
    flow = mf.train(
        net, p, alg=alg, maxT=T, abstol=tolerance, reltol=tolerance, maxtime_ode=limit,
        min_gnorm=0.0, minloss=-1.0, maxiterations_optim=0, n_samples_trajectory=2, progress=False,
    ).flow  # fmt: skip
    if flow.status == "maxtime":
        raise OutOfTimeError
    if flow.status != "maxT":
        raise RuntimeError(flow.message)
    names = "+".join(dict.fromkeys(name for _, name in flow.handovers))
    counts = (
        f"{names}: {flow.accepted}+{flow.rejected} steps, {flow.gradient_evaluations} g, "
        f"{flow.hessian_evaluations} H, {flow.product_evaluations} Hv, {flow.factorizations} LU"
    )
    return Run(np.asarray(flow.params), counts)


def scipy_method(net: mf.Net, p: np.ndarray, T: float, name: str) -> Method:
    """`scipy.integrate.solve_ivp`."""
    return partial(_scipy_run, net, p, T, name)


def _scipy_run(
    net: mf.Net, p: np.ndarray, T: float, name: str, tolerance: float, limit: float
) -> Run:
    deadline = time.monotonic() + limit

    def velocity(_: float, q: np.ndarray) -> np.ndarray:
        if time.monotonic() > deadline:
            raise OutOfTimeError
        return -mf.gradient(net, q)

    implicit = name in ("LSODA", "BDF", "Radau")
    jacobian = {"jac": lambda _, q: -mf.hessian(net, q)} if implicit else {}
    solution = solve_ivp(
        velocity, (0.0, T), p, method=name, rtol=tolerance, atol=tolerance, t_eval=[T], **jacobian
    )
    if not solution.success:
        raise RuntimeError(solution.message)
    counts = f"{solution.nfev} g, {solution.njev} H, {solution.nlu} LU"
    return Run(solution.y[:, -1], counts)


def reference(
    net: mf.Net, p: np.ndarray, T: float, ours: tuple[str, ...]
) -> tuple[np.ndarray, float]:
    """The end point, and how much two methods with tight tolerances differ about it."""
    large = "Rodas5P" not in ours
    first, second = ("RKC3", "DP5") if large else ("Rodas5P", "ESDIRK547L2SA2")
    tolerance = 1e-9 if net.nparams > 300 else 1e-11
    ends = [_our_run(net, p, T, alg, tolerance, 600.0).end for alg in (first, second)]
    return ends[0], float(np.linalg.norm(ends[1] - ends[0]) / np.linalg.norm(ends[0]))


def scipy_version() -> str:
    """For the head of the report."""
    return f"SciPy {scipy.__version__}"
