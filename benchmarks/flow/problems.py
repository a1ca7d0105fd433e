"""The flows that are measured: teacher-student problems, small and large, mild and stiff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

import mlpflow as mf

__all__ = ["PROBLEMS", "QUICK_PROBLEMS", "FlowProblem"]

Layers = Sequence[tuple[int, str, bool]]

IMPLICIT = ("LSODA", "BDF", "Radau")
EXPLICIT = ("RK45", "DOP853")


@dataclass(frozen=True)
class FlowProblem:
    """A gradient flow from a random start to a fixed time.

    Attributes
    ----------
    name : str
    teacher, student : layers
    inputs, samples : int
    T : float
        Final time.
    ours : tuple of str
        Our methods: the automatic choice and those that it chooses from.
    peers : tuple of str
        SciPy's. Implicit ones get the exact Jacobian, the engine's Hessian.
    seed : int
    """

    name: str
    teacher: Layers
    student: Layers
    inputs: int
    samples: int
    T: float
    ours: tuple[str, ...]
    peers: tuple[str, ...]
    seed: int = 0
    tolerances: tuple[float, ...] = field(default=tuple(10.0 ** -np.arange(3.0, 10.1, 0.5)))

    def make(self) -> tuple[mf.Net, np.ndarray]:
        """The network with its data, and the start."""
        rng = np.random.default_rng(self.seed)
        x = rng.standard_normal((self.samples, self.inputs))
        teacher = mf.TeacherNet(list(self.teacher), inputs=self.inputs, rng=rng)
        net = mf.Net(list(self.student), x, teacher(x))
        return net, np.asarray(mf.random_params(net, rng=rng))


def _one_hidden(width: int) -> Layers:
    return [(width, "softplus", True), (1, "identity", True)]


_DEEP = [(30, "tanh", True), (30, "tanh", True), (1, "identity", True)]
_LARGE = [(320, "tanh", True), (200, "tanh", True), (10, "identity", True)]
_TIGHT = tuple(10.0 ** -np.arange(5.0, 10.1, 0.5))
_SMALL = ("auto", "DP5", "DOP853", "Rodas5P", "ESDIRK547L2SA2", "RKC3")
_MEDIUM = ("auto", "ESDIRK547L2SA2", "Rodas5P", "NewtonKrylov")
_ALL = IMPLICIT + EXPLICIT

PROBLEMS = (
    FlowProblem("2-8-1 softplus, mild: T = 10", _one_hidden(4), _one_hidden(8), 2, 10_000, 10.0,
                _SMALL, _ALL),
    FlowProblem("2-8-1 softplus: T = 1,000", _one_hidden(4), _one_hidden(8), 2, 10_000, 1e3,
                _MEDIUM, _ALL),
    FlowProblem("4-100-1 softplus: T = 1,000", _one_hidden(4), _one_hidden(100), 4, 10_000, 1e3,
                _MEDIUM, _ALL),
    FlowProblem("10-30-30-1 tanh, stiff: T = 100,000", _DEEP, _DEEP, 10, 1_000, 1e5,
                _MEDIUM, _ALL, tolerances=_TIGHT),
    FlowProblem("100-320-200-10 tanh, large: T = 100", _LARGE, _LARGE, 100, 100, 100.0,
                ("auto", "RKC3", "RKC2", "NewtonKrylov"), EXPLICIT),
)  # fmt: skip

QUICK_PROBLEMS = (
    FlowProblem("2-8-1 softplus, 500 samples: T = 100", _one_hidden(4), _one_hidden(8), 2, 500, 1e2,
                _SMALL, _ALL),
)  # fmt: skip
