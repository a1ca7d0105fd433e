"""What kind of point has been found."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_number
from .engine.selection import current_engine
from .net import LossNetwork
from .objective import Merge, checked_merge
from .options import checked_tauinv
from .params import Params, flat_parameters
from .result import TrainResult

__all__ = ["Classification", "classify"]


@dataclass(frozen=True, eq=False)
class Classification:
    """What kind of point was found, and what decides it.

    Attributes
    ----------
    kind : str
        ``"minimum"`` (strict), ``"saddle"``, ``"degenerate"`` (critical; no eigenvalue is
        negative, some cannot be told from 0), ``"infinity"`` (the loss falls while parameters run
        away) or ``"not critical"``.
    index : int
        How many eigenvalues of the Hessian are negative beyond rounding.
    flat_dimension : int
        How many cannot be told from 0.
    eigenvalues : ndarray
        Those that are not positive beyond rounding, ascending, and the smallest that is.
    rounding : ndarray
        What each of ``eigenvalues`` is compared with: the rounding of the Hessian, and how far
        the eigenvalue changes within the uncertainty of the critical point's position.
    gnorm, gnorm_rounding : float
        Infinity norm of the gradient, and the largest that rounding explains.
    flat_loss : str
        The loss along the flat directions of a degenerate point: ``"level"``, ``"rises"`` or
        ``"falls"`` (at higher order). ``"unknown"`` where it was not looked at.
    direction : Params or None
        Of length 1: the way to infinity, of most negative curvature, or down on flat ground.
    neurons : tuple of (int, int)
        ``(layer, neuron)``, counted from 0, of the neurons that run away to infinity.
    loss, limit : float
        The loss at the point, and at the end of the way to infinity (NaN without one).
    message : str
        All this in a sentence.
    """

    kind: str
    index: int
    flat_dimension: int
    eigenvalues: np.ndarray
    rounding: np.ndarray
    gnorm: float
    gnorm_rounding: float
    flat_loss: str
    direction: Params | None
    neurons: tuple[tuple[int, int], ...]
    loss: float
    limit: float
    message: str

    def __repr__(self) -> str:
        return f"Classification({self.kind!r}): {self.message}"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.kind)}</b>: {html.escape(self.message)}</p>"


def classify(
    net: LossNetwork | TrainResult,
    p: Any = None,
    *,
    maxnorm: float | None = None,
    merge: Merge | None = None,
    tauinv: Any = None,
    min_gnorm: float | None = None,
) -> Classification:
    """Minimum, saddle, degenerate, at infinity, or no critical point at all.

    The gradient and every eigenvalue of the Hessian are compared with their rounding errors at this
    point. Where eigenvalues cannot be told from 0, the loss is followed along their directions, to
    higher order, and over three decades of growing parameters. The cost is that of some tens of
    Hessians, more where parameters run away.

    Parameters
    ----------
    net : Net, InfiniteNet or TrainResult
        A result stands for its network and its parameters, and brings the keywords of its run and
        the direction in which its flow drifted.
    p : Params or array of shape (P,)
        The point; not with a result.
    maxnorm, merge
        As for `loss`.
    tauinv : float, Params or array of shape (P,), optional
        Parameters whose entry is 0 are frozen.
    min_gnorm : float, optional
        A gradient norm up to this counts as zero, besides one that is rounding. The tolerance of
        the run for a result, otherwise 0.

    Returns
    -------
    Classification

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came, before anything reaches the engine.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> net = mf.Net([(1, "tanh", True), (1, "identity", True)], x, np.tanh(2 * x - 1) / 2)
    >>> mf.classify(net, [2.0, -1.0, 0.5, 0.0]).kind
    'minimum'
    >>> mf.classify(net, [2.0, -1.0, 0.4, 0.0]).kind
    'not critical'
    """
    given = {"maxnorm": maxnorm, "merge": merge, "tauinv": tauinv, "min_gnorm": min_gnorm}
    growth = None
    if isinstance(net, TrainResult):
        if p is not None:
            raise TypeError("classify: expected a TrainResult alone, got parameters besides it")
        result = net
        growth = result.flow.growth if result.flow is not None else None
        given = {name: result.options[name] if v is None else v for name, v in given.items()}
        net, p = result.net, result.params
    if not isinstance(net, LossNetwork):
        raise TypeError(f"classify: expected a Net or a TrainResult, got a {type(net).__name__}")
    if p is None:
        raise TypeError("classify: expected parameters after the network, got none")
    return _classified(net, p, given, growth)


def _classified(
    net: LossNetwork, p: Any, given: dict[str, Any], growth: Params | None
) -> Classification:
    maxnorm, min_gnorm = given["maxnorm"], given["min_gnorm"]
    arguments = {
        "net": net._key,
        "p": flat_parameters(p, net.shapes),
        "maxnorm": np.inf if maxnorm is None else as_number(maxnorm, "maxnorm", low=0.0),
        "merge": checked_merge(given["merge"], net),
        "tauinv": checked_tauinv(given["tauinv"], net.shapes),
        "min_gnorm": 0.0 if min_gnorm is None else as_number(min_gnorm, "min_gnorm", low=0.0),
        "growth": None if growth is None else growth.flat,
    }
    reply = current_engine().call("classify", arguments, remotes=(net,))
    if reply["direction"] is not None:
        reply["direction"] = net._params(reply["direction"])
    reply["neurons"] = tuple((layer, neuron) for layer, neuron in reply["neurons"])
    return Classification(**reply)
