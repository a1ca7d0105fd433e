"""Measure, print, write."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import report
from .contenders import Arrival, contenders, run
from .problems import PROBLEMS, QUICK_PROBLEMS, FixedPoints
from .report import Measured

__all__ = ["main"]

RESULTS = Path(__file__).parents[1] / "results" / "optimizers.md"
TARGET = 1e-10
LIMIT = 10.0  # seconds of one run


def main() -> int:
    """Run all problems."""
    options = _options()
    problems = QUICK_PROBLEMS if options.quick else PROBLEMS
    start = time.monotonic()
    chosen = [p for p in problems if options.only in p.name]
    measured = [_measure(p, options.limit, start) for p in chosen]
    text = report.markdown(measured, TARGET, options.limit, time.monotonic() - start, options.note)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0


def _measure(problem: FixedPoints, limit: float, start: float) -> Measured:
    chosen = contenders()
    net, p = problem.make(0)
    for contender in chosen.values():  # what is compiled or loaded at first use is not timed
        run(contender, net, p, TARGET, 0.5)
    runs: dict[str, list[Arrival]] = {name: [] for name in chosen}
    for seed in problem.seeds:
        _say(start, f"{problem.name}: start {seed}")
        net, p = problem.make(seed)
        for name, contender in chosen.items():
            runs[name].append(run(contender, net, p, TARGET, limit))
    return Measured(problem, TARGET, runs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.optimizers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small problems, three starts")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of one run, at most")
    parser.add_argument("--only", default="", help="problems whose name contains this")
    parser.add_argument("--note", default="", help="a sentence for the report")
    parser.add_argument("--out", type=Path, help="the report (default: results/optimizers.md)")
    options = parser.parse_args()
    if options.out is None and not (options.quick or options.only):
        options.out = RESULTS
    return options


def _say(start: float, line: str) -> None:
    print(f"{time.monotonic() - start:5.0f} s  {line}", file=sys.stderr, flush=True)
