"""Jacobians of linear layers as outer products of deltas and activations.

Every call of `torch.nn.functional.linear` with a trainable weight is recorded while a residual
function runs, in its forward pass and in those backward passes that it runs itself (derivatives in
the inputs, as physics-informed networks take them). If row n of every activation belongs to sample
n, one backward pass of the sum over the samples gives the derivatives delta[n] of sample n's
residual in the outputs of every recorded product, and the row of the Jacobian is the sum over the
products of delta[n] (x) activation[n]. This is the per-sample gradient of Goodfellow (2015,
"Efficient per-example gradient computations"), extended to products that differentiation creates.

Whether the rows do belong to one sample each is not assumed but tested (see `choice`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..parameters import ParameterVector
from ..residuals import Block
from ..systems.layered import LayeredRows, LayerPlace, layered_gain

__all__ = ["NotPerSampleError", "Recorder", "layered_rows", "recorded_rows"]

# Estimated, below which the rows themselves are the simpler way.
_LEAST_GAIN = 1.1


class NotPerSampleError(Exception):
    """The recorded products do not have one row a sample."""


@dataclass
class _Use:
    """One product ``output = activation W^T`` (or ``activation W`` where transposed)."""

    index: int
    transposed: bool
    activation: torch.Tensor
    output: torch.Tensor


@dataclass
class _Log:
    """The products of one run; biases are seen by the products they are added to."""

    uses: list[_Use] = field(default_factory=list)
    biases: list[tuple[int, torch.Tensor]] = field(default_factory=list)

    def product(
        self, index: int, transposed: bool, activation: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        output: torch.Tensor = _Product.apply(activation, weight, self, index, transposed)
        if not output.requires_grad:
            output = output.detach().requires_grad_()
        self.uses.append(_Use(index, transposed, activation.detach(), output))
        return output


class _Product(torch.autograd.Function):  # type: ignore[misc]  # torch is not analysed
    """A product with a weight whose derivatives are recorded products in their turn."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, log: _Log, index: int, transposed: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(weight)
        # Weak, for the log holds the outputs and they their graph: a cycle would keep whole graphs
        # until the garbage collector comes.
        ctx.log, ctx.index, ctx.transposed = weakref.ref(log), index, transposed
        return x @ weight if transposed else x @ weight.T

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        log = ctx.log() if torch.is_grad_enabled() else None
        if log is not None:
            pulled = log.product(ctx.index, not ctx.transposed, grad, weight)
        else:
            pulled = grad @ weight.T if ctx.transposed else grad @ weight
        return pulled, None, None, None, None


