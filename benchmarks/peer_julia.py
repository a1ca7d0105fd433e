"""The engine in Julia alone: a process of its own, timed inside, spoken to in lines."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

import numpy as np

from mlpflow.engine.discovery import engine_root, find_julia
from mlpflow.engine.environment import worker_environment

from .cases import Case, Problem
from .timing import Contender

__all__ = ["JULIA", "JuliaProcess"]

JULIA = "mlpflow, Julia"
SCRIPT = Path(__file__).with_name("julia_alone.jl")

# A row a quantity that julia_alone.jl evaluates.
QUANTITIES = ("gradient", "hessian", "hvp", "jacobian", "gauss_newton")


class JuliaProcess:
    """A running julia_alone.jl.

    Parameters
    ----------
    threads : int
        Julia's threads.
    cores : collection of int, optional
        Where it may run, if not where this process does.
    """

    def __init__(self, threads: int = 1, cores: Collection[int] | None = None) -> None:
        julia = find_julia()
        self.threads = threads
        self._folder = tempfile.TemporaryDirectory(prefix="mlpflow-benchmarks-")
        here = os.sched_getaffinity(0)
        # Set before the start: threads inherit it when they are made.
        os.sched_setaffinity(0, cores or here)
        try:
            self._process = subprocess.Popen(
                [julia.path, "--startup-file=no", f"--threads={threads}", str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=worker_environment(julia, engine_root()) | {"JULIA_NUM_THREADS": str(threads)},
            )
        finally:
            os.sched_setaffinity(0, here)

    def ask(self, line: str) -> str:
        """Send a line, wait for the reply."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"Julia ended at '{line}' with exit code {self._process.wait()}")
        return reply.strip()

    def contenders(self, quantity: str, problem: Problem) -> list[Contender]:
        """The engine for a quantity; nothing where julia_alone.jl has no such row."""
        if quantity not in QUANTITIES:
            return []
        file = self.file("problem")
        _write_problem(file, problem)
        case = problem.case
        self.ask(f"load {file} {quantity} {case.losstype} {_layers_text(case)}")
        return [_JuliaContender(self, quantity)]

    def file(self, name: str) -> Path:
        """A file that both sides can reach."""
        return Path(self._folder.name) / name

    def __enter__(self) -> JuliaProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()


class _JuliaContender(Contender):
    """Evaluates the problem that was loaded last."""

    def __init__(self, process: JuliaProcess, quantity: str) -> None:
        self.name = JULIA if process.threads == 1 else f"{JULIA}, {process.threads} threads"
        self._process = process
        self._quantity = quantity

    def result(self) -> np.ndarray:
        file = self._process.file("result")
        self._process.ask(f"result {self._quantity} {file}")
        return np.fromfile(file)

    def seconds(self, calls: int) -> float:
        return float(self._process.ask(f"time {self._quantity} {calls}"))


def _layers_text(case: Case) -> str:
    return ";".join(f"{k},{f},{int(bias)}" for k, f, bias in case.layers)


def _write_problem(file: Path, problem: Problem) -> None:
    y = problem.y.reshape(len(problem.y), -1).astype(np.float64)
    sizes = np.array([problem.x.shape[1], len(y), y.shape[1], len(problem.p)], dtype=np.int64)
    with file.open("wb") as out:
        for array in (sizes, problem.x, y, problem.p, problem.v):
            array.tofile(out)
