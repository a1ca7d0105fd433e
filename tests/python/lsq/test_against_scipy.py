"""Evaluations and minima beside scipy.optimize.least_squares on NIST's regressions."""

import warnings

import numpy as np
import torch
from scipy.optimize import least_squares

from mlpflow import lsq

from .nist import PROBLEMS


def with_scipy(problem, start, method):
    """(evaluations, cost) with an exact Jacobian and SciPy's default tolerances of 1e-8."""
    x, y = problem.data()

    def values(b):
        return problem.model(x, *b) - y

    def residuals(b):
        return values(torch.tensor(b)).numpy()

    def derivatives(b):
        with warnings.catch_warnings():  # PyTorch's own, at the first use
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.func.jacfwd(values)(torch.tensor(b)).numpy()

    first = np.array(problem.starts[start], dtype=float)
    with np.errstate(all="ignore"):
        run = least_squares(
            residuals, first, derivatives, method=method, x_scale="jac", max_nfev=300
        )
    return run.nfev, run.cost if run.success else np.inf


# Either needs hundreds of evaluations there: the time is better spent.
SLOW = [("MGH17", 0), ("Bennett5", 0), ("Bennett5", 1), ("MGH09", 0), ("MGH10", 0), ("MGH10", 1)]


def with_ours(problem, start, **options):
    model = problem.module(start)
    x, y = problem.data()
    residual = lsq.Residual(lambda x, y: model(x) - y, x, y)
    result = lsq.fit(model, residual, **options)
    return result.evaluations + 1, 0.5 * len(x) * result.loss


def test_no_more_evaluations_than_scipy():
    """At most 1.2 times as many in the median: to SciPy's tolerance, and to our last digit."""
    settings = {"equal tolerances": {"loss_tolerance": 1e-8}, "own defaults": {}}
    ratios, worse = {}, []
    for problem in PROBLEMS:
        for start in (0, 1):
            if (problem.name, start) in SLOW:
                continue
            runs = {name: with_ours(problem, start, **settings[name]) for name in settings}
            for method in ("lm", "trf"):
                evaluations, theirs = with_scipy(problem, start, method)
                for name, (count, ours) in runs.items():
                    if np.isfinite(theirs) and theirs <= 1.01 * ours + 1e-20:
                        ratios.setdefault((name, method), []).append(count / evaluations)
                    if ours > 1.0001 * theirs + 1e-18:
                        worse.append((problem.name, start, method, name, ours, theirs))
    assert not worse
    for case, found in ratios.items():
        assert len(found) >= 40
        assert np.median(found) <= 1.2, (case, np.median(found), sorted(found))