class Recorder(TorchFunctionMode):  # type: ignore[misc]
    """Record the linear layers whose weights are among the parameters."""

    def __init__(self, parameters: ParameterVector) -> None:
        super().__init__()
        self.log = _Log()
        self._index = {id(tensor): i for i, tensor in enumerate(parameters.tensors)}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is torch.nn.functional.linear:
            return self._linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _linear(
        self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        index = self._index.get(id(weight))
        if index is None or not torch.is_grad_enabled():
            return torch.nn.functional.linear(x, weight, bias)
        output = self.log.product(index, False, x, weight.detach())
        if bias is None:
            return output
        index = self._index.get(id(bias))
        if index is None:
            return output + bias
        self.log.biases.append((index, output))
        return output + bias.detach()


def recorded_rows(
    parameters: ParameterVector,
    blocks: Sequence[Block],
    recorder: Recorder,
    rows_at_once: int,
    others: Sequence[int] = (),
) -> Iterator[tuple[int, int, torch.Tensor, torch.Tensor]]:
    """Rows of the system, in chunks, from a recorded run.

    Parameters
    ----------
    others : sequence of int
        Parameters also used elsewhere than in linear layers: few entries, one column a time.

    Yields
    ------
    block, k : int
    J : Tensor of shape (rows, P)
        A buffer that the next chunk overwrites.
    u : Tensor of shape (rows,)
    """
    uses, biases = list(recorder.log.uses), list(recorder.log.biases)
    size = min(rows_at_once, max(len(block.z) for block in blocks))
    buffer = torch.empty(size, len(parameters), dtype=torch.float64, device=parameters.device)
    outputs = [use.output for use in uses]
    for number, block in enumerate(blocks):
        columns = _columns(parameters, block, others) if others else []
        count = block.rows.residuals.shape[1]
        for k in range(count):
            deltas = _deltas(block, outputs, k)
            keep = [
                (use, delta) for use, delta in zip(uses, deltas, strict=True) if delta is not None
            ]
            known = {id(use.output): delta for use, delta in keep}
            shifts = [(i, known[id(out)]) for i, out in biases if id(out) in known]
            _check_shapes(keep, len(block.z))
            yield from _fill(parameters, block, number, k, keep, shifts, columns, buffer)


def layered_rows(
    parameters: ParameterVector, blocks: Sequence[Block], recorder: Recorder, memory: float
) -> Iterator[tuple[int, LayeredRows]] | None:
    """The rows of a run as outer products, by blocks, or None where that does not pay.

    It does for layers of two axes, each used once, many outputs a time within `memory` bytes.
    """
    log = recorder.log
    places = _places(parameters, log, {len(block.z) for block in blocks})
    if places is None:
        return None
    samples = max(len(block.z) for block in blocks)
    at_once = int(memory / _output_bytes(places, samples))
    count = min(at_once, max(block.rows.residuals.shape[1] for block in blocks))
    if count < 1 or layered_gain(places, len(parameters), samples, count) < _LEAST_GAIN:
        return None
    return _by_outputs(blocks, list(log.uses), places, at_once)


def _places(
    parameters: ParameterVector, log: _Log, samples: set[int]
) -> tuple[LayerPlace, ...] | None:
    """Of the layers in the vector of parameters, in the order of their use."""
    biases = {id(output): index for index, output in log.biases}
    indices = [use.index for use in log.uses] + [index for index, _ in log.biases]
    known = {id(use.output) for use in log.uses}
    plain = all(
        not use.transposed and use.activation.dim() == 2 and {len(use.activation)} == samples
        for use in log.uses
    )
    once = len(set(indices)) == len(indices) and len(biases) == len(log.biases)
    if not log.uses or not plain or not once or not known.issuperset(biases):
        return None
    places = []
    for use in log.uses:
        bias = biases.get(id(use.output))
        outputs, inputs = parameters.tensors[use.index].shape
        offset = None if bias is None else parameters.offsets[bias]
        places.append(LayerPlace(parameters.offsets[use.index], offset, outputs, inputs))
    return tuple(places)


def _output_bytes(places: tuple[LayerPlace, ...], samples: int) -> float:
    """Of the deltas of one output."""
    return 8.0 * samples * sum(place.outputs for place in places)


def _by_outputs(
    blocks: Sequence[Block], uses: list[_Use], places: tuple[LayerPlace, ...], at_once: int
) -> Iterator[tuple[int, LayeredRows]]:
    outputs = [use.output for use in uses]
    activations = [use.activation for use in uses]
    for number, block in enumerate(blocks):
        residuals = block.rows.residuals
        for start in range(0, residuals.shape[1], at_once):
            some = range(start, min(start + at_once, residuals.shape[1]))
            deltas = [
                [
                    torch.zeros_like(output) if delta is None else delta
                    for output, delta in zip(outputs, _deltas(block, outputs, k), strict=True)
                ]
                for k in some
            ]
            piece = residuals[:, some.start : some.stop]
            yield number, LayeredRows(places, activations, deltas, piece)


def _deltas(block: Block, outputs: list[torch.Tensor], k: int) -> Sequence[torch.Tensor | None]:
    if not outputs or not block.z.requires_grad:
        return [None] * len(outputs)
    deltas: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
        block.z, outputs, block.cotangent(k), retain_graph=True, allow_unused=True
    )
    return deltas


