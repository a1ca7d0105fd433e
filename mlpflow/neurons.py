"""Which neuron of a student does the work of which neuron of its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ExtraNeuron", "NeuronMatch", "match_sigmoid_neurons"]

MAX_TEACHER, MAX_STUDENT = 6, 8  # 8! / 2! = 20,160 assignments are tried in well under a second


@dataclass(frozen=True)
class NeuronMatch:
    """A teacher neuron and the student neuron that is nearest to it (both counted from 0).

    ``flipped`` says that the student has the opposite signs, and ``distance`` is the Euclidean
    distance of incoming and outgoing weights, after turning the signs back.
    """

    teacher: int
    student: int
    flipped: bool
    distance: float


@dataclass(frozen=True)
class ExtraNeuron:
    """A student neuron without a teacher neuron of its own, and what it is instead."""

    student: int
    role: str


def match_sigmoid_neurons(
    teacher: ArrayLike, student: ArrayLike, *, tolerance: float = 1e-3
) -> tuple[list[NeuronMatch], list[ExtraNeuron]]:
    """Assign a student neuron to every teacher neuron such that the distances add up to the least.

    Parameters
    ----------
    teacher : array, shape (K, Din + 1)
        One row a neuron: its incoming weights and its outgoing weight. K is at most 6.
    student : array, shape (R, Din + 1)
        Likewise, with K <= R <= 8.
    tolerance : float
        What counts as equal when the roles of extra neurons are named, relative to the largest
        weight of the teacher.

    Returns
    -------
    matches : list of NeuronMatch
        One a teacher neuron, in the teacher's order.
    extras : list of ExtraNeuron
        The other student neurons.

    Notes
    -----
    ``a sigmoid(z) = a - a sigmoid(-z)``: turning all signs of a neuron changes the function by the
    constant ``a``. A network without biases can only make up for it by other neurons, such as one
    with zero incoming weights, which is the constant 1/2. Both signs are therefore compared.
    """
    t = np.asarray(teacher, dtype=np.float64)
    s = np.asarray(student, dtype=np.float64)
    if t.ndim != 2 or s.ndim != 2 or t.shape[1] != s.shape[1] or len(t) > len(s):
        raise ValueError(
            f"expected (K, D) and (R, D) weights with K <= R, got shapes {t.shape} and {s.shape}"
        )
    if len(t) > MAX_TEACHER or len(s) > MAX_STUDENT:
        raise ValueError(
            f"expected at most {MAX_TEACHER} teacher and {MAX_STUDENT} student neurons, "
            f"got {len(t)} and {len(s)}"
        )
    straight = np.linalg.norm(t[:, None] - s[None], axis=2)
    turned = np.linalg.norm(t[:, None] + s[None], axis=2)
    cost = np.minimum(straight, turned)
    candidates = np.array(list(permutations(range(len(s)), len(t))), dtype=np.intp)
    best = candidates[cost[np.arange(len(t)), candidates].sum(axis=1).argmin()]
    matches = [
        NeuronMatch(i, int(j), bool(turned[i, j] < straight[i, j]), float(cost[i, j]))
        for i, j in enumerate(best)
    ]
    tol = tolerance * np.abs(t).max()
    extras = [
        ExtraNeuron(j, _role(s, j, matches, tol)) for j in range(len(s)) if j not in set(best)
    ]
    return matches, extras


def _role(s: NDArray[np.float64], j: int, matches: list[NeuronMatch], tol: float) -> str:
    incoming, outgoing = s[:, :-1], s[:, -1]
    if abs(outgoing[j]) < tol:
        return "silent: its outgoing weight is 0"
    if np.linalg.norm(incoming[j]) < tol:
        return f"the constant {outgoing[j] / 2:.4g}: its incoming weights are 0"
    for match in matches:
        k = match.student
        apart = np.linalg.norm(incoming[j] - incoming[k])
        if apart < tol:
            return (
                f"merged with student neuron {k + 1}: incoming weights {apart:.1e} apart, "
                f"outgoing weights add up to {outgoing[j] + outgoing[k]:.4g}"
            )
        if np.linalg.norm(incoming[j] + incoming[k]) < tol:
            return (
                f"opposite of student neuron {k + 1}: incoming weights of opposite sign, "
                f"outgoing weights differ by {outgoing[k] - outgoing[j]:.4g}"
            )
    return "not a neuron of the teacher"
