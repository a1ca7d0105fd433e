"""A network together with its data."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import numpy as np

from ._check import check_finite
from .data import (
    check_outputs,
    check_probabilities,
    check_samples,
    checked_inputs_matrix,
    checked_losstype,
    checked_other_inputs,
    checked_precision,
    checked_targets,
    checked_weights,
)
from .engine.selection import current_engine, forget
from .layers import (
    Layer,
    Shape,
    checked_layers,
    count_parameters,
    describe_layers,
    layer_shapes,
    layers_text,
)
from .params import Params, flat_parameters

__all__ = ["Net"]

_keys = itertools.count(1)


class Network:
    """Layers that the engine knows by a key; the common part of `Net` and `TeacherNet`."""

    def __init__(self, layers: tuple[Layer, ...], inputs: int) -> None:
        self._layers = layers
        self._inputs = inputs
        self._shapes = layer_shapes(layers, inputs)
        self._nparams = count_parameters(self._shapes)
        self._key = next(_keys)
        weakref.finalize(self, forget, self._key).atexit = False

    @property
    def layers(self) -> tuple[Layer, ...]:
        """``(width, activation, bias)`` of each layer."""
        return self._layers

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """``(out, in, has bias)`` of each layer."""
        return self._shapes

    @property
    def nparams(self) -> int:
        """The number of parameters, P."""
        return self._nparams

    @property
    def Din(self) -> int:
        """The number of inputs."""
        return self._inputs

    @property
    def Dout(self) -> int:
        """The number of outputs."""
        return self._layers[-1].width

    def _params(self, flat: np.ndarray) -> Params:
        return Params._make(flat, self._shapes, self._layers)

    def _creation(self) -> tuple[str, dict[str, Any]]:
        description = {"layers": describe_layers(self._layers), "inputs": self._inputs}
        return "layers_create", description

    def _predict(self, p: Any, x: np.ndarray | None) -> np.ndarray:
        arguments = {"net": self._key, "p": flat_parameters(p, self._shapes), "x": x}
        result: np.ndarray = current_engine().call("predict", arguments, remotes=(self,))
        return result


class LossNetwork(Network):
    """A network with a loss: what can be evaluated and trained."""


class Net(LossNetwork):
    """A multi-layer perceptron and the data it is fitted to.

    Parameters
    ----------
    layers : sequence of (width, activation, bias)
        From the first hidden layer to the output. The activation is a name, `Poly`, `Activation`,
        or a list of these, one a neuron. The last width may be None: one neuron a target column.
    inputs : array of shape (N, Din)
        NumPy array, torch tensor or lists; copied.
    targets : array of shape (N, Dout) or (N,)
        For the cross-entropy integer labels 0, ..., K-1 of shape (N,), or probabilities of shape
        (N, K).
    weights : array of shape (N,), optional
        Sample weights, at least 0. The loss is divided by N all the same.
    losstype : str
        ``"mse"``: mean over samples of the squared error, summed over outputs, no factor 1/2.
        ``"cross_entropy"``: mean over samples of -log softmax(outputs)[label].
    precision : str
        ``"float64"``, or ``"float32"`` to evaluate in single precision; parameters and derivatives
        come and go as float64 arrays either way.

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came, before anything reaches the engine.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> net = mf.Net([(4, "tanh", True), (1, "identity", True)], x, np.sin(3 * x))
    >>> net.nparams
    13
    """

    # Sparse grids have negative weights.
    _signed_weights = False

    def __init__(
        self,
        layers: Any,
        inputs: Any,
        targets: Any,
        weights: Any = None,
        losstype: str = "mse",
        precision: str = "float64",
    ) -> None:
        losstype = checked_losstype(losstype)
        self._precision = checked_precision(precision)
        width = _last_width(layers)
        x = checked_inputs_matrix(inputs)
        y = checked_targets(targets, losstype, width)
        checked = checked_layers(layers, outputs=_default_width(y))
        check_samples(x, y)
        check_outputs(x, y, checked[-1].width)
        check_finite(x, "inputs")
        if losstype == "cross_entropy" and y.ndim == 2:
            check_probabilities(y)
        check_finite(y, "targets")
        w = checked_weights(weights, len(x), signed=self._signed_weights)
        super().__init__(checked, x.shape[1])
        self._data = tuple(None if a is None else _own(a) for a in (x, y, w))
        self._losstype = losstype

    @property
    def inputs(self) -> np.ndarray:
        """Inputs of shape (N, Din), read-only."""
        assert self._data[0] is not None
        return self._data[0]

    @property
    def targets(self) -> np.ndarray:
        """Targets of shape (N, Dout), or labels of shape (N,), read-only."""
        assert self._data[1] is not None
        return self._data[1]

    @property
    def weights(self) -> np.ndarray | None:
        """Sample weights of shape (N,), read-only, or None."""
        return self._data[2]

    @property
    def losstype(self) -> str:
        """``"mse"`` or ``"cross_entropy"``."""
        return self._losstype

    @property
    def precision(self) -> str:
        """``"float64"`` or ``"float32"``."""
        return self._precision

    def __call__(self, p: Any, x: Any = None) -> np.ndarray:
        """The outputs of shape (N, Dout), for the network's inputs or for others.

        Parameters
        ----------
        p : Params or array of shape (P,)
        x : array of shape (N, Din), optional
            Other inputs.
        """
        return self._predict(p, None if x is None else checked_other_inputs(x, self._inputs))

    def _creation(self) -> tuple[str, dict[str, Any]]:
        return "net_create", {
            "layers": describe_layers(self._layers),
            "input": self.inputs,
            "target": self.targets,
            "weights": self.weights,
            "losstype": self._losstype,
            "precision": self._precision,
            "signed_weights": self._signed_weights,
        }

    def __reduce__(self) -> tuple[object, ...]:
        return Net, (list(self._layers), *self._data, self._losstype, self._precision)

    def __repr__(self) -> str:
        weighted = ", weighted" if self.weights is not None else ""
        single = ", float32" if self._precision == "float32" else ""
        return (
            f"Net: {layers_text(self._layers, self._inputs)}; {self._nparams} parameters, "
            f"{len(self.inputs)} samples{weighted}, loss {self._losstype}{single}"
        )


def _own(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _last_width(layers: Any) -> int | None:
    """The last width as far as it can be read; `checked_layers` complains about the rest."""
    try:
        width = layers[-1][0]
    except (TypeError, IndexError, KeyError):
        return None
    return width if isinstance(width, int) and not isinstance(width, bool) else None


def _default_width(targets: np.ndarray) -> int | None:
    if targets.ndim == 2:
        return int(targets.shape[1])
    return int(targets.max()) + 1 if targets.size else None
