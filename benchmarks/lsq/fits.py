"""sinc, Poisson, ODE: our fit until it is better than the peer after all its attempts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from mlpflow import lsq

from ..report import table
from .problems import PROBLEMS, Problem
from .published import DampedDense

__all__ = ["fits"]

SEEDS = range(5)
QUICK_SEEDS = range(2)
QUICK_ATTEMPTS = {"sinc": 500, "Poisson": 150, "ODE system": 50}


@dataclass(frozen=True)
class Run:
    """One end: the loss, the largest error on a fine grid, seconds, attempts or evaluations."""

    loss: float
    error: float
    seconds: float
    attempts: int


def fits(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report; `limit` seconds a problem, after which no new seed begins."""
    rows, notes = [], []
    for name, (make, steps) in PROBLEMS.items():
        _pair(make, 0, 3, limit)  # what is loaded or compiled at first use is not timed
        pairs, start = [], time.monotonic()
        budget = QUICK_ATTEMPTS[name] if quick else steps
        for seed in QUICK_SEEDS if quick else SEEDS:
            if time.monotonic() - start > limit:
                break
            pairs.append(_pair(make, seed, budget, limit))
            say(f"{name}, seed {seed}: {pairs[-1]}")
        rows += _rows(name, pairs)
        done = [theirs.attempts for theirs, _ in pairs]
        notes.append(_note(name, done, steps))
    header = ["problem", "method", "seeds", "median loss", "median largest error",
              "median attempts", "median time", "median ratio of times",
              "smallest ratio"]  # fmt: skip
    return "\n\n".join(
        [
            "The peer's algorithm makes its attempts, then ours starts from the same parameters "
            "with default options and stops as soon as its loss is at most half the peer's last, "
            "or after as many steps as the peer made attempts. The error is the largest on "
            "100,000 points of [-1, 1], 201 x 201 of the square, and 10,000 of [0, 2 pi]. An "
            "attempt of ours is an evaluation of the loss.",
            table(header, rows),
            "\n".join(notes),
        ]
    )


def _pair(make: Callable[[int], Problem], seed: int, steps: int, limit: float) -> tuple[Run, Run]:
    problem = make(seed)
    peer = DampedDense(problem.net, problem.theirs)
    start, attempts = time.perf_counter(), 0
    while attempts < steps and time.perf_counter() - start < limit:
        peer.attempt()
        attempts += 1
    seconds = time.perf_counter() - start
    problem = make(seed)
    result = lsq.fit(problem.net, problem.ours, max_steps=attempts, minloss=peer.now / 2)
    error = problem.error()
    peer.put(problem.net)
    theirs = Run(peer.now, problem.error(), seconds, attempts)
    return theirs, Run(result.loss, error, result.time, result.evaluations)


def _rows(name: str, pairs: list[tuple[Run, Run]]) -> list[list[str]]:
    ratios = [theirs.seconds / ours.seconds for theirs, ours in pairs]
    rows = []
    for column, method in enumerate(("the peer's", "mlpflow")):
        runs = [pair[column] for pair in pairs]
        rows.append(
            [name, method, str(len(runs)), f"{median(r.loss for r in runs):.1e}",
             f"{median(r.error for r in runs):.1e}", f"{median(r.attempts for r in runs):.0f}",
             f"{median(r.seconds for r in runs):.1f} s",
             f"{median(ratios):.1f}x" if column else "", f"{min(ratios):.1f}x" if column else ""]
        )  # fmt: skip
    return rows


def _note(name: str, done: list[int], steps: int) -> str:
    cut = "" if min(done) == steps else f", instead of the full {steps:,}"
    many = ", ".join(f"{n:,}" for n in done)
    return f"- {name}: {len(done)} of {len(SEEDS)} seeds; attempts of the peer: {many}{cut}."
