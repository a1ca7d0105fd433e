"""The measurements as Markdown."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .. import peer_mlpflow
from ..report import machine, table
from .contenders import Arrival, scipy_version
from .problems import FixedPoints

__all__ = ["Measured", "markdown"]

REQUIRED = 3.0


@dataclass(frozen=True)
class Measured:
    """All runs of one problem.

    Attributes
    ----------
    runs : dict
        By contender: where it ended from every start.
    """

    problem: FixedPoints
    target: float
    runs: dict[str, list[Arrival]]

    def arrived(self, name: str) -> int:
        """Runs that reached the tolerance."""
        return sum(run.gnorm <= self.target for run in self.runs[name])

    def median_seconds(self, name: str) -> float:
        """Infinite when half of the runs did not arrive."""
        runs = self.runs[name]
        return median(r.seconds if r.gnorm <= self.target else float("inf") for r in runs)

    def best(self, side: str) -> tuple[str, float]:
        """The name and median of the fastest whose name starts with `side`."""
        times = [
            (self.median_seconds(n), -self.arrived(n), n) for n in self.runs if n[:5] == side[:5]
        ]
        seconds, _, name = min(times)
        return name, seconds


def markdown(
    measured: Sequence[Measured], target: float, limit: float, seconds: float, note: str
) -> str:
    """The whole report."""
    parts = [
        "# Optimizers to fixed points, side by side",
        f"{datetime.date.today()}, {machine()}. The run took {seconds / 60:.0f} minutes.",
        *([note] if note else []),
        f"- Python {platform.python_version()}, {scipy_version()}\n- {peer_mlpflow.version()}",
        f"Softplus teachers of k neurons in k dimensions, softplus students of rho k neurons, all "
        f"with biases; {measured[0].problem.samples:,} samples; {len(measured[0].problem.seeds)} "
        "teachers, data and random starts each, no flow before. A run has arrived when the "
        f"infinity norm of the gradient is at most {target:.0e}, by the engine, within "
        f"{limit:.0f} s; one thread. SciPy works on the engine's derivatives (trust-exact and "
        "trust-ncg with the exact Hessian, least_squares with the exact Jacobian), its own "
        "tolerances off, and is stopped at the first gradient that is small enough. Runs of one "
        "start follow each other. The median time is over all runs, those that did not arrive "
        "counting as infinitely long.",
        _summary(measured),
        _fractions(measured),
        *(_details(m) for m in measured),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(measured: Sequence[Measured]) -> str:
    rows = []
    for m in measured:
        auto = m.median_seconds("mlpflow auto")
        ours, peer = m.best("mlpflow"), m.best("SciPy")
        ratio = peer[1] / auto if auto < float("inf") else float("nan")
        most = max(m.arrived(n) for n in m.runs if n.startswith("SciPy"))
        met = ratio >= REQUIRED and m.arrived("mlpflow auto") >= most
        rows.append(
            [m.problem.name, str(m.problem.nparams), _time(auto), _side(ours), _side(peer),
             _ratio(ratio), "yes" if met else "**no**"]
        )  # fmt: skip
    header = ["problem", "P", "our auto", "our fastest", "SciPy's fastest", "SciPy / auto",
              f"at least {REQUIRED:.0f}x and as often"]  # fmt: skip
    return "## Median time to the fixed point\n\n" + table(header, rows)


def _ratio(ratio: float) -> str:
    return "no peer arrives in half of the runs" if ratio == float("inf") else f"{ratio:.1f}x"


def _fractions(measured: Sequence[Measured]) -> str:
    rows = []
    for name in measured[0].runs:
        counts = [m.arrived(name) for m in measured]
        starts = sum(len(m.problem.seeds) for m in measured)
        rows.append([name, f"{sum(counts)} of {starts}", *map(str, counts)])
    header = ["method", "all", *(m.problem.name for m in measured)]
    return "## Runs that arrive\n\n" + table(header, rows)


def _details(m: Measured) -> str:
    rows = []
    for name, runs in m.runs.items():
        ends: dict[str, int] = {}
        for run in runs:
            if run.gnorm > m.target:
                why = run.why.split(".")[0]
                ends[why] = ends.get(why, 0) + 1
        rows.append(
            [name, f"{m.arrived(name)} of {len(runs)}", _time(m.median_seconds(name)),
             f"{median(r.evaluations for r in runs):.0f}", f"{max(r.gnorm for r in runs):.0e}",
             f"{median(r.loss for r in runs):.1e}",
             "; ".join(f"{count} x {why}" for why, count in ends.items())]
        )  # fmt: skip
    header = ["method", "arrived", "median time", "median evaluations", "largest gradient",
              "median loss", "the others said"]  # fmt: skip
    return f"## {m.problem.name}, P = {m.problem.nparams}\n\n" + table(header, rows)


def _side(best: tuple[str, float]) -> str:
    name, seconds = best
    return "-" if seconds == float("inf") else f"{_time(seconds)} ({name.split(' ', 1)[1]})"


def _time(seconds: float) -> str:
    return "-" if seconds == float("inf") else f"{1e3 * seconds:.3g} ms"
