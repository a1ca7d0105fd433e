"""Loss, gradient, Hessian and its spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_number, shown
from .engine.selection import current_engine
from .net import LossNetwork, Net
from .params import Params, flat_parameters

__all__ = ["Spectrum", "gradient", "hessian", "hessian_spectrum", "loss"]

Merge = tuple[int, tuple[int, int], float]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues and eigenvectors of a Hessian; unpacks into the two.

    Attributes
    ----------
    values : ndarray of shape (P,)
        Ascending.
    vectors : ndarray of shape (P, P)
        ``vectors[:, i]`` belongs to ``values[i]``.
    """

    values: np.ndarray
    vectors: np.ndarray

    @property
    def rounding(self) -> float:
        """The size below which an eigenvalue cannot be told from 0: P eps max |value|."""
        return float(len(self.values) * np.finfo(float).eps * np.abs(self.values).max())

    @property
    def index(self) -> int:
        """The number of negative eigenvalues, beyond rounding."""
        return int(np.count_nonzero(self.values < -self.rounding))

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.values, self.vectors))

    def __repr__(self) -> str:
        return (
            f"Spectrum of {len(self.values)} eigenvalues from {self.values[0]:.4g} to "
            f"{self.values[-1]:.4g}, index {self.index}"
        )


def loss(net: LossNetwork, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None) -> float:
    """The loss of a network at parameters.

    Parameters
    ----------
    net : Net or InfiniteNet
    p : Params or array of shape (P,)
    maxnorm : float
        With n = |p|^2/(2P), (n - maxnorm)^3/3 is added where n > maxnorm.
    merge : (layer, (i, j), strength), optional
        strength/2 |row i - row j|^2 of that layer's [W b] is added; everything counts from 0.

    Returns
    -------
    float
        1/N sum_n w_n |f(x_n; p) - y_n|^2, or the mean cross-entropy, with the penalties.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> net = mf.Net([(1, "identity", False)], np.array([[1.0], [2.0]]), np.array([0.0, 0.0]))
    >>> mf.loss(net, [2.0])
    10.0
    """
    value: float = evaluate("value", net, p, maxnorm, merge)
    return value


def gradient(
    net: LossNetwork, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> Params:
    """The gradient of `loss`.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.

    Returns
    -------
    Params
        ``.flat`` has the shape (P,).
    """
    return net._params(evaluate("gradient", net, p, maxnorm, merge))


def hessian(
    net: LossNetwork, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> np.ndarray:
    """The Hessian of `loss`, exact.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.

    Returns
    -------
    ndarray of shape (P, P)
        Symmetric, parameters in the order of ``Params.flat``.
    """
    matrix: np.ndarray = evaluate("hessian", net, p, maxnorm, merge)
    return matrix


def hessian_spectrum(
    net: LossNetwork, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> Spectrum:
    """Eigenvalues and eigenvectors of the Hessian of `loss`.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.

    Returns
    -------
    Spectrum
        ``.values`` ascending, ``.vectors`` in columns, ``.index``; ``values, vectors = ...`` works.
    """
    pair = evaluate("spectrum", net, p, maxnorm, merge)
    return Spectrum(pair["values"], pair["vectors"].T)


def evaluate(
    function: str, net: LossNetwork, p: Any, maxnorm: Any = np.inf, merge: Any = None, **more: Any
) -> Any:
    """Call a function of the engine on a network at parameters; bad input never gets there."""
    check_network(function, net)
    arguments = {"net": net._key, "p": flat_parameters(p, net._shapes), **more}
    if merge is not None or maxnorm != np.inf:
        arguments["maxnorm"] = as_number(maxnorm, "maxnorm", low=0.0)
        arguments["merge"] = checked_merge(merge, net)
    return current_engine().call(function, arguments, remotes=(net,))


# What is defined sample by sample.
_NEEDS_SAMPLES = ("residuals", "jacobian", "gauss_newton", "gauss_newton_product")


def check_network(function: str, net: Any) -> None:
    """TypeError for what is no network with a loss, or has no samples where they are needed."""
    if isinstance(net, Net) or (isinstance(net, LossNetwork) and function not in _NEEDS_SAMPLES):
        return
    if isinstance(net, LossNetwork):
        raise TypeError(
            f"{function}: expected a mlpflow.Net, whose samples it is about, got a "
            f"{type(net).__name__}"
        )
    raise TypeError(f"expected a mlpflow.Net as the first argument, got a {type(net).__name__}")


def checked_merge(merge: Any, net: LossNetwork) -> list[Any] | None:
    """``(layer, (i, j), strength)`` as plain data."""
    if merge is None:
        return None
    example = "(layer, (i, j), strength) such as (0, (1, 2), 0.1), counted from 0"
    try:
        layer, (i, j), strength = merge
    except (TypeError, ValueError):
        raise TypeError(f"merge: expected {example}, got {shown(merge)}") from None
    for number in (layer, i, j):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"merge: expected {example}, got {shown(merge)}")
    if not 0 <= layer < len(net.layers):
        raise ValueError(
            f"merge: expected a layer from 0 to {len(net.layers) - 1}, got {layer} in "
            f"{shown(merge)}"
        )
    width = net.layers[layer].width
    if i == j or not (0 <= i < width and 0 <= j < width):
        raise ValueError(
            f"merge: expected two different neurons from 0 to {width - 1} of layer {layer}, got "
            f"{(int(i), int(j))}"
        )
    strength = as_number(strength, "merge strength", low=0.0)
    if strength == np.inf:
        raise ValueError("merge strength: expected a finite number, got inf")
    return [int(layer), [int(i), int(j)], strength]
