"""What is measured: networks, their data, and the quantities computed for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["CASES", "QUICK_CASES", "Case", "Problem", "make_problem", "split"]

Layers = tuple[tuple[int, str, bool], ...]

GRADIENT = "gradient"  # value and gradient in one pass
HESSIAN = "hessian"
HVP = "hvp"
JACOBIAN = "jacobian"
GAUSS_NEWTON = "gauss_newton"


@dataclass(frozen=True)
class Case:
    """A network, a number of samples, and what to compute.

    Attributes
    ----------
    name : str
    inputs, samples : int
    layers : tuple of (width, activation, bias)
    quantities : tuple of str
    losstype : str
        "mse" or "cross_entropy", as `mlpflow.Net` takes it.
    """

    name: str
    inputs: int
    samples: int
    layers: Layers
    quantities: tuple[str, ...]
    losstype: str = "mse"

    @property
    def outputs(self) -> int:
        """The width of the last layer."""
        return self.layers[-1][0]

    @property
    def shapes(self) -> tuple[tuple[int, int, bool], ...]:
        """(out, in, bias) of each layer."""
        widths = [self.inputs, *(width for width, _, _ in self.layers)]
        return tuple(
            (width, below, bias)
            for (width, _, bias), below in zip(self.layers, widths[:-1], strict=True)
        )

    @property
    def nparams(self) -> int:
        """P."""
        return sum(out * (below + bias) for out, below, bias in self.shapes)

    @property
    def curved_neurons(self) -> int:
        """Neurons with an elementary function to evaluate."""
        return sum(width for width, activation, _ in self.layers if activation != "identity")

    @property
    def family(self) -> str:
        """Cases of one family differ in the number of samples alone."""
        return self.name.partition(",")[0]

    @property
    def on_grid(self) -> bool:
        """Whether it belongs to the grid over width and number of samples."""
        return self.family.startswith("k = ")


@dataclass(frozen=True, eq=False)
class Problem:
    """A case with its arrays: parameters in PyTorch's order, samples in rows."""

    case: Case
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    v: np.ndarray


def _shallow(k: int, samples: int) -> Case:
    quantities = [GRADIENT, HESSIAN]
    if samples in (1_000, 100_000):
        quantities.append(HVP)
    if samples == 1_000:
        quantities += [JACOBIAN, GAUSS_NEWTON]
    layers = ((k, "softplus", True), (1, "identity", True))
    return Case(f"k = {k}, N = {samples:,}", 2, samples, layers, tuple(quantities))


GRID = [_shallow(k, n) for k in (10, 50, 100) for n in (10, 100, 1_000, 10_000, 100_000)]

DEEP = Case(
    "deep, 8-20-20-20-1 tanh",
    8,
    1_000,
    (*((20, "tanh", True),) * 3, (1, "identity", True)),
    (GRADIENT, HESSIAN, HVP, JACOBIAN, GAUSS_NEWTON),
)
MULTI_OUTPUT = Case(
    "multi-output, 10-30-10 tanh",
    10,
    5_000,
    ((30, "tanh", True), (10, "identity", True)),
    (GRADIENT, HESSIAN, HVP),
    "cross_entropy",
)
WIDE = Case(
    "wide, 784-100-10 tanh",
    784,
    10_000,
    ((100, "tanh", True), (10, "identity", True)),
    (GRADIENT, HVP),
)

CASES = [*GRID, DEEP, MULTI_OUTPUT, WIDE]
QUICK_CASES = [
    *(case for case in GRID if case.family == "k = 10" and case.samples in (10, 1_000)),
    _shallow(50, 100),
    replace(DEEP, samples=100),
    replace(MULTI_OUTPUT, samples=100),
    replace(WIDE, samples=500),
]


def make_problem(case: Case, seed: int = 0) -> Problem:
    """Random data and parameters (Glorot weights, small biases) of a case."""
    rng = np.random.default_rng([seed, case.inputs, case.samples, case.nparams])
    x = rng.standard_normal((case.samples, case.inputs))
    y: Any
    if case.losstype == "cross_entropy":
        y = rng.integers(case.outputs, size=case.samples)
    else:
        y = rng.standard_normal((case.samples, case.outputs))
    parts = []
    for out, below, bias in case.shapes:
        parts.append(rng.standard_normal(out * below) * np.sqrt(2 / (out + below)))
        if bias:
            parts.append(0.1 * rng.standard_normal(out))
    p = np.concatenate(parts)
    return Problem(case, x, y, p, rng.standard_normal(len(p)))


def split(p: Any, case: Case) -> list[tuple[Any, Any]]:
    """The weight and the bias (or None) of each layer as views of a flat array or tensor."""
    pairs = []
    start = 0
    for out, below, bias in case.shapes:
        weight = p[start : start + out * below].reshape(out, below)
        start += out * below
        pairs.append((weight, p[start : start + out] if bias else None))
        start += out if bias else 0
    return pairs
