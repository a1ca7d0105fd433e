"""A network with parameters attached, which makes targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from .data import checked_other_inputs
from .initialization import draw
from .layers import checked_inputs, checked_layers, layers_text
from .net import Network
from .params import Params, flat_parameters

__all__ = ["TeacherNet"]


class TeacherNet(Network):
    """A network with its parameters.

    Parameters
    ----------
    layers : sequence of (width, activation, bias)
        As `Net` takes them.
    inputs : int
        The number of inputs, Din.
    params : Params or array of shape (P,), optional
        Copied; random ones when not given.
    rng : numpy.random.Generator or int
        Needed when ``params`` is not given.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> teacher = mf.TeacherNet([(4, "sigmoid", False), (1, "identity", False)], inputs=2, rng=0)
    >>> teacher(np.zeros((3, 2))).shape
    (3, 1)
    """

    def __init__(self, layers: Any, inputs: int, params: Any = None, rng: Any = None) -> None:
        super().__init__(checked_layers(layers), checked_inputs(inputs))
        if params is None:
            if rng is None:
                raise TypeError(
                    "TeacherNet: expected params, or rng for random ones such as rng=0, got neither"
                )
            self._parameters = draw(self._layers, self._shapes, rng, "glorot_normal")
        else:
            self._parameters = self._params(flat_parameters(params, self._shapes).copy())

    @property
    def params(self) -> Params:
        """The teacher's parameters."""
        return self._parameters

    def __call__(self, x: Any) -> np.ndarray:
        """The outputs of shape (N, Dout) for inputs of shape (N, Din)."""
        return self._predict(self._parameters, checked_other_inputs(x, self._inputs))

    def __reduce__(self) -> tuple[object, ...]:
        return TeacherNet, (list(self._layers), self._inputs, self._parameters)

    def __repr__(self) -> str:
        return f"TeacherNet: {layers_text(self._layers, self._inputs)}; {self._nparams} parameters"
