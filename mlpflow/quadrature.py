"""Networks with infinitely many samples: the data are the nodes of a quadrature."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from ._check import as_floats, shown
from .net import Net
from .nodes import IntegralEstimate, Nodes, best, candidates
from .objective import gradient, hessian, loss
from .params import Params
from .teacher import TeacherNet

__all__ = ["QuadratureNet", "gauss_hermite_net", "integration_error", "integration_estimate"]

Teacher = Callable[[np.ndarray], Any]
DEFAULT_POINTS = 2**14


class QuadratureNet(Net):
    """A `Net` whose loss is an expectation over normal inputs; made by `gauss_hermite_net`.

    Its inputs are nodes, its weights quadrature weights times their number, some of them negative
    on a sparse grid. Every function that takes a `Net` takes it.
    """

    _signed_weights = True

    def __init__(self, layers: Any, data: tuple[Any, ...], nodes: Nodes, teacher: Any) -> None:
        super().__init__(layers, *data)
        self._nodes = nodes
        self._teacher: Teacher | None = teacher

    @classmethod
    def _on(
        cls, nodes: Nodes, teacher: Teacher, layers: Any, losstype: str, precision: str
    ) -> QuadratureNet:
        x, w = nodes.points()
        return cls(layers, (x, teacher(x), len(w) * w, losstype, precision), nodes, teacher)

    @property
    def rule(self) -> dict[str, Any]:
        """The rule's kind, ``"tensor"``, ``"smolyak"`` or ``"qmc"``, and its numbers."""
        return dict(self._nodes.rule)

    @property
    def teacher(self) -> Any:
        """What made the targets; None in a copy that came from a file or another process without
        it."""
        return self._teacher

    def __reduce__(self) -> tuple[object, ...]:
        data = (*self._data, self._losstype, self._precision)
        return QuadratureNet, (list(self._layers), data, self._nodes, _portable(self._teacher))

    def __repr__(self) -> str:
        return f"Quadrature{super().__repr__()}, rule {self._nodes.rule['kind']}"


def _portable(teacher: Teacher | None) -> Teacher | None:
    """The teacher, if it can go to another process: a lambda cannot."""
    try:
        pickle.dumps(teacher)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return teacher


def gauss_hermite_net(
    teacher: TeacherNet | Teacher,
    layers: Any,
    inputs: int | None = None,
    *,
    mean: Any = None,
    covariance: Any = None,
    rule: str = "auto",
    N: int | None = None,
    level: int | None = None,
    points: int = DEFAULT_POINTS,
    seed: int = 0,
    threshold: float | None = None,
    losstype: str = "mse",
    precision: str = "float64",
) -> QuadratureNet:
    """A network with infinitely many normal samples, as far as quadrature can have them.

    Parameters
    ----------
    teacher : TeacherNet or callable
        A function gets inputs of shape (N, Din) and returns targets of shape (N, Dout) or (N,).
    layers : sequence of (width, activation, bias), or Net
        A `Net` gives its layers, loss and precision.
    inputs : int, optional
        Din, where neither the teacher, the student nor the distribution tells.
    mean : array of shape (Din,), optional
        Zero when not given.
    covariance : array of shape (Din, Din), optional
        The identity when not given; may be singular. A number or Din variances will do too.
    rule : str
        In d dimensions, the rank of the covariance: ``"tensor"``, Gauss-Hermite with `N` nodes an
        axis; ``"smolyak"``, a sparse grid of the `level`; ``"qmc"``, scrambled Sobol `points`;
        ``"auto"``, ``"tensor"`` for d <= 2, then up to d = 6 the rule with the smallest error of
        E |teacher|^2 (the sparse grid only if it is 10 times better), ``"qmc"`` beyond.
    N : int, optional
        Nodes an axis; 600 for d <= 2, else as many as `points` allow.
    level : int, optional
        The sparse grid is exact to the total degree 2 level + 1; as many as `points` allow.
    points : int
        Number of points; a power of 2 is best.
    seed : int
        Of the scramble.
    threshold : float, optional
        Nodes of a smaller weight are left out of a tensor product: 0 for d = 1, 1e-18 for d = 2,
        1000 times more for each further dimension.
    losstype, precision : str
        As for `Net`.

    Returns
    -------
    QuadratureNet
        `integration_error` tells how far its loss is from the expectation.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> net = mf.gauss_hermite_net(lambda x: x[:, 0] ** 2, [(1, "identity", True)], inputs=2)
    >>> p = [0.5, 0.0, 1.0]  # E (0.5 x0 + 1 - x0^2)^2 = 0.25 + 2
    >>> print(f"{mf.loss(net, p):.9f}", mf.integration_error(net, p) < 1e-9)
    2.250000000 True
    """
    if not callable(teacher):
        raise TypeError(f"teacher: expected a TeacherNet or a function, got {shown(teacher)}")
    if isinstance(layers, Net):
        losstype, precision = layers.losstype, layers.precision
        inputs, layers = _agreed(inputs, layers.Din, "student"), list(layers.layers)
    if isinstance(teacher, TeacherNet):
        inputs = _agreed(inputs, teacher.Din, "teacher")
    if inputs is None:
        inputs = _told(mean, covariance)
    wishes = {
        "rule": rule,
        "N": N,
        "level": level,
        "points": points,
        "seed": seed,
        "threshold": threshold,
    }
    found = candidates(inputs, mean, covariance, wishes)
    nodes = best(lambda other: _second_moments(teacher, other), found)
    return QuadratureNet._on(nodes, teacher, layers, losstype, precision)


