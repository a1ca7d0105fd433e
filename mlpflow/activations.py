"""Activation functions: names, polynomials and user-made ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from ._check import as_number, shown
from ._hints import did_you_mean

__all__ = ["ACTIVATIONS", "Activation", "Poly"]

ACTIVATIONS = (
    "identity", "sigmoid", "tanh", "relu", "softplus", "gelu", "silu", "selu", "square", "cube",
    "exp", "g", "sigmoid2", "normal_cdf",
)  # fmt: skip
"""The built-in activations, by name."""


@dataclass(frozen=True, init=False)
class Poly:
    """The polynomial a0 + a1 x + a2 x^2 + ... as an activation.

    Parameters
    ----------
    *coefficients : float
        a0, a1, a2, ...

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.Poly(0, 1, 0.5)
    Poly(0.0, 1.0, 0.5)
    """

    coefficients: tuple[float, ...]

    def __init__(self, *coefficients: float) -> None:
        if not coefficients:
            raise ValueError(
                "Poly: expected at least one coefficient, such as Poly(0, 1), got none"
            )
        numbers = tuple(as_number(a, "Poly") for a in coefficients)
        object.__setattr__(self, "coefficients", numbers)

    def __repr__(self) -> str:
        return f"Poly({', '.join(map(repr, self.coefficients))})"

    def __reduce__(self) -> tuple[object, ...]:
        return Poly, self.coefficients


@dataclass(frozen=True)
class Activation:
    """An activation of your own, with its first and second derivative.

    Parameters
    ----------
    name : str
        How reports call it.
    f, deriv, second_deriv : str
        Julia functions of one Float64 number.

    Examples
    --------
    >>> import mlpflow as mf
    >>> sine = mf.Activation("sine", f="sin", deriv="cos", second_deriv="x -> -sin(x)")
    """

    name: str
    f: str
    deriv: str
    second_deriv: str

    def __post_init__(self) -> None:
        for part in ("name", "f", "deriv", "second_deriv"):
            text = getattr(self, part)
            if not isinstance(text, str) or not text.strip():
                example = "a name" if part == "name" else 'a Julia function such as "x -> x^2"'
                raise TypeError(f"Activation: expected {example} for {part}, got {text!r}")


OneActivation: TypeAlias = str | Poly | Activation
AnyActivation: TypeAlias = OneActivation | tuple[OneActivation, ...]


def checked_activation(value: Any, width: int, where: str) -> AnyActivation:
    """An activation for a layer of ``width`` neurons, or one for each of them."""
    if isinstance(value, (list, tuple)):
        if len(value) != width:
            raise ValueError(
                f"{where}: expected one activation or {width} of them, one a neuron, "
                f"got {len(value)}"
            )
        return tuple(_checked_one(v, where) for v in value)
    return _checked_one(value, where)


def _checked_one(value: Any, where: str) -> OneActivation:
    if isinstance(value, (Poly, Activation)):
        return value
    if isinstance(value, str) and value == "softmax":
        raise ValueError(
            f'{where}: expected "identity" in the last layer with losstype="cross_entropy", got '
            '"softmax", which belongs to the loss'
        )
    if isinstance(value, str) and value in ACTIVATIONS:
        return value
    name = value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)
    raise (ValueError if isinstance(value, str) else TypeError)(
        f"{where}: expected an activation ({', '.join(ACTIVATIONS)}, mf.Poly or mf.Activation), "
        f"got {shown(value)}{did_you_mean(str(name), ACTIVATIONS)}"
    )


def describe(activation: AnyActivation) -> Any:
    """An activation as plain data, for the engine and for files."""
    if isinstance(activation, tuple):
        return [describe(a) for a in activation]
    if isinstance(activation, Poly):
        return {"poly": list(activation.coefficients)}
    if isinstance(activation, Activation):
        return {
            "name": activation.name,
            "f": activation.f,
            "deriv": activation.deriv,
            "second_deriv": activation.second_deriv,
        }
    return activation


def from_description(description: Any) -> Any:
    """The inverse of `describe`."""
    if isinstance(description, list):
        return [from_description(d) for d in description]
    if isinstance(description, dict):
        if "poly" in description:
            return Poly(*description["poly"])
        return Activation(**description)
    return description


def activation_text(activation: AnyActivation) -> str:
    """An activation as reports show it."""
    if isinstance(activation, tuple):
        return "[" + ", ".join(activation_text(a) for a in activation) + "]"
    return activation.name if isinstance(activation, Activation) else str(activation)
