"""diag(J^T J) of layered networks by closed formulas.

A network made of linear layers and functions of one entry (or of corresponding entries) treats its
samples one by one: that is seen from the functions it calls, without a test. If each trainable
weight is used once, sample n's derivative of output k in it is delta[n, k] (x) activation[n], and

    diag = (sum_k delta_k^2)^T activation^2        (weight),
    diag = sum_nk delta_k[n]^2                     (bias),

with one backward pass an output for all samples. These are the sums of squares of Goodfellow's
(2015) per-sample gradients, as in Dangel, Kunstner & Hennig (2020, "BackPACK").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..parameters import ParameterVector

__all__ = ["NotLayeredError", "layered_diagonal"]

# Samples at once, where no graph is kept: the activations of more save nothing.
_MOST_SAMPLES = 4096

_MODULE_FUNCTIONS = (
    "celu elu gelu hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu relu6 selu "
    "sigmoid silu softplus softsign tanh tanhshrink"
)
_TENSOR_FUNCTIONS = (
    "abs add atan cos erf exp log1p mul neg relu sigmoid sin sinh square sub tanh __add__ __mul__ "
    "__radd__ __rmul__ __sub__"
)
_ENTRYWISE = frozenset(
    function
    for place, names in (
        (functional, _MODULE_FUNCTIONS),
        (torch, _TENSOR_FUNCTIONS),
        (torch.Tensor, _TENSOR_FUNCTIONS),
    )
    for name in names.split()
    if (function := getattr(place, name, None)) is not None
)


class NotLayeredError(Exception):
    """The network calls other functions, or uses its parameters otherwise."""


@dataclass
class _Layer:
    """``output = activation W^T + b`` and the places of W and b among the parameters."""

    weight: int | None
    bias: int | None
    activation: torch.Tensor
    output: torch.Tensor


class _Layers(TorchFunctionMode):  # type: ignore[misc]  # torch is not analysed
    """Record linear layers, and refuse what could mix samples or use a parameter twice."""

    def __init__(self, parameters: ParameterVector, inputs: torch.Tensor, graph: bool) -> None:
        super().__init__()
        self.layers: list[_Layer] = []
        self._graph = graph
        self._index = {id(tensor): i for i, tensor in enumerate(parameters.tensors)}
        self._used: set[int] = set()
        # Tensors whose row n is a function of sample n alone; held, so that no id comes again.
        self._rows = {id(inputs): inputs}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        if func is functional.linear:
            output = self._linear(*args, **keywords)
        elif func in _ENTRYWISE and self._entries(args, keywords):
            output = func(*args, **keywords)
        else:
            raise NotLayeredError(getattr(func, "__name__", "another function"))
        self._rows[id(output)] = output
        return output

    def is_row(self, tensor: object) -> bool:
        """Whether row n belongs to sample n."""
        return id(tensor) in self._rows

    def _entries(self, args: Any, keywords: dict[str, Any]) -> bool:
        """Tensors of samples, all of the same shape, and numbers."""
        if keywords.get("inplace") or any(
            isinstance(value, torch.Tensor) for value in keywords.values()
        ):
            return False
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        return all(
            self.is_row(tensor) and tensor.shape == tensors[0].shape for tensor in tensors
        ) and not any(isinstance(value, list | tuple) for value in args)

    def _linear(
        self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        if not self.is_row(x):
            raise NotLayeredError("a layer of something else than samples")
        if not torch.is_grad_enabled():
            raise NotLayeredError("a layer whose derivative is left out")
        places = self._place(weight), None if bias is None else self._place(bias)
        trained = places != (None, None)
        if self._graph:
            output = functional.linear(x, weight, bias)
        else:
            output = functional.linear(x, weight.detach(), None if bias is None else bias.detach())
            if trained and not output.requires_grad:
                output.requires_grad_()
        if trained:
            self.layers.append(_Layer(*places, x, output))
        return output

    def _place(self, tensor: torch.Tensor) -> int | None:
        if not isinstance(tensor, torch.nn.Parameter):
            raise NotLayeredError("a weight that is computed")
        place = self._index.get(id(tensor))
        if place is not None and place in self._used:
            raise NotLayeredError("a parameter used twice")
        if place is not None:
            self._used.add(place)
        return place


def layered_diagonal(
    parameters: ParameterVector,
    model: torch.nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    graph: bool = False,
) -> list[torch.Tensor]:
    """diag(J^T J) of the outputs, one tensor a parameter.

    Raises
    ------
    NotLayeredError
        Where the formulas do not apply; nothing is known then.
    ValueError
        For targets of another shape than the outputs.
    """
    total: list[torch.Tensor | None] = [None] * len(parameters.tensors)
    at_once = len(inputs) if graph else _MOST_SAMPLES
    for start in range(0, len(inputs), at_once):
        some = inputs[start : start + at_once]
        layers, outputs = _run(parameters, model, some, graph)
        if outputs.shape != targets[start : start + at_once].shape:
            shape = (len(inputs), *outputs.shape[1:])
            raise ValueError(
                f"targets must have the outputs' shape {shape}, got {tuple(targets.shape)}"
            )
        for layer, square in zip(layers, _squares(layers, outputs, graph), strict=True):
            _add(total, layer, square)
    return [
        torch.zeros_like(tensor) if piece is None else piece.to(tensor.dtype)
        for piece, tensor in zip(total, parameters.tensors, strict=True)
    ]


def _run(
    parameters: ParameterVector, model: torch.nn.Module, inputs: torch.Tensor, graph: bool
) -> tuple[list[_Layer], torch.Tensor]:
    recorder = _Layers(parameters, inputs, graph)
    with torch.enable_grad(), recorder:
        outputs = model(inputs)
    if not recorder.is_row(outputs) or outputs.dim() != 2:
        raise NotLayeredError("outputs that are not one row a sample")
    return recorder.layers, outputs


def _squares(layers: list[_Layer], outputs: torch.Tensor, graph: bool) -> list[torch.Tensor | None]:
    """sum_k delta_k^2 of each layer, in float64 where no graph is wanted."""
    squares: list[torch.Tensor | None] = [None] * len(layers)
    if not layers or not outputs.requires_grad:
        return squares
    count = outputs.shape[1]
    for k in range(count):
        cotangent = torch.zeros_like(outputs)
        cotangent[:, k] = 1.0
        deltas = torch.autograd.grad(
            outputs,
            [layer.output for layer in layers],
            cotangent,
            retain_graph=graph or k + 1 < count,
            create_graph=graph,
            allow_unused=True,
        )
        for number, delta in enumerate(deltas):
            if delta is not None:
                square = delta.square() if graph else delta.to(torch.float64).square()
                known = squares[number]
                squares[number] = square if known is None else known + square
    return squares


def _add(total: list[torch.Tensor | None], layer: _Layer, square: torch.Tensor | None) -> None:
    if square is None:
        return
    if layer.weight is not None:
        activation = layer.activation.to(square.dtype)
        piece = square.T @ activation.square()
        known = total[layer.weight]
        total[layer.weight] = piece if known is None else known + piece
    if layer.bias is not None:
        piece = square.sum(dim=0)
        known = total[layer.bias]
        total[layer.bias] = piece if known is None else known + piece
