"""What `match_neurons` finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .params import Params

__all__ = ["ExtraNeuron", "Member", "NeuronMatch", "NeuronMatching"]


@dataclass(frozen=True)
class Member:
    """A student neuron that takes part in the work of a teacher neuron, or of none.

    Attributes
    ----------
    neuron : int
        Counted from 0.
    sign : int
        -1 when its incoming weights have the opposite sign.
    part : float
        Its part of the outgoing weights of its group; the parts add up to 1.
    """

    neuron: int
    sign: int
    part: float


@dataclass(frozen=True)
class NeuronMatch:
    """A teacher neuron, and the student neurons that do its work together.

    Attributes
    ----------
    teacher : int
        Counted from 0.
    students : tuple of Member
        Those with the same incoming weights (up to symmetry), the largest part first.
    distance : float
        Euclidean distance of incoming and summed outgoing weights from the teacher's, after turning
        signs and scales back.
    """

    teacher: int
    students: tuple[Member, ...]
    distance: float

    @property
    def student(self) -> int:
        """The student neuron with the largest part."""
        return self.students[0].neuron

    @property
    def flipped(self) -> bool:
        """Has it the opposite signs?"""
        return self.students[0].sign < 0


@dataclass(frozen=True, eq=False)
class ExtraNeuron:
    """A student neuron that does no teacher neuron's work, and what it is instead.

    Attributes
    ----------
    student : int
        Counted from 0.
    kind : str
        ``"silent"`` (outgoing weights 0), ``"constant"`` (incoming weights 0), ``"dead"`` (the same
        output for all inputs), ``"cancelled"`` (by others with the same incoming weights), or
        ``"other"``.
    role : str
        The same in words.
    constant : ndarray of shape (Dout,)
        What it adds to the constant of the network.
    """

    student: int
    kind: str
    role: str
    constant: np.ndarray


@dataclass(frozen=True, eq=False)
class NeuronMatching:
    """What `match_neurons` finds.

    Attributes
    ----------
    matches : tuple of NeuronMatch
        In the teacher's order.
    missing : tuple of int
        Teacher neurons without a student neuron.
    extras : tuple of ExtraNeuron
        Student neurons without a teacher neuron.
    constant : ndarray of shape (Dout,)
        By how much the constant of the student differs from the teacher's: output biases, constant
        neurons, and what turning signs has left.
    linear : ndarray of shape (Dout, Din)
        A linear function of the inputs that turned signs of softplus, gelu, silu or relu neurons
        have left; where it is 0 the turned neurons cancel one another's.
    aligned : Params
        The student in the teacher's layers: neurons in the teacher's order (zeros for missing
        ones), duplicates merged, signs and scales turned back, all constants in the output bias.
        What the teacher has no place for, biases, constants or a linear function, is left out.
    """

    matches: tuple[NeuronMatch, ...]
    missing: tuple[int, ...]
    extras: tuple[ExtraNeuron, ...]
    constant: np.ndarray
    linear: np.ndarray
    aligned: Params

    @property
    def distance(self) -> float:
        """The largest distance of a match, NaN when a teacher neuron is missing."""
        if self.missing:
            return float("nan")
        return max(match.distance for match in self.matches)

    def __repr__(self) -> str:
        lines = []
        for match in self.matches:
            members = ", ".join(
                f"{'-' if m.sign < 0 else ''}{m.neuron}"
                + (f" ({m.part:.3g})" if len(match.students) > 1 else "")
                for m in match.students
            )
            lines.append(f"  teacher {match.teacher} = student {members}: {match.distance:.1e}")
        lines += [f"  teacher {number}: missing" for number in self.missing]
        lines += [f"  student {extra.student}: {extra.role}" for extra in self.extras]
        return "\n".join(["NeuronMatching", *lines])