def _check_shapes(keep: list[tuple[_Use, torch.Tensor]], samples: int) -> None:
    for use, _ in keep:
        if use.activation.dim() < 2 or len(use.activation) != samples:
            raise NotPerSampleError(
                f"an activation of shape {tuple(use.activation.shape)} for {samples} samples"
            )


def _fill(
    parameters: ParameterVector,
    block: Block,
    number: int,
    k: int,
    keep: list[tuple[_Use, torch.Tensor]],
    shifts: list[tuple[int, torch.Tensor]],
    columns: list[tuple[int, torch.Tensor]],
    buffer: torch.Tensor,
) -> Iterator[tuple[int, int, torch.Tensor, torch.Tensor]]:
    residuals = block.rows.residuals
    pieces = parameters.split(buffer)
    seen = {use.index for use, _ in keep} | {index for index, _ in shifts}
    for index, piece in enumerate(pieces):
        if index not in seen:
            piece.zero_()
    for start in range(0, len(residuals), len(buffer)):
        stop = min(start + len(buffer), len(residuals))
        rows = slice(0, stop - start)
        fresh = set(seen)
        for use, delta in keep:
            _outer(pieces[use.index][rows], use, delta, slice(start, stop), use.index in fresh)
            fresh.discard(use.index)
        for index, delta in shifts:
            piece, shift = pieces[index][rows], delta[start:stop]
            if shift.dim() > 2:
                shift = shift.sum(dim=tuple(range(1, shift.dim() - 1)))
            if index in fresh:
                piece.copy_(shift)
            else:
                piece.add_(shift)
            fresh.discard(index)
        cotangent = block.cotangent(k)[start:stop] if columns else None
        for column, derivative in columns:
            if column >= 0 and cotangent is not None:
                extra = (derivative[start:stop] * cotangent).sum(dim=1)
                buffer[rows, column] += extra
        yield number, k, buffer[rows], residuals[start:stop, k]
        for column, _ in columns:
            buffer[rows, column] = 0.0


def _outer(out: torch.Tensor, use: _Use, delta: torch.Tensor, samples: slice, fresh: bool) -> None:
    """Add (or, first, write) the outer products of one recorded product to rows of a weight."""
    left, right = (use.activation, delta) if use.transposed else (delta, use.activation)
    left, right = left[samples], right[samples]
    if left.dim() == 2:
        if fresh:
            torch.mul(left.unsqueeze(2), right.unsqueeze(1), out=out)
        else:
            out.addcmul_(left.unsqueeze(2).to(out.dtype), right.unsqueeze(1).to(out.dtype))
        return
    left = left.reshape(len(left), -1, left.shape[-1]).to(out.dtype)
    right = right.reshape(len(right), -1, right.shape[-1]).to(out.dtype)
    product = left.transpose(1, 2) @ right
    if fresh:
        out.copy_(product)
    else:
        out.add_(product)


def _columns(
    parameters: ParameterVector, block: Block, others: Sequence[int]
) -> list[tuple[int, torch.Tensor]]:
    """dz/dp outside the linear layers for the entries of some parameters, each of shape (N, M).

    A derivative along an entry is the derivative of the pulled-back cotangent in that cotangent.
    """
    tensors = [parameters.tensors[index] for index in others]
    if not block.z.requires_grad:
        return []
    dummy = torch.zeros_like(block.z, requires_grad=True)
    pulled = torch.autograd.grad(block.z, tensors, dummy, create_graph=True, allow_unused=True)
    columns = []
    for index, piece in zip(others, pulled, strict=True):
        if piece is None or not piece.requires_grad:
            continue
        for entry, value in enumerate(piece.reshape(-1)):
            (column,) = torch.autograd.grad(value, dummy, retain_graph=True, allow_unused=True)
            if column is not None:
                columns.append((parameters.offsets[index] + entry, column.to(torch.float64)))
    return columns
