"""The Python examples run; the Julia ones do in test_readme.py."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPECTED = {
    "classify.py": "of 333 penguins classified right",
    "lsq_ode.py": "largest error on 10,000 points: ",
    "lsq_poisson.py": "largest error on 10,201 points: ",
    "lsq_rosenbrock.py": "loss 0.0e+00 after 6 steps",
    "lsq_sinc.py": "largest error on 100,000 points: ",
    "lsq_tables.py": "penguins, sex: ",
    "many_starts.py": " 0.1151499 ",
    "torch_round_trip.py": "gradient_tolerance",
}


def test_every_example_is_known_and_listed():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == set(EXPECTED)
    listed = (EXAMPLES / "README.md").read_text()
    for path in [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.jl")]:
        assert f"]({path.name})" in listed


# Largest errors of the reduced problems: a hundred times what they came to, since runs are chaotic
# in rounding.
ERRORS = {"lsq_ode.py": 1e-5, "lsq_poisson.py": 1e-5, "lsq_sinc.py": 2e-4}


@pytest.fixture(autouse=True)
def defaults_of_torch():
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    yield
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name, expected", EXPECTED.items(), ids=EXPECTED.keys())
def test_example(name, expected, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, "--quick"])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    printed = capsys.readouterr().out
    assert expected in printed
    if name in ERRORS:
        found = float(printed.rsplit(maxsplit=1)[1])
        assert found <= ERRORS[name], f"{name}: largest error {found}, at most {ERRORS[name]}"
