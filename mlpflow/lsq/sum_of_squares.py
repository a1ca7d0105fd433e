"""A residual closure as a scalar loss, for any torch optimizer."""

from __future__ import annotations

from typing import Any

import torch

from .parameters import ParameterVector, Source
from .residuals import residual_list

__all__ = ["SumOfSquares"]


class SumOfSquares:
    """The loss ``sum_k weight_k / N_k sum |r|^2`` of residuals, as a callable.

    Called, it returns the scalar with its graph; `closure` also zeroes the gradients and runs
    backward, as `torch.optim.Optimizer.step` wants it.

    Parameters
    ----------
    residuals : callable, Residual, or list of these
    params : Module, list or dict of tensors, optional
        Whose gradients `closure` sets to zero.
    reduction : {"mean", "sum"}, default "mean"

    Examples
    --------
    >>> import torch
    >>> from mlpflow import lsq
    >>> p = torch.tensor([3.0], requires_grad=True)
    >>> loss = lsq.SumOfSquares(lambda: p - 1, [p])
    >>> optimizer = torch.optim.SGD([p], lr=0.1)
    >>> optimizer.step(loss.closure).item()
    4.0
    """

    def __init__(
        self, residuals: Any, params: Source | None = None, reduction: str = "mean"
    ) -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
        self.residuals = residual_list(residuals)
        self.vector = None if params is None else ParameterVector(params)
        self.reduction = reduction
        for residual in self.residuals:
            if residual.criterion.labelled or residual.loader is not None:
                raise ValueError(f"{residual.name} is no closure of squares over tensors")

    def __call__(self) -> torch.Tensor:
        terms = []
        for residual in self.residuals:
            for block in residual.blocks(residual.inputs):
                share = residual.weight / (len(block.z) if self.reduction == "mean" else 1)
                terms.append(share * residual.criterion.differentiable(block.z))
        return torch.stack(terms).sum()

    def closure(self) -> torch.Tensor:
        """Zero the gradients, run backward, return the loss."""
        if self.vector is None:
            raise ValueError("closure needs the parameters: SumOfSquares(residuals, params)")
        for tensor in self.vector.tensors:
            tensor.grad = None
        with torch.enable_grad():
            loss = self()
            loss.backward()
        return loss
