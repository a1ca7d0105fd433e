"""Loss, gradient and Hessian against PyTorch's automatic differentiation in Float64.

The tolerance is 1e-11 relative to the largest entry: both sides sum up to 1000 samples in Float64,
in different orders, through at most four layers.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

import mlpflow as mf

# PyTorch's own: torch.func scripts a function when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

TOLERANCE = 1e-11
SAMPLES = [1, 3, 7, 8, 9, 64, 65, 1000]
SELU_SCALE, SELU_ALPHA = 1.05070098, 1.67326324

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": torch.nn.functional.softplus,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "selu": lambda z: SELU_SCALE * torch.where(z > 0, z, SELU_ALPHA * torch.expm1(z)),
    "square": lambda z: z * z / 2,
    "cube": lambda z: z * z * z,
    "exp": torch.exp,
    "g": lambda z: torch.sigmoid(4 * z) + torch.nn.functional.softplus(z),
    "sigmoid2": lambda z: torch.erf(z / math.sqrt(2)),
    "normal_cdf": torch.special.ndtr,
    "poly": lambda z: 0.3 - 0.5 * z + 0.25 * z**2 + 0.125 * z**3,
    "swish": lambda z: z / (1 + torch.exp(-z)),
}
USER_MADE = {
    "poly": mf.Poly(0.3, -0.5, 0.25, 0.125),
    "swish": mf.Activation(
        "swish",
        f="x -> x / (1 + exp(-x))",
        deriv="x -> (s = 1 / (1 + exp(-x)); s + x * s * (1 - s))",
        second_deriv="x -> (s = 1 / (1 + exp(-x)); s * (1 - s) * (2 + x * (1 - 2s)))",
    ),
}


class Case:
    """A network, its data and options, and the same loss written in PyTorch."""

    def __init__(self, layers, inputs, samples, losstype, weighted, maxnorm, merge, seed, size=0.5):
        rng = np.random.default_rng(seed)
        self.layers, self.losstype = layers, losstype
        self.options = {"maxnorm": maxnorm, "merge": merge}
        self.x = rng.standard_normal((samples, inputs))
        outputs = layers[-1][0]
        if losstype == "mse":
            self.y = rng.standard_normal((samples, outputs))
        elif seed % 2:
            self.y = rng.integers(0, outputs, samples)
        else:
            self.y = rng.dirichlet(np.ones(outputs), samples)
        self.weights = 0.5 + rng.random(samples) if weighted else None
        self.net = mf.Net(
            [(k, self.named(f), bias) for k, f, bias in layers],
            self.x,
            self.y,
            weights=self.weights,
            losstype=losstype,
        )
        self.p = size * rng.standard_normal(self.net.nparams)

    @staticmethod
    def named(f):
        if isinstance(f, list):
            return [USER_MADE.get(name, name) for name in f]
        return USER_MADE.get(f, f)

    def matrices(self, p):
        """(W, b or None) of every layer, from the flat vector in PyTorch's order."""
        fan_in, start = self.x.shape[1], 0
        for width, _, bias in self.layers:
            W = p[start : start + width * fan_in].reshape(width, fan_in)
            start += width * fan_in
            yield W, p[start : start + width] if bias else None
            start += width * bias
            fan_in = width

    def torch_loss(self, p):
        a = torch.from_numpy(self.x)
        for (W, b), (_, f, _) in zip(self.matrices(p), self.layers, strict=True):
            z = a @ W.T if b is None else a @ W.T + b
            if isinstance(f, list):
                a = torch.stack([ACTIVATIONS[name](z[:, i]) for i, name in enumerate(f)], dim=1)
            else:
                a = ACTIVATIONS[f](z)
        y = torch.from_numpy(self.y)
        if self.losstype == "mse":
            each = ((a - y) ** 2).sum(dim=1)
        else:
            each = torch.nn.functional.cross_entropy(a, y, reduction="none")
        if self.weights is not None:
            each = each * torch.from_numpy(self.weights)
        return each.mean() + self.torch_penalty(p)

    def torch_penalty(self, p):
        total = torch.zeros((), dtype=torch.float64)
        n = (p**2).sum() / (2 * len(p))
        if n > self.options["maxnorm"]:
            total = total + (n - self.options["maxnorm"]) ** 3 / 3
        if self.options["merge"] is not None:
            layer, (i, j), strength = self.options["merge"]
            W, b = list(self.matrices(p))[layer]
            total = total + strength / 2 * ((W[i] - W[j]) ** 2).sum()
            if b is not None:
                total = total + strength / 2 * (b[i] - b[j]) ** 2
        return total

    def check(self):
        p = torch.from_numpy(self.p)
        expected = self.torch_loss(p).item()
        gradient = torch.func.grad(self.torch_loss)(p).numpy()
        hessian = torch.func.hessian(self.torch_loss)(p).numpy()
        compare("loss", mf.loss(self.net, self.p, **self.options), expected)
        compare("gradient", np.asarray(mf.gradient(self.net, self.p, **self.options)), gradient)
        compare("Hessian", mf.hessian(self.net, self.p, **self.options), hessian)


