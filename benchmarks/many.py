"""Many runs side by side: `python -m benchmarks.many`.

The same starting points are trained with one worker and with two. Required: at least 1.8 times
faster with two, identical bits in the same order; and a run that kills its worker loses nothing
but itself.

Two workers cannot be faster than two processes that share nothing: a loop in plain Python, one of
it and two at a time, shows what the machine gives to a second process during the measurement.
Processor seconds say what the workers have used, also on a machine that is busy with other things.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import mlpflow as mf

__all__ = ["main"]

REQUIRED = 1.8
SPIN = 20_000_000  # additions: about a second

# No budget in seconds: nothing depends on how fast the machine is.
KEYWORDS: dict[str, Any] = {
    "maxT": 1000.0,
    "maxtime_ode": np.inf,
    "maxiterations_ode": 300,
    "maxtime_optim": np.inf,
    "maxiterations_optim": 60,
}

# Its worker is killed by the system when a weighted sum is large.
DEADLY = mf.Activation(
    "deadly",
    "x -> (x > 1e6 && ccall(:raise, Cint, (Cint,), 9); tanh(x))",
    "x -> 1 - tanh(x)^2",
    "x -> -2 * tanh(x) * (1 - tanh(x)^2)",
)


def main() -> int:
    """Measure, print, write."""
    options = _options()
    net = _net("softplus", samples=3000)
    runs, seconds, used = _in_turns(net, options.seeds, options.workers, options.rounds)
    spin = _spin_speedup(options.workers)
    faster = statistics.median(seconds[1]) / statistics.median(seconds[options.workers])
    same = all(_bits(runs[1]) == _bits(other) for other in runs.values())
    lost, identical = _crash(options.workers, options.quick)
    lines = [
        "# Many runs",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, load averages "
        f"{', '.join(f'{value:.1f}' for value in os.getloadavg())}.",
        f"{options.seeds} starting points of a network with {net.nparams} parameters and "
        f"{len(net.inputs)} samples, medians of {options.rounds}, workers started and ended each "
        "time.",
        *(
            f"- workers: {number}; {statistics.median(seconds[number]):.1f} s, "
            f"{statistics.median(used[number]):.1f} processor seconds"
            for number in seconds
        ),
        f"- {faster:.2f} times faster (required with 2: {REQUIRED}); a loop in plain Python that "
        f"shares nothing: {spin:.2f} times",
        f"- in order, and the same bits: {'yes' if same else '**no**'}",
        f"- one run that kills its worker, of {len(identical)}: {lost} lost, the others with the "
        f"same bits as one by one: {'yes' if all(identical) else '**no**'}",
    ]
    text = "\n\n".join(lines[:3]) + "\n\n" + "\n".join(lines[3:]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0 if same and lost == 1 and all(identical) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turns")
    parser.add_argument("--quick", action="store_true", help="40 seeds, once")
    parser.add_argument("--out", type=Path, help="write the report there too")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.rounds = min(options.seeds, 40), 1
    return options


def _net(activation: Any, samples: int) -> mf.Net:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, 2))
    teacher = mf.TeacherNet([(4, "softplus", True), (1, "identity", True)], inputs=2, rng=rng)
    return mf.Net([(6, activation, True), (1, "identity", True)], x, teacher(x))


def _in_turns(
    net: mf.Net, seeds: int, workers: int, rounds: int
) -> tuple[dict[int, list[Any]], dict[int, list[float]], dict[int, list[float]]]:
    """Results, seconds and processor seconds by number of workers."""
    runs: dict[int, list[Any]] = {}
    seconds: dict[int, list[float]] = {1: [], workers: []}
    used: dict[int, list[float]] = {1: [], workers: []}
    for _ in range(rounds):
        for number in (1, workers):
            mf.shutdown()  # every measurement starts all its workers
            start, before = time.perf_counter(), _processor_seconds()
            runs[number] = mf.train_many(
                net, n=seeds, seed=0, workers=number, progress=False, **KEYWORDS
            )
            seconds[number].append(time.perf_counter() - start)
            mf.shutdown()  # what a process has used is known when it has ended
            used[number].append(_processor_seconds() - before)
            print(f"{number} workers: {seconds[number][-1]:.1f} s", file=sys.stderr)
    return runs, seconds, used


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _bits(runs: list[Any]) -> list[bytes]:
    return [run.init.flat.tobytes() + run.params.flat.tobytes() for run in runs]


def _crash(workers: int, quick: bool) -> tuple[int, list[bool]]:
    """How many runs are lost, and whether each of the others is what it is alone."""
    net = _net(DEADLY, samples=100)
    starts = [mf.random_params(net, rng=seed) for seed in range(10 if quick else 50)]
    starts[3] = starts[3] * 1e8
    runs = mf.train_many(net, starts, workers=workers, progress=False, **KEYWORDS)
    lost = sum(isinstance(run, mf.FailedRun) for run in runs)
    identical = [True] * len(runs)
    for number, (run, start) in enumerate(zip(runs, starts, strict=True)):
        if number != 3:
            alone = mf.train(net, start, progress=False, **KEYWORDS)
            identical[number] = _bits([run]) == _bits([alone])
    return lost, identical


def _spin(_: int) -> float:
    start = time.perf_counter()
    total = 0
    for number in range(SPIN):
        total += number
    return time.perf_counter() - start


def _spin_speedup(processes: int) -> float:
    """How many times more a number of processes do together than one alone."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        alone = max(pool.map(_spin, range(1)))
        together = max(pool.map(_spin, range(processes), chunksize=1))
    return processes * alone / together


if __name__ == "__main__":
    sys.exit(main())
