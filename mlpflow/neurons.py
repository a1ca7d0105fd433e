"""Which neurons of a student do the work of which neurons of its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_number, shown
from .activations import activation_text
from .data import checked_other_inputs
from .layers import Layer
from .matching import ExtraNeuron, Member, NeuronMatch, NeuronMatching
from .params import Params
from .result import TrainResult
from .symmetries import symmetry
from .teacher import TeacherNet

__all__ = ["match_neurons"]


def match_neurons(
    student: Any, teacher: Any, *, inputs: Any = None, tolerance: float = 1e-3
) -> NeuronMatching:
    """Find the permutation and the symmetries that bring a student closest to its teacher.

    Student neurons with the same incoming weights are first put together, and those without effect
    set aside. Each group is then compared with each teacher neuron, in the best of its symmetries:
    signs, for odd and even activations, for the sigmoid and the normal distribution function
    (f(-z) = 1 - f(z), which leaves a constant), and scales, for homogeneous activations such as
    relu. The assignment with the least sum of distances is found by the Hungarian method
    (H. W. Kuhn, Naval Research Logistics Quarterly 2 (1955); SciPy's implementation).

    Turning the signs of softplus, gelu, silu and relu, for which f(z) - f(-z) = z, leaves a linear
    function of the inputs, and no weight of the network can make up for it but those of other
    turned neurons. Such signs are turned where the linear functions cancel so well that what is
    left of them and the distances are together less than without turning any.

    Parameters
    ----------
    student, teacher : TeacherNet, TrainResult or Params
        With one hidden layer, the same inputs, and outputs of the same number and activation.
        Parameters of a teacher that do not know their activations take those of the student.
    inputs : array of shape (N, Din), optional
        Data with which to find student neurons that are dead on them: never active, or saturated.
    tolerance : float
        What counts as equal or zero, relative to the largest weight of the teacher.

    Returns
    -------
    NeuronMatching

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came.
    ImportError
        Without SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> layers = [(2, "tanh", True), (1, "identity", True)]
    >>> teacher = mf.TeacherNet(layers, inputs=1, params=[1.0, 2.0, 0.5, 0.0, 3.0, 4.0, 0.1])
    >>> student = mf.TeacherNet(layers, inputs=1, params=[-2.0, 1.0, 0.0, 0.5, -4.0, 3.0, 0.1])
    >>> mf.match_neurons(student, teacher)
    NeuronMatching
      teacher 0 = student 1: 0.0e+00
      teacher 1 = student -0: 0.0e+00
    """
    s = _Shallow.of(student, "student", None)
    t = _Shallow.of(teacher, "teacher", s.layers)
    s.check_comparable(t)
    relative = as_number(tolerance, "tolerance", low=0.0, strict=True)
    tol = relative * max(np.abs(t.incoming).max(), np.abs(t.outgoing).max())
    x = None if inputs is None else checked_other_inputs(inputs, s.incoming.shape[1] - 1)
    groups, extras = _groups(s, x, tol)
    chosen = _assign(groups, t)
    found = {choice.teacher for choice in chosen}
    matched = {id(choice.group) for choice in chosen}
    total = s.bias + sum(group.constant for group in groups)
    total = total + sum(choice.constant for choice in chosen) + sum(e.constant for e in extras)
    for group in groups:
        if id(group) not in matched:
            extras += _unmatched(group, tol)
    return NeuronMatching(
        tuple(choice.match() for choice in chosen),
        tuple(i for i in range(len(t.activations)) if i not in found),
        tuple(sorted(extras, key=lambda extra: extra.student)),
        total - t.bias,
        _linear(chosen, t),
        _aligned(t, chosen, total),
    )


@dataclass(frozen=True, eq=False)
class _Shallow:
    """A network with one hidden layer, neuron by neuron."""

    layers: tuple[Layer, ...]
    activations: tuple[Any, ...]
    incoming: np.ndarray  # (K, Din + 1), the last column the bias
    outgoing: np.ndarray  # (K, Dout)
    bias: np.ndarray  # (Dout,)

    @classmethod
    def of(cls, thing: Any, name: str, known: tuple[Layer, ...] | None) -> _Shallow:
        params = thing if isinstance(thing, Params) else getattr(thing, "params", None)
        if not isinstance(thing, (Params, TeacherNet, TrainResult)) or params is None:
            raise TypeError(
                f"{name}: expected a TeacherNet, a TrainResult or Params, got {shown(thing)}"
            )
        if len(params.shapes) != 2:
            raise ValueError(f"{name}: expected one hidden layer, got {len(params.shapes) - 1}")
        layers = params.layer_spec or _borrowed(params, known)
        if layers is None:
            raise ValueError(
                f"{name}: expected parameters that know their activations, such as "
                "Params.from_flat(layers, inputs, vector), got some without"
            )
        (w1, b1), (w2, b2) = params.layers
        hidden = layers[0].activation
        activations = hidden if isinstance(hidden, tuple) else (hidden,) * layers[0].width
        first_bias = np.zeros(len(w1)) if b1 is None else b1
        incoming = np.column_stack([w1, first_bias])
        bias = np.zeros(len(w2)) if b2 is None else b2.copy()
        return cls(layers, tuple(activations), incoming, w2.T.copy(), bias)

    def check_comparable(self, teacher: _Shallow) -> None:
        mine, other = (
            (n.incoming.shape[1] - 1, n.outgoing.shape[1], activation_text(n.layers[1].activation))
            for n in (self, teacher)
        )
        if mine != other:
            raise ValueError(
                "student: expected inputs, outputs and output activation of the teacher, "
                f"{other}, got {mine}"
            )


def _borrowed(params: Params, known: tuple[Layer, ...] | None) -> tuple[Layer, ...] | None:
    """Layers of these parameters with the activations of others, where one is for all neurons."""
    if known is None or any(isinstance(layer.activation, tuple) for layer in known):
        return None
    return tuple(
        Layer(out, layer.activation, bias)
        for (out, _, bias), layer in zip(params.shapes, known, strict=True)
    )


@dataclass(eq=False)
class _Group:
    """Student neurons with the same incoming weights up to symmetry.

    ``constant`` is what is left over when the members are written as one neuron.
    """

    activation: Any
    incoming: np.ndarray
    outgoing: np.ndarray
    constant: np.ndarray
    members: list[tuple[int, int, np.ndarray]]  # neuron, sign, its part of outgoing

    @classmethod
    def single(cls, s: _Shallow, j: int) -> _Group:
        a = s.outgoing[j]
        return cls(s.activations[j], s.incoming[j], a.copy(), np.zeros_like(a), [(j, 1, a)])

    def take(self, s: _Shallow, j: int, scale: float, sign: int) -> None:
        """One more neuron, whose incoming weights are ``sign * scale`` times ours."""
        own = symmetry(self.activation)
        a = s.outgoing[j] * (scale**own.degree if own.degree else 1.0)
        part = a if sign > 0 else own.parity * a
        if sign < 0 and own.parity < 0:
            self.constant += own.constant * a
        self.outgoing += part
        self.members.append((j, sign, part))


def _groups(
    s: _Shallow, x: np.ndarray | None, tol: float
) -> tuple[list[_Group], list[ExtraNeuron]]:
    groups: list[_Group] = []
    extras: list[ExtraNeuron] = []
    # The neurons with the largest outgoing weights first: they decide where their group is.
    order = np.argsort(-np.abs(s.outgoing).max(axis=1), kind="stable")
    for j in map(int, order):
        extra = _without_effect(s, j, x, tol)
        if extra is not None:
            extras.append(extra)
            continue
        for group in groups:
            fit = _same_incoming(group, s, j, tol)
            if fit is not None:
                group.take(s, j, *fit)
                break
        else:
            groups.append(_Group.single(s, j))
    return groups, extras


def _without_effect(s: _Shallow, j: int, x: np.ndarray | None, tol: float) -> ExtraNeuron | None:
    own, a = symmetry(s.activations[j]), s.outgoing[j]
    # A scale can be moved from one side to the other.
    scale = np.linalg.norm(s.incoming[j]) ** own.degree if own.degree else 1.0
    nothing = np.zeros_like(a)
    if np.abs(a).max() * scale < tol:
        return ExtraNeuron(j, "silent", "silent: its outgoing weights are 0", nothing)
    if np.linalg.norm(s.incoming[j, :-1]) < tol:
        constant = a * _activity(s.activations[j], s.incoming[j, -1:])
        value = ", ".join(f"{c:.4g}" for c in constant)
        return ExtraNeuron(
            j, "constant", f"the constant {value}: its incoming weights are 0", constant
        )
    if x is None:
        return None
    activity = _activity(s.activations[j], x @ s.incoming[j, :-1] + s.incoming[j, -1])
    if np.ptp(activity) * np.abs(a).max() < tol:
        level = float(activity.mean())
        return ExtraNeuron(j, "dead", f"dead: it is {level:.4g} on all {len(x)} inputs", a * level)
    return None


def _activity(activation: Any, z: np.ndarray) -> np.ndarray:
    """What a neuron gives for these numbers; the engine knows its activation."""
    return TeacherNet([(1, activation, False)], inputs=1, params=[1.0])(z[:, None])[:, 0]


def _same_incoming(group: _Group, s: _Shallow, j: int, tol: float) -> tuple[float, int] | None:
    """Scale and sign with which neuron ``j`` is one of the group; None when it is not."""
    if s.activations[j] != group.activation:
        return None
    own = symmetry(group.activation)
    v = s.incoming[j]
    scale = 1.0
    if own.degree:
        scale = float(np.linalg.norm(v) / np.linalg.norm(group.incoming))
        v = v / scale
    if np.linalg.norm(v - group.incoming) < tol:
        return scale, 1
    if own.parity and np.linalg.norm(v + group.incoming) < tol:
        return scale, -1
    return None


@dataclass(frozen=True, eq=False)
class _Choice:
    """A group in the place of a teacher neuron.

    ``constant`` and ``linear`` are what turning signs leaves.
    """

    teacher: int
    group: _Group
    sign: int
    incoming: np.ndarray
    outgoing: np.ndarray
    constant: np.ndarray
    linear: np.ndarray  # (Dout, Din)
    distance: float

    def match(self) -> NeuronMatch:
        total = self.group.outgoing
        squared = float(total @ total)
        members = [
            Member(j, sign * self.sign, float(part @ total) / squared if squared else np.nan)
            for j, sign, part in self.group.members
        ]
        members.sort(key=lambda m: (-m.part, m.neuron))
        return NeuronMatch(self.teacher, tuple(members), self.distance)


def _choice(group: _Group, t: _Shallow, i: int, turning: bool) -> _Choice | None:
    """The best of the group's symmetries for teacher neuron ``i``."""
    if group.activation != t.activations[i]:
        return None
    own = symmetry(group.activation)
    w, a = t.incoming[i], t.outgoing[i]
    v, b = group.incoming, group.outgoing
    if own.degree and np.linalg.norm(w) > 0:
        scale = float(np.linalg.norm(w) / np.linalg.norm(v))
        v, b = v * scale, b / scale**own.degree
    constant, linear = np.zeros_like(b), np.zeros((len(b), len(v) - 1))
    candidates = [(1, v, b, constant, linear)]
    if own.parity:
        left = own.constant * b if own.parity < 0 else constant
        candidates.append((-1, -v, own.parity * b, left, linear))
    elif own.slope and turning:
        left = own.slope * np.outer(b, v)
        candidates.append((-1, -v, b, left[:, -1], left[:, :-1]))
    best = min(candidates, key=lambda c: _distance(c[1], c[2], w, a))
    return _Choice(i, group, *best, _distance(best[1], best[2], w, a))


def _distance(v: np.ndarray, b: np.ndarray, w: np.ndarray, a: np.ndarray) -> float:
    return float(np.sqrt(((v - w) ** 2).sum() + ((b - a) ** 2).sum()))


def _assign(groups: list[_Group], t: _Shallow) -> list[_Choice]:
    """The groups in the places of teacher neurons that make the least sum of distances."""
    plain, turned = (_assigned(groups, t, turning) for turning in (False, True))
    costs = [
        sum(c.distance for c in chosen) + float(np.linalg.norm(_linear(chosen, t)))
        for chosen in (plain, turned)
    ]
    return turned if costs[1] < costs[0] else plain


def _linear(chosen: list[_Choice], t: _Shallow) -> np.ndarray:
    """What turned signs leave of linear functions of the inputs, shape (Dout, Din)."""
    total = np.zeros((t.outgoing.shape[1], t.incoming.shape[1] - 1))
    for choice in chosen:
        total += choice.linear
    return total


def _assigned(groups: list[_Group], t: _Shallow, turning: bool) -> list[_Choice]:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise ImportError(
            "match_neurons: expected SciPy to be installed, got none; pip install scipy"
        ) from None
    count = len(t.activations)
    choices = [[_choice(group, t, i, turning) for group in groups] for i in range(count)]
    costs = np.array([[np.inf if c is None else c.distance for c in row] for row in choices])
    costs = costs.reshape(count, len(groups))
    finite = costs[np.isfinite(costs)]
    # Pairs of different activations: dearer than any assignment without them.
    forbidden = 1.0 + 2 * min(costs.shape) * (finite.max() if finite.size else 0.0)
    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, forbidden))
    pairs = zip(rows, columns, strict=True)
    return [c for i, j in pairs if (c := choices[i][j]) is not None]


def _unmatched(group: _Group, tol: float) -> list[ExtraNeuron]:
    kind, role = "other", "not a neuron of the teacher"
    if len(group.members) > 1 and np.abs(group.outgoing).max() < tol:
        kind = "cancelled"
        role = "cancelled: neurons with the same incoming weights have outgoing weights of sum 0"
    nothing = np.zeros_like(group.constant)
    return [ExtraNeuron(j, kind, role, nothing) for j, _, _ in group.members]


def _aligned(t: _Shallow, chosen: list[_Choice], total: np.ndarray) -> Params:
    incoming, outgoing = np.zeros_like(t.incoming), np.zeros_like(t.outgoing)
    for choice in chosen:
        incoming[choice.teacher], outgoing[choice.teacher] = choice.incoming, choice.outgoing
    parts = [incoming[:, :-1].ravel(), incoming[:, -1][: None if t.layers[0].bias else 0]]
    parts += [outgoing.T.ravel(), total[: None if t.layers[1].bias else 0]]
    return Params.from_flat(t.layers, t.incoming.shape[1] - 1, np.concatenate(parts))
