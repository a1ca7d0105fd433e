"""The command line, as a user types it: exit codes, sentences, files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.cli import TRAINING_KEYWORDS, main
from mlpflow.options import TrainOptions

PENGUINS = str(Path(__file__).parents[2] / "examples" / "data" / "penguins.csv")
QUICK = ["--maxT", "20", "--maxiterations-optim", "200"]


@pytest.fixture
def table(tmp_path, rng):
    """20 rows of y = 3 sin(a) + 100, with a constant and a text column."""
    path = tmp_path / "sine.csv"
    a = rng.normal(size=20)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "one", "name", "y", "label"])
        for value in a:
            writer.writerow([value, 1, "x", 3 * np.sin(value) + 100, int(value > 0)])
    return path


def train(table, tmp_path, *arguments):
    return main(["train", str(table), "--out", str(tmp_path / "out"), *QUICK, *arguments])


def test_train_writes_a_report_pictures_and_a_result(table, tmp_path, capsys):
    arguments = ["--target", "y", "--inputs", "a,one", "--layers", "2:tanh,1", "--seed", "3"]
    assert train(table, tmp_path, *arguments) == 0
    printed = capsys.readouterr().out
    folder = tmp_path / "out" / "sine"
    assert (folder / "report.txt").read_text() == printed
    for line in ("data", "network", "parameters", "gradient flow", "optimizer", "final loss"):
        assert f"\n  {line}" in printed
    assert "constant: one" in printed
    assert "2 -> 2 tanh -> 1 identity" in printed
    for picture in ("loss.png", "spectrum.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    result = mf.load(folder / "result.npz")
    assert f"{result.gnorm:.2e}" in printed and result.status.message.split()[0] in printed


def test_predictions_come_in_the_units_of_the_table(table, tmp_path, capsys):
    train(table, tmp_path, "--target", "y", "--inputs", "a", "--layers", "2:tanh,1")
    report = capsys.readouterr().out
    assert main(["predict", str(tmp_path / "out" / "sine"), str(table)]) == 0
    header, *values = capsys.readouterr().out.split()
    assert header == "y"
    with table.open() as file:
        targets = [float(row["y"]) for row in csv.DictReader(file)]
    error = np.sqrt(np.mean((np.array(values, dtype=float) - targets) ** 2))
    assert f"root mean square error {error:.4g} in units of y" in report
    scaling = json.loads((tmp_path / "out" / "sine" / "scaling.json").read_text())
    assert scaling["target"]["mean"] == [pytest.approx(np.mean(targets), rel=1e-14)]


def test_without_standardisation_and_biases(table, tmp_path, capsys):
    arguments = ["--target", "y", "--inputs", "a", "--layers", "2:tanh,1"]
    assert train(table, tmp_path, *arguments, "--no-standardise", "--no-bias", "--name", "raw") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("raw\n") and "no biases" in printed and "as in the file" in printed
    result = mf.load(tmp_path / "out" / "raw" / "result.npz")
    assert result.net.nparams == 4
    assert result.net.targets.mean() == pytest.approx(100, abs=3)


def test_classes(table, tmp_path, capsys):
    arguments = ["--target", "label", "--inputs", "a", "--layers", "2:tanh,2"]
    assert train(table, tmp_path, *arguments, "--losstype", "cross_entropy", "--maxnorm", "10") == 0
    assert "of the rows are classified right" in capsys.readouterr().out
    assert main(["predict", str(tmp_path / "out" / "sine"), str(table)]) == 0
    assert set(capsys.readouterr().out.split()) == {"label", "0", "1"}


def test_the_same_command_gives_the_same_numbers(table, tmp_path):
    results = []
    for name in ("first", "second"):
        arguments = ["--target", "y", "--inputs", "a", "--layers", "2:tanh,1", "--name", name]
        train(table, tmp_path, *arguments)
        results.append(mf.load(tmp_path / "out" / name / "result.npz"))
    np.testing.assert_array_equal(results[0].params.flat, results[1].params.flat)


BAD = {
    "file": (["nowhere.csv", "--target", "y"], "nowhere.csv: no such file"),
    "target": ([PENGUINS, "--target", "body_mass"], 'did you mean "body_mass_g"?'),
    "input": ([PENGUINS, "--target", "male", "--inputs", "mail"], "no column 'mail'"),
    "both": ([PENGUINS, "--target", "male", "--inputs", "male"], "expected inputs without the"),
    "layers": ([PENGUINS, "--target", "male", "--layers", "ten"], "expected layers such as"),
    "activation": ([PENGUINS, "--target", "male", "--layers", "3:tahn,1"], 'did you mean "tanh"?'),
    "outputs": ([PENGUINS, "--target", "male", "--layers", "3:tanh,2"], "expected 1 neuron in the"),
    "keyword": ([PENGUINS, "--target", "male", "--alg", "dp5"], 'did you mean "DP5"?'),
    "budget": ([PENGUINS, "--target", "male", "--maxT", "-1"], "maxT: expected"),
    "labels": (
        [PENGUINS, "--target", "bill_depth_mm", "--losstype", "cross_entropy"],
        "column 'bill_depth_mm': expected a label 0, 1, 2, ..., got 18.7",
    ),
    "classes": (
        [PENGUINS, "--target", "male", "--losstype", "cross_entropy"],
        "expected a neuron a class in the last layer, at least 2, got 1",
    ),
}


@pytest.mark.parametrize("arguments, sentence", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_sentence_and_leaves_no_files(tmp_path, capsys, arguments, sentence):
    out = tmp_path / "out"
    assert main(["train", *arguments, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1 and captured.out == ""
    assert not out.exists()


def test_one_row_is_not_enough(tmp_path, capsys):
    path = tmp_path / "one.csv"
    path.write_text("a,y\n1,2\n")
    assert main(["train", str(path), "--target", "y"]) == 2
    assert "expected at least 2 rows, got 1" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(table, capsys):
    arguments = ["--target", "y", "--inputs", "a", "--out", str(table)]
    assert main(["train", str(table), *arguments]) == 1
    assert capsys.readouterr().err.startswith("mlpflow: ")


def test_predict_needs_what_train_wrote(tmp_path, capsys):
    assert main(["predict", str(tmp_path), PENGUINS]) == 2
    assert "which `mlpflow train` writes" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["frain"], ["train", PENGUINS]])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: mlpflow" in capsys.readouterr().err


def test_help_shows_the_defaults_of_train(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in TRAINING_KEYWORDS:
        default = getattr(TrainOptions(), name)
        shown = default if isinstance(default, (str, int)) else f"{default:g}"
        assert f"--{name.replace('_', '-')} " in text
        assert f"(default: {shown})" in text


def test_without_matplotlib_there_are_no_pictures_but_a_report(
    table, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert train(table, tmp_path, "--target", "y", "--inputs", "a", "--layers", "2:tanh,1") == 0
    captured = capsys.readouterr()
    assert "no pictures: pictures need matplotlib: run" in captured.err
    assert sorted(path.name for path in (tmp_path / "out" / "sine").iterdir()) == [
        "report.txt",
        "result.npz",
        "scaling.json",
    ]


def test_a_run_without_any_budget_is_told_as_such(table, tmp_path, capsys):
    arguments = ["--target", "y", "--inputs", "a", "--maxtime-ode", "0", "--maxtime-optim", "0"]
    assert train(table, tmp_path, *arguments) == 0
    printed = capsys.readouterr().out
    assert "not_run" in printed and "not a critical point yet" in printed
    assert not (tmp_path / "out" / "sine" / "loss.png").exists()
