"""Evaluations beside scipy.optimize.least_squares, on the problems of the tests."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from mlpflow import lsq

from ..report import table

__all__ = ["evaluations"]

FOLDER = Path(__file__).parents[2] / "tests" / "python" / "lsq"
METHODS = ("lm", "trf")


def _tests() -> tuple[list, list, Callable]:
    """The problems, those that take too long, and SciPy's run, from the tests' folder."""
    spec = importlib.util.spec_from_file_location(
        "lsq_tests", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None
    sys.modules["lsq_tests"] = importlib.util.module_from_spec(spec)
    module = importlib.import_module("lsq_tests.test_against_scipy")
    return module.PROBLEMS, module.SLOW, module.with_scipy


def evaluations(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return _evaluations(quick, say)
    finally:
        torch.set_default_dtype(dtype)


def _evaluations(quick: bool, say: Callable[[str], None]) -> str:
    problems, slow, with_scipy = _tests()
    rows: list[list[str]] = []
    ratios: dict[str, list[float]] = {method: [] for method in METHODS}
    for problem in problems[:6] if quick else problems:
        for start in (0, 1):
            if (problem.name, start) in slow:
                continue
            model = problem.module(start)
            x, y = problem.data()
            residual = lsq.Residual(lambda x, y, model=model: model(x) - y, x, y)
            ours = lsq.fit(model, residual, loss_tolerance=1e-8)
            count, cost = ours.evaluations + 1, 0.5 * len(x) * ours.loss
            cells = []
            for method in METHODS:
                theirs, end = with_scipy(problem, start, method)
                if np.isfinite(end) and end <= 1.01 * cost + 1e-20:
                    ratios[method].append(count / theirs)
                    cells.append(str(theirs))
                else:
                    cells.append("no minimum" if not np.isfinite(end) else f"{theirs}, higher")
            rows.append([f"{problem.name}, {start + 1}", str(count), *cells])
    say(f"evaluations: {len(rows)} runs")
    summary = [
        f"- mlpflow / {method}: median {median(found):.2f} of {len(found)} runs that end at the "
        "same minimum (required: at most 1.2)"
        for method, found in ratios.items()
    ]
    skipped = ", ".join(f"{name} {start + 1}" for name, start in slow)
    return "\n\n".join(
        [
            "NIST's nonlinear regressions from both starts, to a relative reduction of 1e-8 a step "
            "(SciPy: its defaults, exact Jacobian, `x_scale='jac'`). Left out, for either needs "
            f"hundreds of evaluations: {skipped}.",
            "\n".join(summary),
            table(["problem, start", "mlpflow", *METHODS], rows),
        ]
    )
