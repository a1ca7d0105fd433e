"""Work and precision: tighter and tighter tolerances, until a method is accurate enough."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["OutOfTimeError", "Point", "Run", "climb", "relative_error", "time_in_turns"]


class OutOfTimeError(Exception):
    """A run took longer than it may."""


@dataclass(frozen=True)
class Run:
    """What a method returned.

    Attributes
    ----------
    end : ndarray of shape (P,)
    counts : str
        Steps and evaluations, for the table.
    """

    end: np.ndarray
    counts: str


@dataclass(frozen=True)
class Point:
    """One run of the ladder."""

    tolerance: float
    error: float
    seconds: float
    counts: str


# From (tolerance, seconds that it may take) to a run.
Method = Callable[[float, float], Run]


def relative_error(end: np.ndarray, reference: np.ndarray) -> float:
    """In the Euclidean norm."""
    return float(np.linalg.norm(end - reference) / np.linalg.norm(reference))


def climb(
    method: Method,
    tolerances: Sequence[float],
    reference: np.ndarray,
    target: float,
    limit: float,
) -> tuple[list[Point], str]:
    """Tighter tolerances until the error is at most `target`; why there is no such point, or "".

    Parameters
    ----------
    limit : float
        Seconds of one run.
    """
    points: list[Point] = []
    for tolerance in tolerances:
        start = time.perf_counter()
        try:
            run = method(tolerance, limit)
        except OutOfTimeError:
            return points, f"more than {limit:.0f} s at tolerance {tolerance:.0e}"
        except Exception as error:  # a method that fails must not end the measurement
            return points, f"failed at tolerance {tolerance:.0e}: {error}"
        seconds = time.perf_counter() - start
        error = relative_error(run.end, reference)
        points.append(Point(tolerance, error, seconds, run.counts))
        if error <= target:
            return points, ""
    return points, f"not reached with tolerance {tolerances[-1]:.0e}"


def time_in_turns(
    methods: dict[str, tuple[Method, float]], limit: float, rounds: int
) -> dict[str, float]:
    """Median seconds of each method at its tolerance, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, (method, tolerance) in methods.items():
            start = time.perf_counter()
            method(tolerance, 10 * limit)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
