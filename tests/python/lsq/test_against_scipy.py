"""Evaluations and minima beside scipy.optimize.least_squares on NIST's regressions."""

import numpy as np
import torch
from scipy.optimize import least_squares

from mlpflow import lsq

from .nist import PROBLEMS


def with_scipy(problem, start, method):
    """(evaluations, cost) with an exact Jacobian and SciPy's default tolerances of 1e-8."""
    x, y = problem.data()

    def values(b):
        return torch.stack([*problem.model(x, *b)]) - y

    def residuals(b):
        return values(torch.tensor(b)).numpy()

    def derivatives(b):
        return torch.autograd.functional.jacobian(values, torch.tensor(b)).numpy()

    first = np.array(problem.starts[start], dtype=float)
    with np.errstate(all="ignore"):
        run = least_squares(
            residuals, first, derivatives, method=method, x_scale="jac", max_nfev=300
        )
    return run.nfev, run.cost if run.success else np.inf


# Either needs hundreds of evaluations there: the time is better spent.
SLOW = [("MGH17", 0), ("Bennett5", 0), ("Bennett5", 1), ("MGH09", 0), ("MGH10", 0), ("MGH10", 1)]


def test_no_more_evaluations_than_scipy():
    """To the same tolerance on the loss, at most 1.2 times as many in the median."""
    ratios, worse = {"lm": [], "trf": []}, []
    for problem in PROBLEMS:
        for start in (0, 1):
            if (problem.name, start) in SLOW:
                continue
            model = problem.module(start)
            x, y = problem.data()
            residual = lsq.Residual(lambda x, y, model=model: model(x) - y, x, y)
            ours = lsq.fit(model, residual, loss_tolerance=1e-8)
            cost = 0.5 * len(x) * ours.loss
            for method, collected in ratios.items():
                evaluations, theirs = with_scipy(problem, start, method)
                if np.isfinite(theirs) and theirs <= 1.01 * cost + 1e-20:
                    collected.append((ours.evaluations + 1) / evaluations)
                if cost > 1.0001 * theirs + 1e-18:
                    worse.append((problem.name, start, method, cost, theirs))
    assert not worse
    for method, collected in ratios.items():
        assert np.median(collected) <= 1.2, (method, np.median(collected), sorted(collected))
