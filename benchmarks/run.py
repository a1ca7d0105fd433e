"""Measure, print, write."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import report
from .cases import CASES, QUICK_CASES
from .comparison import Disagreement, Row, compare
from .figures import figures, measure_small_call, measure_threads
from .limits import Limits
from .peer_julia import JuliaProcess
from .timing import QUICK, Effort

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "objective.md"


def main() -> int:
    """Run all cases; 1 when somebody disagrees about a number."""
    options = _options()
    cases, effort = (QUICK_CASES, QUICK) if options.quick else (CASES, Effort())
    cases = [case for case in cases if options.only in case.name]
    start = time.monotonic()
    rows: list[Row] = []
    with JuliaProcess() as julia:
        limits = Limits(julia)
        for case in cases:
            for quantity in case.quantities:
                _say(f"{time.monotonic() - start:5.0f} s  {case.name}: {quantity}")
                try:
                    row = compare(case, quantity, julia, rows, effort)
                except Disagreement as error:
                    print(error, file=sys.stderr)
                    return 1
                if row is None:
                    _say(f"         mlpflow has no {quantity}: not measured")
                else:
                    rows.append(row)
        _say(f"{time.monotonic() - start:5.0f} s  small call, threads")
        small_call = measure_small_call(effort)
        largest = max((case.samples for case in cases if case.on_grid), default=0)
        grid = [case for case in cases if case.on_grid and case.samples == largest]
        threads = measure_threads(grid, effort) if grid else []
        found = figures(rows, limits, threads, small_call)
        text = report.markdown(rows, found, limits, effort, time.monotonic() - start, options.note)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
        _say(f"written to {options.out}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases, under a minute")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--note", default="", help="a sentence for the report")
    parser.add_argument(
        "--out", type=Path, help="the report's file (default: results/objective.md, none if quick)"
    )
    options = parser.parse_args()
    if options.out is None and not (options.quick or options.only):
        options.out = RESULTS
    return options


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
