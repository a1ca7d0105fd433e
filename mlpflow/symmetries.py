"""What a neuron can be turned into without changing the function, by its activation."""

from __future__ import annotations

from dataclasses import dataclass

from .activations import Activation, Poly

__all__ = ["Symmetry", "symmetry"]


@dataclass(frozen=True)
class Symmetry:
    """What a neuron a f(z) can be turned into without changing the function.

    Attributes
    ----------
    parity : int
        1 for f(-z) = f(z), -1 for f(-z) = constant - f(z), 0 for neither.
    constant : float
    degree : int
        f(c z) = c^degree f(z) for c > 0; 0 where there is no such number.
    slope : float
        f(-z) = f(z) - slope z; 0 where there is no such number. Turning the signs of such a neuron
        leaves a linear function of the inputs, which others that are turned may cancel.
    """

    parity: int = 0
    constant: float = 0.0
    degree: int = 0
    slope: float = 0.0


_SYMMETRIES = {
    "identity": Symmetry(-1, degree=1),
    "tanh": Symmetry(-1),
    "sigmoid2": Symmetry(-1),
    "cube": Symmetry(-1, degree=3),
    "square": Symmetry(1, degree=2),
    "sigmoid": Symmetry(-1, constant=1.0),
    "normal_cdf": Symmetry(-1, constant=1.0),
    "relu": Symmetry(degree=1, slope=1.0),
    "softplus": Symmetry(slope=1.0),
    "gelu": Symmetry(slope=1.0),
    "silu": Symmetry(slope=1.0),
}


def symmetry(activation: str | Poly | Activation) -> Symmetry:
    """The symmetries of an activation; none is known of a user-made one.

    Examples
    --------
    >>> from mlpflow.symmetries import symmetry
    >>> symmetry("sigmoid")
    Symmetry(parity=-1, constant=1.0, degree=0, slope=0.0)
    """
    if isinstance(activation, str):
        return _SYMMETRIES.get(activation, Symmetry())
    if isinstance(activation, Activation):
        return Symmetry()
    powers = [k for k, a in enumerate(activation.coefficients) if a != 0]
    degree = powers[0] if len(powers) == 1 else 0
    if all(k % 2 == 0 for k in powers):
        return Symmetry(1, degree=degree)
    if all(k % 2 == 1 for k in powers if k > 0):
        constant = 2 * activation.coefficients[0]
        return Symmetry(-1, constant=constant, degree=degree)
    if all(k % 2 == 0 for k in powers if k != 1):
        return Symmetry(slope=2 * activation.coefficients[1])
    return Symmetry(degree=degree)
