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
PEER, REACHED, WHOLE = "the peer's", "mlpflow, to half its loss", "mlpflow, to its own end"
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
        _runs(make, 0, 3, limit)  # what is loaded or compiled at first use is not timed
        found, start = [], time.monotonic()
        budget = QUICK_ATTEMPTS[name] if quick else steps
        for seed in QUICK_SEEDS if quick else SEEDS:
            if time.monotonic() - start > limit:
                break
            found.append(_runs(make, seed, budget, limit))
            say(f"{name}, seed {seed}: {found[-1]}")
        rows += _rows(name, found)
        done = [runs[PEER].attempts for runs in found]
        notes.append(_note(name, done, steps))
    header = ["problem", "method", "seeds", "median loss", "median largest error",
              "median attempts", "median time", "median ratio of times",
              "smallest ratio"]  # fmt: skip
    return "\n\n".join(
        [
            "The peer's algorithm makes its attempts, then ours starts from the same parameters, "
            "with default options: it stops by itself, or after as many steps or seconds as the "
            "peer took. The row before tells when the same run had at most half the peer's last "
            "loss, or its end where it never had. Factors of the damping, the rule that "
            "ends a run, and the rounding of its eigenvalues were chosen on sinc, seeds 0 to 4, "
            "Poisson, seeds 0 to 4, and the ODE system, seed 0. The error is the largest on "
            "100,000 points of [-1, 1], 201 x 201 of the square, and 10,000 of [0, 2 pi]. An "
            "attempt of ours is an evaluation of the loss.",
            table(header, rows),
            "\n".join(notes),
        ]
    )


def _runs(make: Callable[[int], Problem], seed: int, steps: int, limit: float) -> dict[str, Run]:
    """By method, the peer's first."""
    problem = make(seed)
    peer = DampedDense(problem.net, problem.theirs)
    start, attempts = time.perf_counter(), 0
    while attempts < steps and time.perf_counter() - start < limit:
        peer.attempt()
        attempts += 1
    seconds = time.perf_counter() - start
    peer.put(problem.net)
    runs = {PEER: Run(peer.now, problem.error(), seconds, attempts)}
    problem = make(seed)
    reached: list[Run] = []
    paused = 0.0  # seconds on the errors of the row in between

    def watch(number: int, step: lsq.Step) -> bool:
        nonlocal paused
        count[0] += step.trials
        now = time.perf_counter()
        if not reached and step.loss <= peer.now / 2:
            reached.append(Run(step.loss, problem.error(), now - start - paused, count[0]))
            paused += time.perf_counter() - now
        return False

    count, start = [0], time.perf_counter()
    result = lsq.fit(
        problem.net, problem.ours, max_steps=attempts, max_time=seconds, callback=watch
    )
    runs[WHOLE] = Run(result.loss, problem.error(), result.time - paused, result.evaluations)
    runs[REACHED] = reached[0] if reached else runs[WHOLE]
    return runs


def _rows(problem: str, found: list[dict[str, Run]]) -> list[list[str]]:
    rows = []
    for method in (PEER, REACHED, WHOLE):
        pairs = [(runs[PEER], runs[method]) for runs in found if method in runs]
        runs = [run for _, run in pairs]
        ratios = [peer.seconds / run.seconds for peer, run in pairs]
        ours = method != PEER
        rows.append(
            [problem, method, str(len(runs)), f"{median(r.loss for r in runs):.1e}",
             f"{median(r.error for r in runs):.1e}", f"{median(r.attempts for r in runs):.0f}",
             f"{median(r.seconds for r in runs):.1f} s",
             f"{median(ratios):.1f}x" if ours else "", f"{min(ratios):.1f}x" if ours else ""]
        )  # fmt: skip
    return rows


def _note(name: str, done: list[int], steps: int) -> str:
    cut = "" if min(done) == steps else f", instead of the full {steps:,}"
    many = ", ".join(f"{n:,}" for n in done)
    return f"- {name}: {len(done)} of {len(SEEDS)} seeds; attempts of the peer: {many}{cut}."
