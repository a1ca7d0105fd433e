"""Repeated, interleaved measurements and their medians."""

from __future__ import annotations

import gc
import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["QUICK", "Contender", "Effort", "PythonContender", "Timing", "measure"]


class Contender(ABC):
    """Something that computes one quantity of one problem; its name stands over its column."""

    name: str

    @abstractmethod
    def result(self) -> np.ndarray:
        """What it computes, as one flat array in the order of PyTorch's parameters."""

    @abstractmethod
    def seconds(self, calls: int) -> float:
        """The time that so many evaluations take, one after the other."""


class PythonContender(Contender):
    """A Python callable.

    Parameters
    ----------
    name : str
    run : callable
        One evaluation, complete when it returns.
    numbers : callable
        From what `run` returns to a flat array.
    """

    def __init__(
        self, name: str, run: Callable[[], Any], numbers: Callable[[Any], np.ndarray]
    ) -> None:
        self.name = name
        self._run = run
        self._numbers = numbers

    def result(self) -> np.ndarray:
        return np.asarray(self._numbers(self._run()), dtype=np.float64).ravel()

    def seconds(self, calls: int) -> float:
        run = self._run
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return time.perf_counter() - start


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    block : float
        Seconds of one block: calls timed together, so that the clock's resolution is nothing.
    rounds : int
        Blocks of each contender, taken in turns.
    fewest : int
        Blocks of a contender whose single call is longer than `long` seconds.
    long : float
    limit : float
        Seconds of one call above which a peer is not run.
    memory : float
        Bytes above which a peer is not run.
    """

    block: float = 0.04
    rounds: int = 11
    fewest: int = 3
    long: float = 0.4
    limit: float = 12.0
    memory: float = 8e9


QUICK = Effort(block=0.01, rounds=3, fewest=2, long=0.1, limit=1.0, memory=2e9)


@dataclass(frozen=True)
class Timing:
    """Seconds a call: the median over blocks, and the quartiles around it."""

    median: float
    low: float
    high: float
    blocks: int

    @classmethod
    def of(cls, blocks: Sequence[float]) -> Timing:
        """From the seconds a call of each block."""
        ordered = sorted(blocks)
        quarter = len(ordered) // 4
        median = statistics.median(ordered)
        return cls(median, ordered[quarter], ordered[-1 - quarter], len(ordered))


def measure(contenders: Sequence[Contender], effort: Effort) -> dict[str, Timing]:
    """Time contenders in turns, so that what disturbs the machine disturbs them alike.

    Each has run once before (its result was compared): everything is compiled and in place.
    """
    gc.collect()
    gc.disable()
    try:
        plans = {}
        for contender in contenders:
            once = contender.seconds(1)
            if once < effort.long:
                once = min(once, contender.seconds(1))
            calls = max(1, round(effort.block / max(once, 1e-8)))
            plans[contender.name] = (calls, effort.fewest if once > effort.long else effort.rounds)
        blocks: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        for number in range(effort.rounds):
            for contender in contenders:
                calls, rounds = plans[contender.name]
                if number % (effort.rounds // rounds) == 0 and len(blocks[contender.name]) < rounds:
                    blocks[contender.name].append(contender.seconds(calls) / calls)
    finally:
        gc.enable()
    return {name: Timing.of(values) for name, values in blocks.items()}
