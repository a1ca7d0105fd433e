"""Layers, as `Net` and `TeacherNet` take them."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ._check import shown
from .activations import (
    AnyActivation,
    activation_text,
    checked_activation,
    describe,
    from_description,
)

__all__ = ["Layer"]


class Layer(NamedTuple):
    """One layer: ``(width, activation, bias)``.

    Attributes
    ----------
    width : int
        Number of neurons.
    activation : str, Poly, Activation or tuple of these
        One for all neurons, or one for each.
    bias : bool
        Does the layer have a bias?
    """

    width: int
    activation: AnyActivation
    bias: bool

    def __repr__(self) -> str:
        return f"({self.width}, {activation_text(self.activation)}, {self.bias})"


def checked_layers(layers: Any, *, outputs: int | None = None) -> tuple[Layer, ...]:
    """Layers from ``(width, activation, bias)`` triples.

    Parameters
    ----------
    layers : sequence of triples
        The last width may be None when ``outputs`` is known.
    outputs : int, optional
        What a last width of None stands for.
    """
    if isinstance(layers, (str, bytes)) or not isinstance(layers, Iterable):
        raise TypeError(
            'layers: expected a list such as [(10, "tanh", True), (1, "identity", True)], got '
            f"{shown(layers)}"
        )
    entries = list(layers)
    if not entries:
        raise ValueError('layers: expected at least one, such as (1, "identity", True), got none')
    if len(entries) == 3 and isinstance(entries[0], numbers.Integral):
        raise TypeError(
            f"layers: expected a list of triples, got one triple: write [{shown(layers)}]"
        )
    last = len(entries) - 1
    return tuple(
        _checked_layer(entry, f"layers[{i}]", outputs if i == last else None)
        for i, entry in enumerate(entries)
    )


def _checked_layer(entry: Any, where: str, outputs: int | None) -> Layer:
    if isinstance(entry, (str, bytes)) or not isinstance(entry, (tuple, list)) or len(entry) != 3:
        raise TypeError(
            f'{where}: expected (width, activation, bias), such as (10, "tanh", True), '
            f"got {shown(entry)}"
        )
    width, activation, bias = entry
    if width is None and outputs is not None:
        width = outputs
    if isinstance(width, bool) or not isinstance(width, numbers.Integral):
        raise TypeError(f"{where}: expected a whole number of neurons, got {shown(width)}")
    if width < 1:
        raise ValueError(f"{where}: expected at least 1 neuron, got {width}")
    if not isinstance(bias, (bool, np.bool_)):
        raise TypeError(f"{where}: expected True or False for the bias, got {shown(bias)}")
    return Layer(int(width), checked_activation(activation, int(width), where), bool(bias))


def checked_inputs(inputs: Any) -> int:
    """The number of inputs of a network without data."""
    if isinstance(inputs, bool) or not isinstance(inputs, numbers.Integral):
        raise TypeError(f"inputs: expected the number of inputs, got {shown(inputs)}")
    if inputs < 1:
        raise ValueError(f"inputs: expected at least 1, got {inputs}")
    return int(inputs)


Shape = tuple[int, int, bool]


def layer_shapes(layers: tuple[Layer, ...], inputs: int) -> tuple[Shape, ...]:
    """``(out, in, has bias)`` of each layer."""
    ins = [inputs, *(layer.width for layer in layers[:-1])]
    return tuple((layer.width, n, layer.bias) for layer, n in zip(layers, ins, strict=True))


def count_parameters(shapes: tuple[Shape, ...]) -> int:
    """The number of parameters."""
    return sum(out * (n + bias) for out, n, bias in shapes)


def describe_layers(layers: tuple[Layer, ...]) -> list[dict[str, Any]]:
    """Layers as plain data, for the engine and for files."""
    return [
        {"width": layer.width, "activation": describe(layer.activation), "bias": layer.bias}
        for layer in layers
    ]


def layers_from_description(description: list[dict[str, Any]]) -> tuple[Layer, ...]:
    """The inverse of `describe_layers`."""
    return checked_layers(
        [(d["width"], from_description(d["activation"]), d["bias"]) for d in description]
    )


def layers_text(layers: tuple[Layer, ...], inputs: int) -> str:
    """A network in a line, such as ``2 -> 5 sigmoid -> 1 identity``."""
    parts = [str(inputs)]
    for layer in layers:
        bias = " + bias" if layer.bias else ""
        parts.append(f"{layer.width} {activation_text(layer.activation)}{bias}")
    return " -> ".join(parts)
