"""The measurements as Markdown."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .. import peer_mlpflow
from ..report import machine, table
from .ladder import Point
from .methods import scipy_version
from .problems import FlowProblem
from .steps import COMPARED_STEPS, Steps

__all__ = ["Measured", "markdown"]

REQUIRED = 5.0
REQUIRED_STEPS = 20.0


@dataclass(frozen=True)
class Measured:
    """All about one problem.

    Attributes
    ----------
    ladders : dict
        By method: its runs, and why it did not reach the accuracy, or "".
    seconds : dict
        By method: the median of the runs in turns at the tolerance that reached it.
    doubt : float
        The relative difference of the two reference solutions.
    """

    problem: FlowProblem
    nparams: int
    ladders: dict[str, tuple[list[Point], str]]
    seconds: dict[str, float]
    doubt: float

    def best(self, side: str) -> tuple[str, float] | None:
        """The fastest method whose name starts with `side`."""
        times = [(s, n) for n, s in self.seconds.items() if n.startswith(side)]
        return min(times)[::-1] if times else None


def markdown(
    measured: Sequence[Measured],
    steps: Sequence[Steps],
    target: float,
    seconds: float,
    note: str,
) -> str:
    """The whole report."""
    parts = [
        "# Gradient flows and discrete dynamics, side by side",
        f"{datetime.date.today()}, {machine()}. The run took {seconds / 60:.0f} minutes.",
        *([note] if note else []),
        f"- Python {platform.python_version()}, {scipy_version()}, PyTorch {torch.__version__}\n"
        f"- {peer_mlpflow.version()}",
        f"Time to a relative error (Euclidean norm, final time) of {target:.0e}, one thread. "
        "Every method climbs down a ladder of tolerances, half a decade a rung, to the first with "
        "which it is that accurate; those runs are timed again in turns, and the medians count. "
        "SciPy integrates the engine's own gradient (`mf.gradient`), its implicit methods with the "
        "engine's exact Hessian. g: gradients, H: Hessians, Hv: products of a Hessian with a "
        "vector, LU: factorisations.",
        *([_summary(measured)] if measured else []),
        *(_details(m) for m in measured),
        *([_steps(steps)] if steps else []),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(measured: Sequence[Measured]) -> str:
    rows = []
    for m in measured:
        auto, ours, peer = m.seconds.get("mlpflow auto"), m.best("mlpflow"), m.best("SciPy")
        if ours is None or peer is None:
            ratio = "-" if ours is None else "more than " + _ratio(m, ours[1])
        else:
            ratio = f"{peer[1] / ours[1]:.1f}x"
        met = "yes" if ours and (not peer or peer[1] / ours[1] >= REQUIRED) else "**no**"
        rows.append(
            [m.problem.name, str(m.nparams), _side(ours), _time(auto), _side(peer), ratio, met]
        )
    header = ["problem", "P", "our fastest", "our auto", "SciPy's fastest", "ratio",
              f"at least {REQUIRED:.0f}x"]  # fmt: skip
    return "## Time to the accuracy\n\n" + table(header, rows)


def _ratio(m: Measured, ours: float) -> str:
    """When no peer arrives: the longest that one was given."""
    given = [
        points[-1].seconds for n, (points, _) in m.ladders.items() if n[:5] == "SciPy" and points
    ]
    return f"{max(given, default=0.0) / ours:.1f}x"


def _side(best: tuple[str, float] | None) -> str:
    return "-" if best is None else f"{_time(best[1])} ({best[0].split()[1]})"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3g} s"


def _details(m: Measured) -> str:
    rows = []
    for name, (points, why) in m.ladders.items():
        if points:
            last = points[-1]
            seconds = m.seconds.get(name, last.seconds)
            cells = [f"{last.tolerance:.0e}", f"{last.error:.0e}", f"{seconds:.3g}", last.counts]
        else:
            cells = ["-", "-", "-", "-"]
        rows.append([name, *cells, why])
    header = ["method", "tolerance", "error", "seconds", "steps and evaluations", "note"]
    return (
        f"## {m.problem.name}\n\nP = {m.nparams}, N = {m.problem.samples:,}; two reference "
        f"solutions differ by {m.doubt:.0e}.\n\n" + table(header, rows)
    )


def _steps(steps: Sequence[Steps]) -> str:
    rows = []
    for s in steps:
        ratio = s.ours / s.torch
        met = "-" if s.batch else "yes" if ratio >= REQUIRED_STEPS else "**no**"
        rows.append(
            [s.rule, str(s.batch or "all"), f"{s.ours:,.0f}", f"{s.torch:,.0f}",
             f"{ratio:.1f}x", met, f"{s.differs:.0e}"]
        )  # fmt: skip
    header = ["rule", "batch", "mlpflow", "PyTorch", "ratio", f"at least {REQUIRED_STEPS:.0f}x",
              f"differs after {COMPARED_STEPS} steps"]  # fmt: skip
    return (
        "## Steps a second: 2-8-1 softplus (33 parameters), N = 1,000, one thread\n\nOur time is "
        "that of the whole run, with loss and gradient of all samples at the end of each epoch; "
        "PyTorch runs zero_grad, forward, backward, step, and indexes a permutation made once an "
        "epoch.\n\n" + table(header, rows)
    )
