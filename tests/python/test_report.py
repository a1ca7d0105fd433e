"""Formatting of reports, and the sentence on what was found."""

import pytest

from mlpflow.report import Curvature, verdict
from mlpflow.text import format_rows, format_seconds, format_table


def test_rows_wrap_under_themselves():
    text = format_rows("run", [("data", "short"), ("status", "word " * 30)])
    lines = text.splitlines()
    assert lines[:2] == ["run", "  data           short"]
    assert lines[2].startswith("  status         word") and lines[3].startswith(" " * 17 + "word")
    assert max(map(len, lines)) <= 100


def test_table_columns_line_up():
    text = format_table(["a", "long name"], [["1", "2"], ["-10.5", "x"]])
    assert text.splitlines() == ["      a  long name", "      1          2", "  -10.5          x"]


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.00123, "1.23 ms"),
        (0.5, "0.5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59, "59 s"),
        (125.4, "2 min 5 s"),
    ],
)
def test_seconds(seconds, text):
    assert format_seconds(seconds) == text


CASES = {
    "minimum": (1e-12, [1e-3, 2.0], "a true minimum"),
    "flat": (1e-12, [1e-18, 1e-3, 2.0], "1 direction is flat to rounding"),
    "nearly flat": (1e-12, [1e-10, 1e-9, 2.0], "2 directions are nearly flat"),
    "saddle": (1e-12, [-1e-3, 2.0], "a saddle point of index 1"),
    "slope": (1e-3, [1e-3, 2.0], "not a critical point yet: the gradient norm is above 1e-08"),
    "not a number": (float("nan"), [1.0], "not a critical point yet"),
}


@pytest.mark.parametrize("gnorm, values, sentence", CASES.values(), ids=CASES.keys())
def test_verdict(gnorm, values, sentence):
    assert sentence in verdict(gnorm, Curvature.of(values), 1e-8)


def test_curvature():
    curvature = Curvature.of([2.0, -1.0, 1e-17])
    assert (curvature.index, curvature.flat, curvature.count) == (1, 1, 3)
    assert str(curvature) == "3 eigenvalues from -1 to 2, index 1"
