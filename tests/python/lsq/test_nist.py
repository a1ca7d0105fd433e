"""NIST's nonlinear regressions from both starts with default options."""

import pytest

from mlpflow import lsq

from .nist import PROBLEMS

# The certified values of Lanczos1 are 10 digits of a fit to data of 14 digits.
DIGITS = {"Lanczos1": 9.0}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
@pytest.mark.parametrize("start", [0, 1])
def test_certified_parameters(problem, start):
    model = problem.module(start)
    x, y = problem.data()
    result = lsq.fit(model, lambda: model(x) - y)
    digits = problem.digits(model.values())  # required of all 54 runs: 9.6 in the mean
    assert result.status == "step", result
    assert digits >= DIGITS.get(problem.name, 10.0), (result, model.values(), problem.certified)
