"""Many samples: the peak of memory, and two processes beside one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from ..one_thread import ALL_CORES, ENVIRONMENT
from ..report import table

__all__ = ["memory", "ranks"]

ROOT = Path(__file__).parents[2]
Say = Callable[[str], None]


def _run(jobs: list[list[object]]) -> list[dict[str, Any]]:
    """Workers that start together, each on the core that its job says."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lsq.worker", *map(str, job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            preexec_fn=lambda: os.sched_setaffinity(0, ALL_CORES),
        )
        for job in jobs
    ]
    try:
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("a worker did not start")
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = [json.loads(process.stdout.readline()) for process in started if process.stdout]
        for process in started:
            process.wait(timeout=60)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
    return found


def memory(quick: bool, limit: float, say: Say) -> str:
    """The section of the report."""
    nparams, samples = (1000, 20_000) if quick else (5000, 100_000)
    (found,) = _run([[0, 1, "-", min(ALL_CORES), nparams, samples, 1]])
    say(f"memory: {found}")
    dense = 8 * 3 * samples * found["nparams"]
    return (
        f"{samples:,} samples x 3 outputs, {found['nparams']:,} parameters, one step of `lsq.fit` "
        f"with default options ({found['trials'][0]} trials, {found['seconds']:.0f} s): peak of "
        f"the resident memory of the whole process **{found['peak'] / 1e9:.2f} GB**, of which "
        f"{found['before'] / 1e9:.2f} GB were there before it (PyTorch, data). The Jacobian alone "
        f"would take {dense / 1e9:.1f} GB. Required: under 1.5 GB at 100,000 samples and 5,000 "
        "parameters. No file is written."
    )


def ranks(quick: bool, limit: float, say: Say) -> str:
    """The section of the report."""
    nparams, samples, steps, turns = (1000, 20_000, 3, 1) if quick else (1000, 100_000, 3, 2)
    cores = sorted(ALL_CORES)
    if len(cores) < 2:
        return "Not run: two cores are needed."
    times: dict[str, list[float]] = {"one": [], "two": [], "apart": []}
    difference = 0.0
    for _ in range(turns):
        rest = [nparams, samples, steps]
        (one,) = _run([[0, 1, "-", cores[0], *rest]])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "meet"
            two = _run([[rank, 2, file, cores[rank], *rest] for rank in range(2)])
        apart = _run([[rank, -2, "-", cores[rank], *rest] for rank in range(2)])
        times["one"].append(one["seconds"])
        times["two"].append(max(found["seconds"] for found in two))
        # Their steps may take other numbers of trials: seconds a trial count.
        times["apart"].append(
            max(f["seconds"] / sum(f["trials"]) for f in apart) * sum(one["trials"])
        )
        for found in two:
            pairs = zip(one["losses"], found["losses"], strict=True)
            difference = max(difference, *(abs(b / a - 1) for a, b in pairs))
        say("ranks: " + ", ".join(f"{name} {values[-1]:.1f} s" for name, values in times.items()))
    middle = {name: median(values) for name, values in times.items()}
    rows = [
        ["one process, all samples", f"{middle['one']:.2f} s", ""],
        ["two ranks, half the samples each", f"{middle['two']:.2f} s",
         f"{middle['one'] / middle['two']:.2f}x"],
        ["two processes that share nothing, half each", f"{middle['apart']:.2f} s",
         f"{middle['one'] / middle['apart']:.2f}x"],
    ]  # fmt: skip
    return "\n\n".join(
        [
            f"{samples:,} samples x 3 outputs, {one['nparams']:,} parameters, {steps} steps, every "
            f"process on a core of its own, medians of {turns} turns; gloo. The last line is what "
            "the machine gives. Required: 1.7x, and the same losses to 1e-10.",
            table(["", "time", "gain"], rows),
            f"Largest relative difference of the losses: {difference:.1e}.",
        ]
    )
