"""One row of the tables: a quantity of a case, computed by everybody, compared, then timed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from . import peer_jax, peer_mlpflow, peer_torch
from .cases import Case, Problem, make_problem
from .peer_julia import JULIA, JuliaProcess
from .peer_mlpflow import PYTHON
from .timing import Contender, Effort, Timing, measure

__all__ = ["AGREEMENT", "OURS", "Disagreement", "Row", "compare"]

AGREEMENT = 1e-10
OURS = (PYTHON, JULIA)


class Disagreement(Exception):  # noqa: N818 - the word that a person reads
    """Two contenders computed different numbers: nothing is timed."""


@dataclass
class Row:
    """The measurements of one quantity of one case.

    Attributes
    ----------
    case : Case
    quantity : str
    timings : dict
        By contender.
    not_run : dict
        Why a contender was not run, by contender.
    compared_with : str
        What our numbers were compared with.
    error : float
        The largest difference found, relative to the largest number.
    """

    case: Case
    quantity: str
    timings: dict[str, Timing] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    compared_with: str = ""
    error: float = 0.0

    def seconds(self, name: str) -> float | None:
        """The median of a contender, None where it was not run."""
        timing = self.timings.get(name)
        return None if timing is None else timing.median

    @property
    def peers(self) -> dict[str, float]:
        """The peers' medians."""
        return {name: t.median for name, t in self.timings.items() if name not in OURS}

    @property
    def best_peer(self) -> float | None:
        """The shortest of the peers' medians."""
        return min(self.peers.values(), default=None)


def compare(
    case: Case, quantity: str, julia: JuliaProcess, earlier: Iterable[Row], effort: Effort
) -> Row | None:
    """Compute, compare and time; None where the engine has no such function."""
    problem = make_problem(case)
    ours = [
        *peer_mlpflow.contenders(quantity, problem),
        *julia.contenders(quantity, problem),
    ]
    if not ours:
        return None
    row = Row(case, quantity)
    family = [r for r in earlier if r.case.family == case.family and r.quantity == quantity]
    peers = []
    for module in (peer_torch, peer_jax):
        for contender in module.contenders(quantity, problem):
            bytes_needed = module.memory(contender.name, quantity, case)
            reason = _reason(contender.name, bytes_needed, case, family, effort)
            if reason:
                row.not_run[contender.name] = reason
            else:
                peers.append(contender)
    _check(row, problem, peers, ours)
    row.timings = measure([*peers, *ours], effort)
    return row


def _reason(
    name: str, bytes_needed: float, case: Case, family: list[Row], effort: Effort
) -> str | None:
    """Why a peer is not run: a call of it would be too long or take too much memory."""
    measured = [(r.case.samples, r.timings[name].median) for r in family if name in r.timings]
    reasons = []
    if measured:
        samples, seconds = measured[-1]
        expected = seconds * case.samples / samples
        if expected > effort.limit:
            reasons.append(f"a call would take about {expected:.0f} s (limit {effort.limit:.0f} s)")
    if bytes_needed > effort.memory:
        needed, limit = bytes_needed / 1e9, effort.memory / 1e9
        reasons.append(f"it would take about {needed:.0f} GB (limit {limit:.0f} GB)")
    return " and ".join(reasons) or None


def _check(row: Row, problem: Problem, peers: list[Contender], ours: list[Contender]) -> None:
    first, *others = [*peers, *ours]
    expected = first.result()
    row.compared_with = first.name
    for contender in others:
        found = contender.result()
        error = _relative_error(row.quantity, found, expected)
        row.error = max(row.error, error)
        if not error < AGREEMENT:
            raise Disagreement(
                f"{row.case.name}, {row.quantity}: expected {contender.name} to agree with "
                f"{first.name} to {AGREEMENT}, got {error:.1e}"
            )
    if not peers and row.quantity == "hessian":
        _check_by_products(row, problem, expected)


def _relative_error(quantity: str, found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        return np.inf
    # The value comes first in what "gradient" computes, and is no yardstick for the gradient.
    parts = (slice(0, 1), slice(1, None)) if quantity == "gradient" else (slice(None),)
    return max(
        float(np.abs(found[part] - expected[part]).max() / np.abs(expected[part]).max())
        for part in parts
    )


def _check_by_products(row: Row, problem: Problem, hessian: np.ndarray) -> None:
    row.compared_with = "PyTorch's H v"
    H = hessian.reshape(problem.case.nparams, -1)
    for v in np.random.default_rng(1).standard_normal((3, problem.case.nparams)):
        expected = peer_torch.product_with_hessian(problem, v)
        error = _relative_error("product", H @ v, expected)
        row.error = max(row.error, error)
        if not error < AGREEMENT:
            raise Disagreement(
                f"{row.case.name}: expected the Hessian times a vector to agree with PyTorch's to "
                f"{AGREEMENT}, got {error:.1e}"
            )
