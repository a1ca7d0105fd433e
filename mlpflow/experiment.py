"""A training run from its start to a report and files in a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .net import Net
from .objective import Spectrum, hessian_spectrum
from .params import Params
from .report import Curvature, verdict
from .result import TrainResult
from .rules import Rule
from .text import Row, format_rows, format_seconds
from .training import train

__all__ = ["Experiment", "Outcome", "run_experiment"]

# A gradient norm below this counts as a critical point in the reports.
CRITICAL = 1e-8
# The Hessian's eigenvalues take a minute or so at this many parameters, and eight times as long at
# twice as many.
SPECTRUM_LIMIT = 3000


@dataclass(frozen=True)
class Experiment:
    """What to train and how to tell about it.

    Parameters
    ----------
    title : str
        The first line of the report.
    rows : list of (str, str)
        What there is to say before the run: data, network.
    net : Net
    start : Params
    keywords : dict
        For `mlpflow.train`.
    conclude : callable
        Takes the result and gives more rows, in the user's units.
    """

    title: str
    rows: list[Row]
    net: Net
    start: Params
    keywords: dict[str, Any] = field(default_factory=dict)
    conclude: Callable[[TrainResult], list[Row]] = lambda result: []


@dataclass(frozen=True)
class Outcome:
    """What a run gave; ``spectrum`` is None where it cannot be had."""

    result: TrainResult
    spectrum: Spectrum | None
    report: str

    @property
    def critical(self) -> bool:
        """Is the gradient norm small enough for a critical point?"""
        return self.result.gnorm < CRITICAL

    @property
    def interrupted(self) -> bool:
        """Did Ctrl-C end the run?"""
        return bool(self.result.status == "interrupted")


def run_experiment(experiment: Experiment, directory: Path) -> Outcome:
    """Train, print the report line by line as it comes to be, and save everything.

    Parameters
    ----------
    experiment : Experiment
    directory : Path
        Made where it is missing. Gets ``report.txt``, ``result.npz`` and the pictures.
    """
    directory.mkdir(parents=True, exist_ok=True)
    opening = format_rows(experiment.title, experiment.rows)
    print(opening, flush=True)
    if sys.stderr.isatty():
        # Otherwise a newcomer sees nothing happen for some seconds.
        print("  (the first run in a process compiles for a few seconds)", file=sys.stderr)
    result = train(experiment.net, experiment.start, **experiment.keywords)
    spectrum, missing = _spectrum(experiment.net, result)
    rows = _run_rows(result) + experiment.conclude(result)
    if spectrum is None:
        rows.append(("Hessian", missing))
    else:
        curvature = Curvature.of(spectrum.values)
        rows += [("Hessian", str(curvature)), ("found", verdict(result.gnorm, curvature, CRITICAL))]
    result.save(directory / "result.npz")
    rows.append(("files", _save_pictures(result, spectrum, directory, experiment.title)))
    closing = format_rows("", rows).lstrip("\n")
    print(closing, flush=True)
    report = f"{opening}\n{closing}\n"
    (directory / "report.txt").write_text(report, encoding="utf-8")
    return Outcome(result, spectrum, report)


def _run_rows(result: TrainResult) -> list[Row]:
    rows: list[Row] = []
    flow, optim = result.flow, result.optim
    if flow is not None:
        start = flow.trajectory.loss[0]
        rows.append(
            (
                "training" if isinstance(result.options["alg"], Rule) else "gradient flow",
                f"{flow.algorithm} to t = {flow.t:.4g} in {flow.iterations} steps, "
                f"{format_seconds(flow.time)}; loss {start:.6g} -> {flow.loss:.6g}",
            )
        )
    if optim is not None:
        rows.append(
            (
                "optimizer",
                f"{optim.algorithm}, {optim.iterations} iterations, {format_seconds(optim.time)}",
            )
        )
    return [
        *rows,
        ("final loss", f"{result.loss:.10g}"),
        ("gradient norm", f"{result.gnorm:.2e} (infinity norm, of the mean loss)"),
        ("status", f"{result.status}: {result.message}"),
    ]


def _spectrum(net: Net, result: TrainResult) -> tuple[Spectrum | None, str]:
    """The spectrum, or the reason why there is none."""
    if net.nparams > SPECTRUM_LIMIT:
        return None, f"not computed: more than {SPECTRUM_LIMIT} parameters"
    if not (np.isfinite(result.loss) and np.isfinite(result.gnorm)):
        return None, "not computed: the loss is not finite here"
    regularization = {name: result.options[name] for name in ("maxnorm", "merge")}
    return hessian_spectrum(net, result.params, **regularization), ""


def _save_pictures(
    result: TrainResult, spectrum: Spectrum | None, directory: Path, title: str
) -> str:
    """Draw what can be drawn, and say which files there are."""
    from .plot import save_loss_picture, save_spectrum_picture

    names = ["report.txt", "result.npz"]
    try:
        if result.flow or result.optim:
            save_loss_picture(result, directory / "loss.png", title)
            names.append("loss.png")
        if spectrum is not None:
            save_spectrum_picture(spectrum, directory / "spectrum.png", title)
            names.append("spectrum.png")
    except ImportError as error:
        print(f"mlpflow: no pictures: {error}", file=sys.stderr)
    return f"{directory}/: {', '.join(names)}"
