"""The demonstration: a network on measured data, and a student that finds its teacher."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .engine.discovery import engine_root
from .experiment import Experiment, Outcome, run_experiment
from .initialization import random_params
from .layerspec import format_layers
from .net import Net
from .neurons import match_neurons
from .params import Params
from .result import TrainResult
from .tabular import SCALING, table_experiment
from .teacher import TeacherNet
from .text import format_table

__all__ = ["compare_with_teacher", "penguins", "run_demo", "teacher_student"]

SEED = 0
# A loss below this, in units of outputs of size 1, is that of a student that equals its teacher.
FOUND = 1e-10
# Budgets in flow time and iterations, not in seconds: the numbers are the same on every machine.
KEYWORDS = {"maxT": 1000.0, "maxiterations_optim": 10_000, "min_gnorm": 1e-12}


def run_demo(out: str | Path = "out", seed: int | None = None) -> bool:
    """Run both problems; true when both ended at a critical point.

    Parameters
    ----------
    out : path
        Gets the folders ``penguins`` and ``teacher-student``.
    seed : int, optional
        Of both starts; the one of the documentation by default.
    """
    seed = SEED if seed is None else seed
    out = Path(out)
    outcomes: list[Outcome] = []
    for run in (penguins, teacher_student):
        outcomes.append(run(out, seed))
        print()
        if outcomes[-1].interrupted:
            return False
    return all(outcome.critical for outcome in outcomes)


def penguins(out: Path, seed: int) -> Outcome:
    """Body mass of penguins from the size of bill and flipper and from the sex."""
    path = engine_root() / "examples" / "data" / "penguins.csv"
    shown = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    experiment, scaling = table_experiment(
        shown, "body_mass_g", layers="3:tanh,1", seed=seed, keywords=KEYWORDS
    )
    directory = out / "penguins"
    directory.mkdir(parents=True, exist_ok=True)
    scaling.save(directory / SCALING)
    return run_experiment(experiment, directory)


def teacher_student(out: Path, seed: int) -> Outcome:
    """A student of 5 sigmoid neurons learns from a teacher of 4, in two dimensions."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((10_000, 2))
    layers = [[(width, "sigmoid", False), (1, "identity", False)] for width in (4, 5)]
    # Wide weights make neurons that can be told apart; nearly linear ones stand for each other.
    weights = [(3 * rng.standard_normal((4, 2)), None), (rng.standard_normal((1, 4)), None)]
    teacher = TeacherNet(layers[0], inputs=2, params=Params(weights))
    net = Net(layers[1], x, teacher(x))
    rows = [
        ("data", f"{len(x)} normal inputs in 2 dimensions, labelled by the teacher"),
        ("teacher", f"{format_layers(2, layers[0])}, no biases"),
        ("student", f"{format_layers(2, layers[1])}, no biases"),
        ("parameters", f"{net.nparams}, random start with seed {seed}"),
    ]
    start = random_params(net, rng=rng)
    outcome = run_experiment(
        Experiment("teacher and student", rows, net, start, KEYWORDS), out / "teacher-student"
    )
    try:
        comparison = compare_with_teacher(teacher.params, outcome.result)
    except ImportError as error:  # nothing else here needs SciPy
        comparison = f"  neurons        not compared: {error}"
    print(comparison)
    with (out / "teacher-student" / "report.txt").open("a", encoding="utf-8") as file:
        file.write(comparison + "\n")
    return outcome


def compare_with_teacher(teacher: Params, result: TrainResult) -> str:
    """Teacher neurons and the student neurons that do their work, side by side."""
    matching = match_neurons(result, teacher)
    t, s = (np.hstack([p["w1"], p["w2"].T]) for p in (teacher, result.params))

    def cells(row: np.ndarray) -> list[str]:
        return [f"{weight:z.6f}" for weight in row]

    lines, notes = [], []
    for match in matching.matches:
        left = [f"{match.teacher + 1}", *cells(t[match.teacher])]
        for member in match.students:
            remark = "signs turned" if member.sign < 0 else ""
            lines.append([*left, f"{member.neuron + 1}", *cells(s[member.neuron]), "", remark])
            left = ["", "", "", ""]
        lines[-len(match.students)][8] = f"{match.distance:.1e}"
        if len(match.students) > 1:
            names = " and ".join(str(member.neuron + 1) for member in match.students)
            notes.append(
                f"  student neurons {names} have the same incoming weights and do the work of one"
            )
    for extra in matching.extras:
        lines.append(["", "", "", "", f"{extra.student + 1}", *cells(s[extra.student]), "", ""])
        notes.append(f"  student neuron {extra.student + 1}: {extra.role}")
    weights = ["w1", "w2", "a"]
    header = ["teacher", *weights, "student", *weights, "distance", ""]
    if result.loss > FOUND:
        notes.append("  the loss is not 0: a minimum where the student does not equal its teacher")
    elif any(member.sign < 0 for match in matching.matches for member in match.students):
        notes.append("  signs turned: a sigmoid(z) = a - a sigmoid(-z), the constants add up to 0")
    return "\n".join([format_table(header, lines), *notes])
