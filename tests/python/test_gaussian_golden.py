"""The table of Gaussian expectations comes from its script, which agrees with closed forms."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "golden" / "gaussian_pairs.tsv"


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("mpmath")
    spec = importlib.util.spec_from_file_location(
        "gaussian_golden", ROOT / "scripts" / "gaussian_golden.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lines_are_made_again(script):
    """The first four of parallel neurons, which take no time."""
    lines = TABLE.read_text().splitlines()
    quick = [number for number in range(len(lines)) if abs(script.row(number)[-1]) == 1][:4]
    assert len(quick) == 4
    for number in quick:
        made, kept = script.line(number).split("\t"), lines[number].split("\t")
        assert made[:7] == kept[:7]
        assert np.allclose([*map(float, made[7:])], [*map(float, kept[7:])], rtol=1e-15, atol=1e-18)


def test_every_line_is_that_of_its_number(script):
    for number, line in enumerate(TABLE.read_text().splitlines()):
        assert line.split("\t")[:7] == [str(v) for v in script.row(number)]


def test_the_script_against_closed_forms(script):
    u = 0.5
    value, h10, *_ = script.expectations("relu", "identity", 1.0, 0.0, 2.0, 0.0, u)
    assert np.isclose(value, u, rtol=1e-14)  # E[relu(x) 2 y] = 2 u P(x > 0)
    assert np.isclose(h10, 2 * u / np.sqrt(2 * np.pi), rtol=1e-14)
    (value, *_) = script.expectations("cube", "cube", 1.5, 0.0, 2.0, 0.0, u)
    assert np.isclose(value, 27 * (6 * u**3 + 9 * u), rtol=1e-13)
