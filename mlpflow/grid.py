"""A grid of students, teachers and seeds, as a table with one row a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ._check import as_whole, shown
from .crew import check_executor
from .initialization import random_params
from .layers import layers_text
from .many import Place, checked_options, complete, shown_progress
from .net import Net
from .result import TrainResult
from .runfolder import RunFolder, claim_folder, plain_options
from .runs import Job, Outcome, net_digest

__all__ = ["sweep"]


def sweep(
    students: Any,
    teachers: Any,
    inputs: Any,
    seeds: Iterable[int],
    *,
    train: dict[str, Any] | None = None,
    classify: bool = False,
    weights: Any = None,
    losstype: str = "mse",
    workers: int | None = None,
    executor: Any = None,
    folder: str | Path | None = None,
    progress: Any = None,
) -> Any:
    """Train every student on the targets of every teacher from every seed.

    Parameters
    ----------
    students : sequence or dict of layers
        Each as `Net` takes them; the keys of a dictionary become their names.
    teachers : sequence or dict of TeacherNet, functions or arrays
        What makes the targets: a teacher or function is called with ``inputs``, an array of shape
        (N, Dout) or (N,) is them.
    inputs : array of shape (N, Din)
    seeds : iterable of int
        A run starts at ``random_params(net, rng=seed)``.
    train : dict, optional
        Keywords of `train`.
    classify : bool
        Also find the kind of every point (`classify`).
    weights, losstype
        As for `Net`.
    workers, executor, progress
        As for `train_many`.
    folder : path, optional
        Every result is kept there as it comes. A later call takes from there what is finished,
        also when the grid has grown or shrunk; the keywords of `train` must be the same.

    Returns
    -------
    pandas.DataFrame, or list of dict where pandas is not installed
        One row a run, students slowest and seeds fastest: student, width (its hidden neurons),
        nparams, teacher, seed, status, converged, loss, gnorm, kind, index, flat_dimension
        (None without ``classify``), flow_t, flow_steps, optim_iterations, seconds, message, and
        file (None without a folder; `load` reads it).

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came, before any run starts.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((100, 2))
    >>> output = (1, "identity", True)
    >>> table = mf.sweep(
    ...     students=[[(k, "tanh", True), output] for k in (1, 2)],
    ...     teachers=[mf.TeacherNet([(1, "tanh", True), output], inputs=2, rng=rng)],
    ...     inputs=x,
    ...     seeds=range(2),
    ...     train={"maxT": 10, "maxiterations_optim": 100},
    ...     workers=1,
    ... )
    >>> len(table)
    4
    """
    keywords = dict(train or {})
    numbers = [as_whole(seed, "seeds") for seed in seeds]
    if len(set(numbers)) < len(numbers):
        raise ValueError("seeds: expected different numbers, got some of them twice")
    targets = {
        name: _targets(teacher, inputs, name) for name, teacher in _named(teachers, "teachers")
    }
    nets = [
        (student, teacher, Net(layers, inputs, y, weights, losstype))
        for student, layers in _named(students, "students")
        for teacher, y in targets.items()
    ]
    workers = check_executor(workers, executor)
    options = [checked_options(net, keywords, "sweep") for _, _, net in nets]
    folders = _folders(folder, nets, [plain_options(o.to_dict()) for o in options])
    quiet = {**keywords, "progress": False}
    jobs, places, labels = [], [], []
    for (student, teacher, net), runs in zip(nets, folders, strict=True):
        for seed in numbers:
            jobs.append(Job(net, random_params(net, rng=seed), quiet, classify))
            places.append(None if runs is None else Place(runs, seed))
            labels.append({**_student(student, net), "teacher": teacher, "seed": seed})
    verbosity = options[0].verbosity if options else 0
    with shown_progress(progress, verbosity, len(jobs)) as show:
        outcomes = complete(jobs, places, workers, executor, show)
    rows = [
        {**label, **_row(outcome), "file": None if place is None else str(place.file)}
        for label, outcome, place in zip(labels, outcomes, places, strict=True)
    ]
    return _table(rows)


def _named(things: Any, what: str) -> list[tuple[Any, Any]]:
    """Names and things; the position is the name where there is no dictionary."""
    if isinstance(things, Mapping):
        pairs = list(things.items())
    elif isinstance(things, (list, tuple)):
        pairs = list(enumerate(things))
    else:
        raise TypeError(f"{what}: expected a list or a dictionary, got {shown(things)}")
    if not pairs:
        raise ValueError(f"{what}: expected at least one, got none")
    return pairs


def _targets(teacher: Any, inputs: Any, name: Any) -> Any:
    if callable(teacher):
        made: Callable[[Any], Any] = teacher
        return made(inputs)
    if isinstance(teacher, (str, bytes)) or np.ndim(teacher) == 0:
        raise TypeError(
            f"teachers: expected a TeacherNet, a function or an array of targets for {name!r}, "
            f"got {shown(teacher)}"
        )
    return teacher


def _folders(folder: Any, nets: list[Any], options: list[dict[str, Any]]) -> list[RunFolder | None]:
    """One folder a network, named by its content: it is found again in any other grid."""
    if folder is None:
        return [None] * len(nets)
    root = Path(folder)
    claim_folder(root, {"net": "a sweep", "options": options[0]})
    return [
        RunFolder(root / net_digest(net)[:16], net, plain)
        for (_, _, net), plain in zip(nets, options, strict=True)
    ]


def _student(name: Any, net: Net) -> dict[str, Any]:
    text = layers_text(net.layers, net.Din) if isinstance(name, int) else name
    width = sum(layer.width for layer in net.layers[:-1])
    return {"student": text, "width": width, "nparams": net.nparams}


def _row(outcome: Outcome) -> dict[str, Any]:
    result, kind = outcome.result, outcome.classification
    row: dict[str, Any] = {
        "status": str(result.status),
        "converged": result.converged,
        "loss": result.loss,
        "gnorm": result.gnorm,
        "kind": kind and kind.kind,
        "index": kind and kind.index,
        "flat_dimension": kind and kind.flat_dimension,
        "flow_t": None,
        "flow_steps": None,
        "optim_iterations": None,
        "seconds": None,
        "message": outcome.trouble or (kind.message if kind else result.message),
    }
    if isinstance(result, TrainResult):
        row["seconds"] = result.total_time
        if result.flow is not None:
            row["flow_t"], row["flow_steps"] = result.flow.t, result.flow.iterations
        if result.optim is not None:
            row["optim_iterations"] = result.optim.iterations
    return row


def _table(rows: list[dict[str, Any]]) -> Any:
    try:
        import pandas as pd
    except ImportError:
        return rows
    return pd.DataFrame(rows)
