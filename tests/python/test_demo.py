"""The demonstration ends where the README says it ends."""

import dataclasses
from pathlib import Path

import pytest

import mlpflow as mf
from mlpflow.cli import main
from mlpflow.demo import compare_with_teacher


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("name", ["penguins", "teacher-student"])
def test_ends_in_a_true_minimum_with_report_and_pictures(out, name):
    result = mf.load(out / name / "result.npz")
    assert result.converged and result.gnorm < 1e-12
    spectrum = mf.hessian_spectrum(result.net, result.params)
    assert spectrum.index == 0 and spectrum.values[0] > 1e-8
    report = (out / name / "report.txt").read_text()
    assert "a true minimum" in report and "gradient_tolerance" in report
    for picture in ("loss.png", "spectrum.png"):
        assert (out / name / picture).stat().st_size > 10_000


@pytest.mark.parametrize(
    "label", ["network", "parameters", "final loss", "fit", "Hessian", "found"]
)
def test_readme_shows_what_is_printed(out, label):
    readme = (Path(__file__).parents[2] / "README.md").read_text().splitlines()
    (line,) = [line for line in readme if line.startswith(f"  {label:<15}")]
    assert line in (out / "penguins" / "report.txt").read_text().splitlines()


def test_student_finds_its_teacher(out):
    assert mf.load(out / "teacher-student" / "result.npz").loss < 1e-18  # 1e-9 an output
    report = (out / "teacher-student" / "report.txt").read_text()
    table = report[report.index("  teacher        w1") :].splitlines()
    distances = [float(line.split()[8]) for line in table[1:5]]
    assert max(distances) < 1e-6
    assert "student neuron" in table[6]


def test_penguins_are_predicted_in_grams(out, capsys):
    assert (
        "root mean square error 272.8 in units of body_mass_g"
        in (out / "penguins" / "report.txt").read_text()
    )
    assert main(["predict", str(out / "penguins"), "examples/data/penguins.csv"]) == 0
    header, first = capsys.readouterr().out.split()[:2]
    assert header == "body_mass_g" and 3000 < float(first) < 5000


def test_another_minimum_is_not_called_the_teacher(out):
    """At the same point, but compared with another teacher: the loss decides."""
    result = mf.load(out / "teacher-student" / "result.npz")
    elsewhere = dataclasses.replace(result, loss=1e-4)
    teacher = mf.Params([([[1.0, 0.0]] * 4, None), ([[1.0] * 4], None)])
    assert "a minimum where the student does not equal" in compare_with_teacher(teacher, elsewhere)
