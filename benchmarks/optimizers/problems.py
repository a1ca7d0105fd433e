"""Fixed points: a softplus teacher of k neurons in k dimensions, students of rho k neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import mlpflow as mf

__all__ = ["PROBLEMS", "QUICK_PROBLEMS", "FixedPoints"]


@dataclass(frozen=True)
class FixedPoints:
    """A teacher-student problem with many starts, the data and the teacher drawn for each.

    Attributes
    ----------
    k : int
        Neurons of the teacher, and inputs.
    rho : float
        Neurons of the student over those of the teacher.
    samples : int
    seeds : range
    """

    k: int
    rho: float
    samples: int
    seeds: range

    @property
    def name(self) -> str:
        """For tables."""
        return f"k = {self.k}, rho = {self.rho:g}"

    @property
    def nparams(self) -> int:
        """Of the student."""
        width = round(self.rho * self.k)
        return width * (self.k + 2) + 1

    def make(self, seed: int) -> tuple[mf.Net, np.ndarray]:
        """The network with its data, and the start."""
        rng = np.random.default_rng([seed, self.k, round(10 * self.rho)])
        x = rng.standard_normal((self.samples, self.k))
        teacher = mf.TeacherNet(_layers(self.k), inputs=self.k, rng=rng)
        net = mf.Net(_layers(round(self.rho * self.k)), x, teacher(x))
        return net, np.asarray(mf.random_params(net, rng=rng))


def _layers(width: int) -> list[tuple[int, str, bool]]:
    return [(width, "softplus", True), (1, "identity", True)]


PROBLEMS = tuple(
    FixedPoints(k, rho, 1_000, range(20)) for k in (2, 4) for rho in (1.0, 1.5, 2.0, 3.0)
)
QUICK_PROBLEMS = (FixedPoints(2, 1.5, 200, range(3)), FixedPoints(4, 1.0, 200, range(3)))
