"""The constants of DOP853 are SciPy's, which come from the program of Hairer and Wanner."""

from __future__ import annotations

import ast
import re

import numpy as np
from scipy.integrate._ivp import dop853_coefficients as scipy_constants

from mlpflow.engine.discovery import engine_root

SOURCE = (engine_root() / "julia" / "flow" / "dop853_coefficients.jl").read_text()


def constant(name):
    """A tuple of numbers, which Julia and Python write alike."""
    text = re.search(rf"^const {name} = (.*?)(?=^const|^#|^$|\Z)", SOURCE, re.S | re.M)[1]
    return ast.literal_eval(text)


def dense(row, stages, length):
    """A row without its zeros, in full."""
    full = np.zeros(length)
    full[np.array(stages) - 1] = row
    return full


def test_tableau():
    stages, rows = constant("DOP853_STAGES"), constant("DOP853_A")
    assert len(stages) == len(rows) == scipy_constants.N_STAGES_EXTENDED - 1
    found = np.array([dense(row, s, 16) for row, s in zip(rows, stages, strict=True)])
    np.testing.assert_array_equal(found, scipy_constants.A[1:])
    np.testing.assert_array_equal(found[11, :12], scipy_constants.B)


def test_error_estimates():
    stages = constant("DOP853_STAGES")[11]
    for name, expected in (("DOP853_E5", scipy_constants.E5), ("DOP853_E3", scipy_constants.E3)):
        np.testing.assert_array_equal(dense(constant(name), stages, 13), expected)


def test_dense_output():
    stages = constant("DOP853_D_STAGES")
    found = [dense(row, stages, 16) for row in constant("DOP853_D")]
    np.testing.assert_array_equal(found, scipy_constants.D)