def _agreed(inputs: int | None, expected: int, whose: str) -> int:
    if inputs is not None and inputs != expected:
        raise ValueError(f"inputs: expected {expected}, as the {whose} has, got {inputs}")
    return expected


def _told(mean: Any, covariance: Any) -> int:
    for array in (mean, covariance):
        if np.ndim(array) > 0:
            return len(array)
    raise TypeError("gauss_hermite_net: expected inputs, the number of inputs, got none")


def _second_moments(teacher: Teacher, nodes: Nodes) -> list[float]:
    """E |teacher|^2, in the coordinates of the rule and in turned ones."""
    moments = []
    for reflected in (False, True):
        x, w = nodes.points(reflected=reflected)
        y = as_floats(teacher(x), "teacher").reshape(len(x), -1)
        moments.append(float(w @ (y**2).sum(axis=1)))
    return moments


_FUNCTIONS: dict[str, Callable[..., Any]] = {"loss": loss, "gradient": gradient, "hessian": hessian}


def integration_error(net: QuadratureNet, p: Any, of: Any = "loss") -> Any:
    """How far the loss of a quadrature net is from the expectation, estimated.

    Parameters
    ----------
    net, p, of
        As for `integration_estimate`.

    Returns
    -------
    float or ndarray
    """
    return integration_estimate(net, p, of).error


def integration_estimate(net: QuadratureNet, p: Any, of: Any = "loss") -> IntegralEstimate:
    """The loss of a quadrature net, an estimate of its error, and a refined value.

    The error comes from other nodes, so that one made by a fit to those of the net shows: those of
    a finer rule, or of 8 other scrambles.

    Parameters
    ----------
    net : QuadratureNet
    p : Params or array of shape (P,)
    of : str or callable
        ``"loss"``, ``"gradient"``, ``"hessian"``, or any ``of(net, p)`` that returns a number or
        an array.

    Returns
    -------
    IntegralEstimate
        Numbers for the loss, arrays in the order of ``Params.flat`` for its derivatives.
    """
    if not isinstance(net, QuadratureNet):
        raise TypeError(
            f"expected a net made by mlpflow.gauss_hermite_net, got a {type(net).__name__}"
        )
    teacher = net.teacher
    if teacher is None:
        raise ValueError("expected a net with its teacher, got one that came without it")
    function = of if callable(of) else _FUNCTIONS.get(of) if isinstance(of, str) else None
    if function is None:
        raise ValueError(f"of: expected {', '.join(_FUNCTIONS)} or a function, got {shown(of)}")

    def evaluate(nodes: Nodes) -> Any:
        if nodes is net._nodes:
            other = net
        else:
            layers = list(net.layers)
            other = QuadratureNet._on(nodes, teacher, layers, net.losstype, net.precision)
        value = function(other, p)
        return value.flat if isinstance(value, Params) else value

    return net._nodes.estimate(evaluate)
