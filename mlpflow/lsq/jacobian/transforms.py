"""Jacobians by plain reverse mode, by forward mode, and sample by sample."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence

import torch

from ..parameters import ParameterVector
from ..residuals import Block, Residual

__all__ = ["forward_rows", "per_sample_rows", "reverse_rows"]

Chunks = Iterator[tuple[int, int | None, torch.Tensor, torch.Tensor]]

# Cotangents that one batched backward pass carries along.
_COTANGENT_NUMBERS = 2**22


def reverse_rows(parameters: ParameterVector, blocks: Sequence[Block], rows_at_once: int) -> Chunks:
    """One backward pass a row, many rows at a time where the operations can be batched."""
    for number, block in enumerate(blocks):
        samples, count = block.rows.residuals.shape
        at_once = min(rows_at_once, max(1, _COTANGENT_NUMBERS // block.z.numel()))
        batched = True
        for k in range(count):
            cotangent = block.cotangent(k)
            for start in range(0, samples, at_once):
                stop = min(start + at_once, samples)
                some = torch.zeros(stop - start, *cotangent.shape).to(cotangent)
                index = torch.arange(stop - start, device=some.device)
                some[index, index + start] = cotangent[start:stop]
                rows, batched = _pull(parameters, block.z, some, batched)
                yield number, k, rows, block.rows.residuals[start:stop, k]


def _pull(
    parameters: ParameterVector, z: torch.Tensor, cotangents: torch.Tensor, batched: bool
) -> tuple[torch.Tensor, bool]:
    if not z.requires_grad:
        shape = (len(cotangents), len(parameters))
        return torch.zeros(shape, dtype=torch.float64, device=z.device), batched
    keywords = {"retain_graph": True, "allow_unused": True}
    if batched:
        try:
            pulled = torch.autograd.grad(
                z, parameters.tensors, cotangents, is_grads_batched=True, **keywords
            )
        except RuntimeError:  # an operation that has no batching rule
            batched = False
        else:
            return _join(parameters, pulled, len(cotangents)), True
    rows = [
        parameters.join(torch.autograd.grad(z, parameters.tensors, one, **keywords))
        for one in cotangents
    ]
    return torch.stack(rows), False


def _join(
    parameters: ParameterVector, pieces: Sequence[torch.Tensor | None], rows: int
) -> torch.Tensor:
    flat = [
        torch.zeros(rows, size, dtype=torch.float64, device=parameters.device)
        if piece is None
        else piece.reshape(rows, size).to(torch.float64)
        for piece, size in zip(pieces, parameters.sizes, strict=True)
    ]
    return torch.cat(flat, dim=1)


def _factored(J: torch.Tensor, factor: torch.Tensor | None) -> torch.Tensor:
    """dz/dp of shape (N, M, P) as rows (N, K, P) of the system."""
    if factor is None:
        return J
    if factor.dim() == 2:
        return J * factor.unsqueeze(2)
    return factor.transpose(1, 2) @ J


@functools.cache
def _load_forward_mode() -> None:
    """PyTorch compiles its own rules with the deprecated torch.jit: not our user's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        one = torch.ones(1)
        torch.func.jvp(torch.tanh, (one,), (one,))


def forward_rows(
    parameters: ParameterVector, residual: Residual, inputs: Sequence[torch.Tensor]
) -> tuple[list[Block], Chunks]:
    """One directional derivative a parameter, all of them at once: for few parameters."""
    _load_forward_mode()
    held: list[Block] = []

    def outputs(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with parameters.replaced(_cast(parameters, values)):
            held[:] = residual.blocks(inputs)
            return tuple(block.z for block in held)

    point = parameters.read()
    basis = torch.eye(len(point), dtype=point.dtype, device=point.device)

    def push(tangent: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        values, tangents = torch.func.jvp(outputs, (point,), (tangent,))
        return values, tangents

    values, tangents = torch.func.vmap(push, out_dims=(None, 0))(basis)
    blocks = [
        Block(z.detach(), _unwrap(block.labels), block.criterion)
        for z, block in zip(values, held, strict=True)
    ]

    def chunks() -> Chunks:
        for number, (block, tangent) in enumerate(zip(blocks, tangents, strict=True)):
            J = _factored(tangent.detach().permute(1, 2, 0).to(torch.float64), block.rows.factor)
            yield number, None, J.reshape(-1, J.shape[-1]), block.rows.residuals.reshape(-1)

    return blocks, chunks()


def _cast(parameters: ParameterVector, values: torch.Tensor) -> list[torch.Tensor]:
    pieces = parameters.split(values)
    return [
        piece.to(tensor.dtype) for piece, tensor in zip(pieces, parameters.tensors, strict=True)
    ]


def _unwrap(labels: torch.Tensor | None) -> torch.Tensor | None:
    return None if labels is None else labels.detach()


def per_sample_rows(
    parameters: ParameterVector,
    residual: Residual,
    inputs: Sequence[torch.Tensor],
    blocks: Sequence[Block],
    rows_at_once: int,
) -> Chunks:
    """Reverse mode for each sample, vectorised over the samples (vmap of jacrev)."""
    for number, block in enumerate(blocks):

        def outputs(
            values: list[torch.Tensor], *sample: torch.Tensor, number: int = number
        ) -> torch.Tensor:
            with parameters.replaced(values):
                called = residual.blocks([tensor.unsqueeze(0) for tensor in sample])
            return called[number].z.reshape(-1)

        jacobian: Callable[..., list[torch.Tensor]] = torch.func.vmap(
            torch.func.jacrev(outputs), in_dims=(None, *[0] * len(inputs))
        )
        values = [tensor.detach() for tensor in parameters.tensors]
        samples, width = block.z.shape
        at_once = max(1, rows_at_once // width)
        for start in range(0, samples, at_once):
            stop = min(start + at_once, samples)
            pieces = jacobian(values, *[tensor[start:stop] for tensor in inputs])
            flat = [piece.reshape(stop - start, width, -1).to(torch.float64) for piece in pieces]
            factor = block.rows.factor
            J = _factored(torch.cat(flat, dim=2), None if factor is None else factor[start:stop])
            u = block.rows.residuals[start:stop]
            yield number, None, J.reshape(-1, J.shape[-1]), u.reshape(-1)
