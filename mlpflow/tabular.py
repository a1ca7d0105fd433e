"""Networks trained on the columns of a table, and their predictions in the table's units."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from .experiment import Experiment, Outcome, run_experiment
from .initialization import random_params
from .layerspec import LayerSpec, format_layers, parse_layers
from .net import Net
from .options import TrainOptions
from .result import TrainResult
from .scaling import RegressionScaling, Scaling
from .storage import load
from .table import TableError, read_table
from .text import Row

__all__ = ["predict_table", "table_experiment", "train_on_table"]

RESULT, SCALING = "result.npz", "scaling.json"


def train_on_table(
    path: str | Path, target: str, *, out: str | Path = "out", name: str | None = None, **how: Any
) -> Outcome:
    """Train a network to predict a column of a CSV file from the others.

    Parameters
    ----------
    path : path
        The table, see `mlpflow.table.read_table`.
    target : str
        The column to predict.
    out, name : path, str
        The results go to ``out/name``, named after the file by default.
    **how
        As for `table_experiment`.

    Raises
    ------
    ValueError
        For a table or a network that cannot be used, in one sentence.
    """
    experiment, scaling = table_experiment(path, target, title=name, **how)
    directory = Path(out) / (name or Path(path).stem)
    directory.mkdir(parents=True, exist_ok=True)
    scaling.save(directory / SCALING)
    return run_experiment(experiment, directory)


def table_experiment(
    path: str | Path,
    target: str,
    *,
    inputs: Sequence[str] | None = None,
    layers: str = "10:tanh,1",
    bias: bool = True,
    standardise: bool = True,
    losstype: str = "mse",
    seed: int = 0,
    keywords: dict[str, Any] | None = None,
    title: str | None = None,
) -> tuple[Experiment, RegressionScaling]:
    """What `train_on_table` runs, and the scalings that go with it.

    Parameters
    ----------
    path, target
        As for `train_on_table`.
    inputs : sequence of str, optional
        The columns to predict from; all others by default.
    layers : str
        Such as ``10:tanh,1``.
    bias : bool
        Do the layers have biases?
    standardise : bool
        Bring inputs, and a target that is not a label, to mean 0 and standard deviation 1?
    losstype : str
        ``"mse"``, or ``"cross_entropy"`` for a target of labels 0, 1, 2, ...
    seed : int
        Of the random start.
    keywords : dict, optional
        For `mlpflow.train`.
    title : str, optional
        Of the report; the name of the file by default.
    """
    TrainOptions.from_keywords(dict(keywords or {}))  # complains before anything is done
    if inputs is not None and target in inputs:
        raise TableError(f"{path}: expected inputs without the target, got {target!r} among them")
    columns = None if inputs is None else [*inputs, target]
    x, y, names = read_table(path, columns, require=[target]).split(target, inputs)
    if len(x) < 2:
        raise TableError(f"{path}: expected at least 2 rows, got 1")
    spec = parse_layers(layers, bias=bias)
    classes = losstype == "cross_entropy"
    _check_outputs(path, target, y, spec, classes)
    scaling = RegressionScaling(
        Scaling.standard(names, x) if standardise else Scaling.identity(names),
        Scaling.standard([target], y)
        if standardise and not classes
        else Scaling.identity([target]),
    )
    goal = y[:, 0].astype(np.int64) if classes else scaling.target.apply(y)
    net = Net(spec, scaling.inputs.apply(x), goal, losstype=losstype)
    rows = [
        ("data", f"{path}: {len(x)} rows; {target} from {', '.join(names)}"),
        ("units", _units(scaling, classes)),
        ("network", f"{format_layers(len(names), spec)}{'' if bias else ', no biases'}"),
        ("parameters", f"{net.nparams}, random start with seed {seed}"),
    ]
    experiment = Experiment(
        title=title or Path(path).stem,
        rows=rows,
        net=net,
        start=random_params(net, rng=np.random.default_rng(seed)),
        keywords=dict(keywords or {}),
        conclude=lambda result: _quality(result, y, scaling, classes),
    )
    return experiment, scaling


def _check_outputs(
    path: str | Path, target: str, y: NDArray[np.float64], spec: list[LayerSpec], classes: bool
) -> None:
    width = spec[-1][0]
    if not classes:
        if width != 1:
            raise ValueError(f"expected 1 neuron in the last layer, for {target}, got {width}")
        return
    wrong = np.flatnonzero((y[:, 0] < 0) | (y[:, 0] != np.round(y[:, 0])))
    if wrong.size:
        raise TableError(
            f"{path}: row {wrong[0] + 1}, column {target!r}: expected a label 0, 1, 2, ..., "
            f"got {y[wrong[0], 0]:g}"
        )
    count = int(y.max()) + 1
    if width < count or width < 2:
        raise ValueError(
            f"expected a neuron a class in the last layer, at least {max(count, 2)}, got {width}"
        )


def _units(scaling: RegressionScaling, classes: bool) -> str:
    if scaling.inputs.is_identity and scaling.target.is_identity:
        return "as in the file"
    what = "inputs" if classes else "all columns"
    return f"{what} brought to mean 0 and standard deviation 1{_constant(scaling)}"


def _constant(scaling: RegressionScaling) -> str:
    both = (scaling.inputs, scaling.target)
    names = [
        name
        for part in both
        for name, constant in zip(part.names, part.constant, strict=True)
        if constant
    ]
    return f"; constant: {', '.join(names)}" if names else ""


def _quality(
    result: TrainResult, y: NDArray[np.float64], scaling: RegressionScaling, classes: bool
) -> list[Row]:
    """How good the fit is, in the units of the table."""
    assert isinstance(result.net, Net)
    output = result.net(result.params)
    if classes:
        right = np.mean(output.argmax(axis=1) == y[:, 0])
        return [("fit", f"{right:.1%} of the rows are classified right")]
    residual = scaling.target.invert(output) - y
    error = np.sqrt(np.mean(residual**2))
    spread = y.std()
    share = f", R² = {1 - (error / spread) ** 2:.4f}" if spread > 0 else ""
    return [
        ("fit", f"root mean square error {error:.4g} in units of {scaling.target.names[0]}{share}")
    ]


def predict_table(directory: str | Path, path: str | Path, file: TextIO) -> None:
    """Write a CSV of predictions for the rows of a table.

    Parameters
    ----------
    directory : path
        What `train_on_table` wrote.
    path : path
        A table with the columns the network was trained on, in any order.
    file : text file
        Gets one column, named after the target. For classes it has the most probable label.
    """
    folder = Path(directory)
    if not (folder / RESULT).is_file() or not (folder / SCALING).is_file():
        raise ValueError(
            f"{folder}: expected {RESULT} and {SCALING}, which `mlpflow train` writes, got none"
        )
    result, scaling = load(folder / RESULT), RegressionScaling.load(folder / SCALING)
    table = read_table(path, scaling.inputs.names)
    output = result.net(result.params, scaling.inputs.apply(table.values))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(scaling.target.names)
    if result.net.losstype == "cross_entropy":
        writer.writerows([label] for label in output.argmax(axis=1).tolist())
    else:
        writer.writerows(scaling.target.invert(output).tolist())
