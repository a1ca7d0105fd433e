"""Products with the Hessian, the Jacobian and the Gauss-Newton matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._check import as_floats, check_finite, shape_text
from .net import LossNetwork, Net
from .objective import Merge, check_network, evaluate
from .params import Params

__all__ = [
    "gauss_newton",
    "gauss_newton_product",
    "hvp",
    "jacobian",
    "residuals",
    "value_and_gradient",
]


def value_and_gradient(
    net: LossNetwork, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> tuple[float, Params]:
    """The loss and its gradient, from one pass over the data.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.

    Returns
    -------
    (float, Params)
    """
    answer = evaluate("value_gradient", net, p, maxnorm, merge)
    return answer["value"], net._params(answer["gradient"])


def hvp(
    net: LossNetwork, p: Any, v: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> np.ndarray:
    """The product of the Hessian of `loss` with a vector, or with each column of a block.

    No P x P matrix is made: a product costs about as much as two gradients, and less in a block.
    (Of an `InfiniteNet` it costs a Hessian.)

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.
    v : Params or array of shape (P,) or (P, m)
        In the order of ``Params.flat``.

    Returns
    -------
    ndarray of the shape of `v`

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> net = mf.Net([(1, "identity", False)], np.array([[1.0], [2.0]]), np.array([0.0, 0.0]))
    >>> mf.hvp(net, [2.0], [1.0])
    array([5.])
    """
    return _product("hvp", net, p, v, maxnorm, merge)


def gauss_newton_product(
    net: Net, p: Any, v: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> np.ndarray:
    """The product of `gauss_newton` with a vector or a block of them, without the matrix.

    Parameters
    ----------
    net, p, v, maxnorm, merge
        As for `hvp`.

    Returns
    -------
    ndarray of the shape of `v`
    """
    return _product("gauss_newton_product", net, p, v, maxnorm, merge)


def gauss_newton(
    net: Net, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> np.ndarray:
    """The Gauss-Newton matrix of `loss`.

    sum_n J_n^T Q_n J_n, with J_n the Jacobian of the outputs of sample n and Q_n the second
    derivative of its loss with respect to them: 2 w_n/N times the unit matrix for the squared
    error, w_n/N (diag(q) - q q^T) with q = softmax(f(x_n)) for the cross-entropy. The Hessians of
    the penalties are added.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.

    Returns
    -------
    ndarray of shape (P, P)
        Symmetric and positive semidefinite, parameters in the order of ``Params.flat``.
    """
    matrix: np.ndarray = evaluate("gauss_newton", net, p, maxnorm, merge)
    return matrix


def residuals(net: Net, p: Any) -> np.ndarray:
    """The residuals f(x_n; p) - y_n.

    For the squared error the loss is ``(w[:, None] * residuals(net, p)**2).sum() / N``.

    Parameters
    ----------
    net, p
        As for `loss`.

    Returns
    -------
    ndarray of shape (N, outputs)
    """
    matrix: np.ndarray = evaluate("residuals", net, p)
    return matrix


def jacobian(net: Net, p: Any) -> np.ndarray:
    """The derivatives of the outputs f(x_n; p), and so of the residuals, by the parameters.

    Parameters
    ----------
    net, p
        As for `loss`.

    Returns
    -------
    ndarray of shape (N, outputs, P)
        Parameters in the order of ``Params.flat``.
    """
    array: np.ndarray = evaluate("jacobian", net, p)
    return array


def _product(
    function: str, net: LossNetwork, p: Any, v: Any, maxnorm: Any, merge: Any
) -> np.ndarray:
    check_network(function, net)
    directions = as_floats(v, "v")
    if directions.ndim not in (1, 2) or directions.shape[0] != net.nparams or not directions.size:
        raise ValueError(
            f"v: expected the shape ({net.nparams},) or ({net.nparams}, m) of directions in the "
            f"space of the parameters, got {shape_text(directions.shape)}"
        )
    check_finite(directions, "v")
    product: np.ndarray = evaluate(function, net, p, maxnorm, merge, v=directions)
    return product
