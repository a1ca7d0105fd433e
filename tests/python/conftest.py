"""What the tests of the Python package share."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.engine import selection

ROOT = Path(__file__).resolve().parents[2]

# The engine under test. Most tests are about something else, and run with either.
ENGINE = os.environ.get("MLPFLOW_TEST_ENGINE", "worker")
os.environ["MLPFLOW_ENGINE"] = ENGINE


@pytest.fixture(autouse=True)
def the_same_engine():
    """A test that has chosen another engine leaves none of it to the next one."""
    yield
    selection._chosen = None
    if selection._engine is not None and selection._engine.name != ENGINE:
        mf.shutdown()


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(20240607)


@pytest.fixture
def small_net(rng):
    """2 -> 3 tanh + bias -> 1, 20 samples: 13 parameters."""
    x = rng.standard_normal((20, 2))
    return mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(x.sum(axis=1)))


@pytest.fixture
def small_params(small_net):
    """Random parameters of the small network."""
    return mf.random_params(small_net, rng=1)


@pytest.fixture
def run_python():
    """Run a program in a fresh interpreter in which warnings are errors."""

    def run(code, *, check=True, **keywords):
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=check,
            **keywords,
        )

    return run