def compare(what, actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    difference = np.abs(actual - expected)
    scale = max(np.abs(expected).max(), 1e-3)
    worst = np.unravel_index(difference.argmax(), difference.shape)
    assert difference.max() <= TOLERANCE * scale, (
        f"{what}: largest difference {difference.max():.3g} at {worst} "
        f"(got {actual[worst]!r}, expected {expected[worst]!r}), allowed {TOLERANCE * scale:.3g}"
    )


def layers_of(depth, f, bias, outputs, last="identity"):
    hidden = [(width, f, bias) for width in (4, 3, 5)[: depth - 1]]
    return [*hidden, (outputs, last, bias)]


@pytest.mark.parametrize("losstype", ["mse", "cross_entropy"])
@pytest.mark.parametrize("f", sorted(ACTIVATIONS))
def test_every_activation_at_every_depth(f, losstype):
    for depth, bias in itertools.product((1, 2, 3, 4), (True, False)):
        last = f if depth % 2 else "identity"
        size = 0.1 if f == "exp" else 0.5  # towers of exp overflow
        layers = layers_of(depth, f, bias, 3, last)
        Case(layers, 2, 20, losstype, depth % 2 == 0, np.inf, None, depth, size).check()


@pytest.mark.parametrize("losstype", ["mse", "cross_entropy"])
@pytest.mark.parametrize("samples", SAMPLES)
def test_every_number_of_samples(samples, losstype):
    for depth, weighted in itertools.product((1, 2, 3, 4), (True, False)):
        layers = layers_of(depth, "softplus", True, 1 if weighted and losstype == "mse" else 2)
        Case(layers, 3, samples, losstype, weighted, np.inf, None, samples + depth).check()


@pytest.mark.parametrize("losstype", ["mse", "cross_entropy"])
@pytest.mark.parametrize("merge", [None, (0, (0, 2), 0.7), (1, (2, 1), 1.3)])
@pytest.mark.parametrize("maxnorm", [np.inf, 0.01, 0.0])
def test_penalties(maxnorm, merge, losstype):
    for bias in (True, False):
        Case(layers_of(3, "tanh", bias, 2), 2, 30, losstype, True, maxnorm, merge, 3).check()


@pytest.mark.parametrize("seed", range(12))
def test_one_activation_a_neuron(seed):
    rng = np.random.default_rng(100 + seed)
    names = sorted(ACTIVATIONS)
    depth = 2 + seed % 3
    hidden = []
    for _ in range(depth - 1):
        width = int(rng.integers(1, 6))
        hidden.append((width, [str(n) for n in rng.choice(names, width)], bool(rng.integers(2))))
    losstype = ("mse", "cross_entropy")[seed % 2]
    Case([*hidden, (2, "identity", True)], 3, 25, losstype, True, 0.05, None, seed).check()


def test_wide_layers():
    Case([(40, "tanh", True), (10, "identity", True)], 8, 130, "mse", True, 0.01, None, 1).check()
    Case(
        [(6, "gelu", True), (25, "silu", False), (20, "softplus", True), (1, "identity", True)],
        4,
        70,
        "mse",
        False,
        np.inf,
        (1, (3, 7), 0.1),
        2,
    ).check()
