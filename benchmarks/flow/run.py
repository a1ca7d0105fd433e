"""Measure, print, write."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import report
from .ladder import Point, climb, time_in_turns
from .methods import our_method, reference, scipy_method
from .problems import PROBLEMS, QUICK_PROBLEMS, FlowProblem
from .report import Measured
from .steps import measure_steps

__all__ = ["main"]

RESULTS = Path(__file__).parents[1] / "results" / "flow.md"
TARGET = 1e-6
LIMIT = 90.0  # seconds of one run
HOPELESS = 4.0  # a run is given up after so many times what the fastest of its side has needed,
SHORTEST = 8.0  # but not before so many seconds
ROUNDS = 3


def main() -> int:
    """Run all problems."""
    options = _options()
    problems = QUICK_PROBLEMS if options.quick else PROBLEMS
    start = time.monotonic()
    measured = []
    for problem in problems:
        if options.only in problem.name:
            measured.append(_measure(problem, start))
    steps = measure_steps() if options.only in "steps" else []
    text = report.markdown(measured, steps, TARGET, time.monotonic() - start, options.note)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0


def _measure(problem: FlowProblem, start: float) -> Measured:
    net, p = problem.make()
    _say(start, f"{problem.name}: reference")
    end, doubt = reference(net, p, problem.T, problem.ours)
    methods = {f"mlpflow {alg}": our_method(net, p, problem.T, alg) for alg in problem.ours}
    methods |= {f"SciPy {name}": scipy_method(net, p, problem.T, name) for name in problem.peers}
    ladders = {}
    arrived: dict[str, Point] = {}
    for name, method in methods.items():
        _say(start, f"{problem.name}: {name}")
        same_side = [point.seconds for other, point in arrived.items() if other[:3] == name[:3]]
        limit = min([LIMIT, *(max(SHORTEST, HOPELESS * seconds) for seconds in same_side)])
        ladders[name] = climb(method, problem.tolerances, end, TARGET, limit)
        points, why = ladders[name]
        if not why:
            arrived[name] = points[-1]
    _say(start, f"{problem.name}: in turns")
    # Who is much slower than the best of its side is not timed again.
    chosen = {
        name: (methods[name], point.tolerance)
        for name, point in arrived.items()
        if point.seconds <= 1.5 * min(q.seconds for m, q in arrived.items() if m[:3] == name[:3])
    }
    seconds = time_in_turns(chosen, LIMIT, ROUNDS)
    return Measured(problem, net.nparams, ladders, seconds, doubt)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.flow", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small problem")
    parser.add_argument("--only", default="", help="problems whose name contains this; or: steps")
    parser.add_argument("--note", default="", help="a sentence for the report")
    parser.add_argument("--out", type=Path, help="the report's file (default: results/flow.md)")
    options = parser.parse_args()
    if options.out is None and not (options.quick or options.only):
        options.out = RESULTS
    return options


def _say(start: float, line: str) -> None:
    print(f"{time.monotonic() - start:5.0f} s  {line}", file=sys.stderr, flush=True)
