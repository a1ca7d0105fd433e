"""The Python examples run; the Julia ones do in test_readme.py."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPECTED = {
    "classify.py": "of 333 penguins classified right",
    "many_starts.py": " 0.1151499 ",
    "torch_round_trip.py": "gradient_tolerance",
}


def test_every_example_is_known_and_listed():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == set(EXPECTED)
    listed = (EXAMPLES / "README.md").read_text()
    for path in [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.jl")]:
        assert f"]({path.name})" in listed


@pytest.mark.parametrize("name, expected", EXPECTED.items(), ids=EXPECTED.keys())
def test_example(name, expected, capsys):
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert expected in capsys.readouterr().out
