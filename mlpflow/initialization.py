"""Random starting points."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from ._check import shown
from ._hints import did_you_mean
from .layers import Layer, Shape
from .params import Params

__all__ = ["random_params"]

DISTRIBUTIONS = ("glorot_normal", "glorot_uniform")


class HasLayers(Protocol):
    """A network: data does not matter here."""

    @property
    def layers(self) -> tuple[Layer, ...]: ...
    @property
    def shapes(self) -> tuple[Shape, ...]: ...


def random_params(net: HasLayers, *, rng: Any, distribution: str = "glorot_normal") -> Params:
    """Random weights, zero biases.

    Parameters
    ----------
    net : Net or TeacherNet
        Whose layers the parameters are for.
    rng : numpy.random.Generator or int
        The generator, or a seed for a new one.
    distribution : str
        ``"glorot_normal"``: standard deviation sqrt(2/(in + out)). ``"glorot_uniform"``: uniform in
        +- sqrt(6/(in + out)). (Glorot and Bengio, AISTATS 2010.)

    Returns
    -------
    Params

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> net = mf.Net([(3, "tanh", True), (1, "identity", False)], np.ones((5, 2)), np.ones(5))
    >>> len(mf.random_params(net, rng=0))
    12
    """
    return draw(net.layers, net.shapes, rng, distribution)


def draw(
    layers: tuple[Layer, ...], shapes: tuple[Shape, ...], rng: Any, distribution: str
) -> Params:
    """Random parameters for layers."""
    if distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"distribution: expected one of {', '.join(DISTRIBUTIONS)}, got {shown(distribution)}"
            f"{did_you_mean(str(distribution), DISTRIBUTIONS)}"
        )
    generator = checked_rng(rng)
    parts = []
    for out, inputs, has_bias in shapes:
        if distribution == "glorot_normal":
            w = generator.standard_normal((out, inputs)) * math.sqrt(2 / (inputs + out))
        else:
            w = generator.uniform(-1.0, 1.0, (out, inputs)) * math.sqrt(6 / (inputs + out))
        parts.append(w.ravel())
        if has_bias:
            parts.append(np.zeros(out))
    return Params._make(np.concatenate(parts), shapes, layers)


def checked_rng(rng: Any) -> np.random.Generator:
    """A generator from a generator or a seed."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise TypeError(
        "rng: expected a numpy.random.Generator such as np.random.default_rng(0), or a seed such "
        f"as 0, got {shown(rng)}"
    )
