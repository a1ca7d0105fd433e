"""Infinite data: a student and its teacher under Gaussian inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._check import as_floats, check_finite, shape_text
from .activations import activation_text
from .data import checked_other_inputs
from .engine.selection import current_engine
from .layers import Layer, checked_layers, describe_layers, layers_text
from .net import LossNetwork
from .params import flat_parameters
from .teacher import TeacherNet

__all__ = ["InfiniteNet"]


class InfiniteNet(LossNetwork):
    """A student, its teacher, and all Gaussian inputs in place of samples.

    The loss is E |f(x; p) - f*(x)|^2 over x ~ N(mean, covariance): sum over outputs, no factor 1/2.
    `loss`, `gradient`, `hessian`, `hvp`, `hessian_spectrum`, `value_and_gradient` and `train` take
    it as they take a `Net`. Nothing is sampled: every pair of neurons is integrated in closed form
    or to rounding.

    Parameters
    ----------
    teacher : TeacherNet
        With one hidden layer and identity outputs.
    layers : sequence of (width, activation, bias)
        The student, with one hidden layer and identity outputs too; its activations and biases may
        be others. The last width may be None: as many outputs as the teacher has.
    mean : array of shape (Din,), optional
        Of the inputs; 0 when not given.
    covariance : array of shape (Din, Din), optional
        Of the inputs, symmetric, possibly singular; the unit matrix when not given.

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came, before anything reaches the engine.

    Examples
    --------
    >>> import mlpflow as mf
    >>> teacher = mf.TeacherNet([(4, "relu", False), (1, "identity", False)], inputs=3, rng=0)
    >>> net = mf.InfiniteNet(teacher, [(4, "relu", False), (1, "identity", False)])
    >>> mf.loss(net, teacher.params) < 1e-14
    True
    """

    def __init__(
        self, teacher: TeacherNet, layers: Any, mean: Any = None, covariance: Any = None
    ) -> None:
        if not isinstance(teacher, TeacherNet):
            raise TypeError(
                "InfiniteNet: expected a mlpflow.TeacherNet as the first argument, got a "
                f"{type(teacher).__name__}"
            )
        checked = checked_layers(layers, outputs=teacher.Dout)
        _check_one_hidden_layer("teacher", teacher.layers)
        _check_one_hidden_layer("student", checked)
        if checked[-1].width != teacher.Dout:
            raise ValueError(
                f"InfiniteNet: expected {teacher.Dout} outputs, as the teacher has, got "
                f"{checked[-1].width}"
            )
        self._teacher = teacher
        self._mean = _checked_mean(mean, teacher.Din)
        self._covariance = _checked_covariance(covariance, teacher.Din)
        super().__init__(checked, teacher.Din)

    @property
    def teacher(self) -> TeacherNet:
        """The teacher."""
        return self._teacher

    @property
    def mean(self) -> np.ndarray:
        """The mean of the inputs, of shape (Din,)."""
        return np.zeros(self._inputs) if self._mean is None else self._mean.copy()

    @property
    def covariance(self) -> np.ndarray:
        """The covariance of the inputs, of shape (Din, Din)."""
        return np.eye(self._inputs) if self._covariance is None else self._covariance.copy()

    def __call__(self, p: Any, x: Any) -> np.ndarray:
        """The student's outputs of shape (N, Dout) for inputs of shape (N, Din).

        Parameters
        ----------
        p : Params or array of shape (P,)
        x : array of shape (N, Din)
        """
        return self._predict(p, checked_other_inputs(x, self._inputs))

    def evaluators(self, p: Any) -> dict[str, dict[str, float]]:
        """How the pairs of neurons are integrated at parameters `p`.

        Parameters
        ----------
        p : Params or array of shape (P,)

        Returns
        -------
        dict
            By method, ``"closed"``, ``"exponential"``, ``"constant"``, ``"line"``, ``"hermite"`` or
            ``"nested"``: the number of pairs, and the largest estimated error relative to the root
            mean squares of the two factors (rounding not counted).
        """
        arguments = {"net": self._key, "p": flat_parameters(p, self._shapes)}
        found: dict[str, dict[str, float]] = current_engine().call(
            "evaluators", arguments, remotes=(self,)
        )
        return found

    def _creation(self) -> tuple[str, dict[str, Any]]:
        return "infinite_create", {
            "layers": describe_layers(self._layers),
            "inputs": self._inputs,
            "teacher_layers": describe_layers(self._teacher.layers),
            "teacher": self._teacher.params.flat,
            "mean": self._mean,
            "covariance": self._covariance,
        }

    def __reduce__(self) -> tuple[object, ...]:
        return InfiniteNet, (self._teacher, list(self._layers), self._mean, self._covariance)

    def __repr__(self) -> str:
        standard = self._mean is None and self._covariance is None
        return (
            f"InfiniteNet: {layers_text(self._layers, self._inputs)}; {self._nparams} parameters, "
            f"{'standard normal' if standard else 'Gaussian'} inputs, teacher "
            f"{layers_text(self._teacher.layers, self._inputs)}"
        )


def _check_one_hidden_layer(who: str, layers: tuple[Layer, ...]) -> None:
    if len(layers) != 2:
        raise ValueError(
            f"InfiniteNet: expected a {who} with one hidden layer and an output layer, got "
            f"{len(layers)} layers; deeper ones need a Net of sampled inputs"
        )
    output = layers[1].activation
    names = output if isinstance(output, tuple) else (output,)
    if any(name != "identity" for name in names):
        raise ValueError(
            f"InfiniteNet: expected a {who} with identity outputs, got {activation_text(output)}"
        )


def _checked_mean(mean: Any, inputs: int) -> np.ndarray | None:
    if mean is None:
        return None
    array = as_floats(mean, "mean")
    if array.shape != (inputs,):
        raise ValueError(
            f"mean: expected the shape ({inputs},), one number an input, got "
            f"{shape_text(array.shape)}"
        )
    check_finite(array, "mean")
    return array.copy()


def _checked_covariance(covariance: Any, inputs: int) -> np.ndarray | None:
    if covariance is None:
        return None
    array = as_floats(covariance, "covariance")
    if array.shape != (inputs, inputs):
        raise ValueError(
            f"covariance: expected the shape ({inputs}, {inputs}), got {shape_text(array.shape)}"
        )
    check_finite(array, "covariance")
    largest = float(np.abs(array).max())
    difference = float(np.abs(array - array.T).max())
    if difference > 1e-12 * largest:
        raise ValueError(
            f"covariance: expected a symmetric matrix, got entries that differ by {difference:g} "
            "from those across the diagonal"
        )
    smallest = float(np.linalg.eigvalsh(array).min())
    if smallest < -1e-10 * largest:
        raise ValueError(f"covariance: expected no negative eigenvalue, got {smallest:g}")
    return array.copy()
