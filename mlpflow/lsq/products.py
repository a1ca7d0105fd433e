"""Derivatives of one call's outputs along and against vectors, without a Jacobian."""

from __future__ import annotations

import torch

from .parameters import ParameterVector
from .residuals import Block

__all__ = ["along", "pull_rows", "push_rows", "transpose"]


def transpose(parameters: ParameterVector, block: Block, cotangent: torch.Tensor) -> torch.Tensor:
    """J^T cotangent, J the Jacobian of the outputs."""
    if not block.z.requires_grad:
        return torch.zeros(len(parameters), dtype=torch.float64, device=block.z.device)
    pulled = torch.autograd.grad(
        block.z,
        parameters.tensors,
        cotangent.to(block.z.dtype),
        retain_graph=True,
        allow_unused=True,
    )
    return parameters.join(pulled)


def along(parameters: ParameterVector, block: Block, v: torch.Tensor) -> torch.Tensor:
    """dz along v: the derivative of <J^T w, v> in w, which any graph supports."""
    if not block.z.requires_grad:
        return torch.zeros_like(block.z, dtype=torch.float64)
    dummy = torch.zeros_like(block.z, requires_grad=True)
    pulled = torch.autograd.grad(
        block.z, parameters.tensors, dummy, create_graph=True, allow_unused=True
    )
    pieces = parameters.split(v)
    inner = sum(
        (piece.to(part.dtype) * part).sum()
        for piece, part in zip(pieces, pulled, strict=True)
        if part is not None
    )
    assert isinstance(inner, torch.Tensor)
    (derivative,) = torch.autograd.grad(inner, dummy, retain_graph=True)
    return derivative.to(torch.float64)


def push_rows(block: Block, dz: torch.Tensor) -> torch.Tensor:
    """Rows (N, K) of a derivative dz (N, M) of the outputs: the factor's transpose."""
    factor = block.rows.factor
    if factor is None:
        return dz
    if factor.dim() == 2:
        return dz * factor
    return (factor.transpose(1, 2) @ dz.unsqueeze(2)).squeeze(2)


def pull_rows(block: Block, w: torch.Tensor) -> torch.Tensor:
    """The cotangent (N, M) of the outputs of weights w (N, K) on the rows."""
    factor = block.rows.factor
    if factor is None:
        return w
    if factor.dim() == 2:
        return w * factor
    return (factor @ w.unsqueeze(2)).squeeze(2)
