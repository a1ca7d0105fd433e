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

from ..report import table

__all__ = ["evaluations"]

FOLDER = Path(__file__).parents[2] / "tests" / "python" / "lsq"
METHODS = ("lm", "trf")


def _tests() -> tuple[list, list, Callable, Callable]:
    """The problems, those that take too long, SciPy's run and ours, from the tests' folder."""
    spec = importlib.util.spec_from_file_location(
        "lsq_tests", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None
    sys.modules["lsq_tests"] = importlib.util.module_from_spec(spec)
    module = importlib.import_module("lsq_tests.test_against_scipy")
    return module.PROBLEMS, module.SLOW, module.with_scipy, module.with_ours


def evaluations(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return _evaluations(quick, say)
    finally:
        torch.set_default_dtype(dtype)


# By their heading: SciPy's tolerance, and full precision.
SETTINGS = {"equal tolerances": {"loss_tolerance": 1e-8}, "own defaults": {}}


def _evaluations(quick: bool, say: Callable[[str], None]) -> str:
    problems, slow, with_scipy, with_ours = _tests()
    rows: list[list[str]] = []
    ratios: dict[tuple[str, str], list[float]] = {}
    for problem in problems[:6] if quick else problems:
        for start in (0, 1):
            if (problem.name, start) in slow:
                continue
            runs = {name: with_ours(problem, start, **SETTINGS[name]) for name in SETTINGS}
            cells = [str(count) for count, _ in runs.values()]
            for method in METHODS:
                theirs, end = with_scipy(problem, start, method)
                lowest = max(cost for _, cost in runs.values())
                same = bool(np.isfinite(end) and end <= 1.01 * lowest + 1e-20)
                for name, (count, _) in runs.items():
                    if same:
                        ratios.setdefault((name, method), []).append(count / theirs)
                cells.append(str(theirs) if same else f"{theirs}, no minimum or higher")
            rows.append([f"{problem.name}, {start + 1}", *cells])
    say(f"evaluations: {len(rows)} runs")
    summary = [
        f"- {name}, mlpflow / {method}: median {median(found):.2f} of {len(found)} runs that end "
        "at the same minimum (required: at most 1.2)"
        for (name, method), found in ratios.items()
    ]
    skipped = ", ".join(f"{name} {start + 1}" for name, start in slow)
    return "\n\n".join(
        [
            "NIST's nonlinear regressions from both starts. SciPy: its defaults (tolerances of "
            "1e-8), exact Jacobian, `x_scale='jac'`. Ours to a relative reduction of 1e-8 a step, "
            "and with its defaults, which go to the last digit. Left out, for either needs "
            f"hundreds of evaluations: {skipped}.",
            "\n".join(summary),
            table(["problem, start", *(f"mlpflow, {name}" for name in SETTINGS), *METHODS], rows),
        ]
    )
