"""Jacobians, Gauss-Newton matrices and products for those who build their own methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .jacobian.layers import NotLayeredError, layered_diagonal
from .objective import Objective
from .parameters import ParameterVector, Source
from .residuals import Residual, residual_list
from .systems import NormalSystem

__all__ = [
    "gauss_newton_diagonal",
    "gauss_newton_matrix",
    "gnvp",
    "jacobian",
    "parameter_count",
]


def parameter_count(model: torch.nn.Module, trainable: bool = True) -> int:
    """Numbers among the parameters, shared ones once; with ``trainable=False`` frozen ones, too."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def _objective(params: Source, residuals: Any, solver: str, method: str = "auto") -> Objective:
    vector = ParameterVector(params)
    return Objective(
        vector, residual_list(residuals), jacobian=method, solver=solver, reduction="sum"
    )


def jacobian(params: Source, residuals: Any, method: str = "auto") -> torch.Tensor:
    """dr/dp of shape (residuals, P) in float64, rows in the order of the residuals.

    Parameters
    ----------
    params : Module, list or dict of tensors
    residuals : callable, Residual or list of these
        Without weights: the plain derivatives (a robust loss scales its rows).
    method : str, default "auto"
        "recorded", "forward", "per_sample" or "reverse".
    """
    objective = _objective(params, residuals, "dual", method)
    return objective.dense()


def gauss_newton_matrix(params: Source, residuals: Any) -> torch.Tensor:
    """J^T J of shape (P, P), summed over residuals (weights included), in O(P^2) memory."""
    system = _objective(params, residuals, "normal").linearize().system
    assert isinstance(system, NormalSystem)
    return system.matrix


def gnvp(params: Source, residuals: Any, v: torch.Tensor) -> torch.Tensor:
    """J^T J v of shape (P,) without any matrix."""
    objective = _objective(params, residuals, "normal")
    v = torch.as_tensor(v, dtype=torch.float64, device=objective.parameters.device)
    if v.shape != (len(objective.parameters),):
        raise ValueError(f"v must have shape ({len(objective.parameters)},), got {tuple(v.shape)}")
    return objective.product(v)


def gauss_newton_diagonal(
    model: torch.nn.Module,
    loss: torch.nn.Module | Callable[..., torch.Tensor],
    inputs: torch.Tensor,
    targets: torch.Tensor,
    create_graph: bool = False,
) -> list[torch.Tensor]:
    """diag(J^T J), one tensor a trainable parameter, J the Jacobian of outputs - targets.

    Vectorised over the samples: no loop over residuals. No factor of the loss (2/N) is applied.
    Linear layers with entrywise functions between them, each weight used once, take closed
    formulas and one backward pass an output; other modules the Jacobian, in chunks.

    Parameters
    ----------
    model : Module
    loss : MSELoss or torch.nn.functional.mse_loss
        ValueError for any other: its Hessian in the outputs is not constant.
    inputs, targets : Tensor
    create_graph : bool, default False
        Keep the result differentiable in the parameters.
    """
    squares = isinstance(loss, torch.nn.MSELoss) or loss is torch.nn.functional.mse_loss
    if not squares:
        name = type(loss).__name__ if isinstance(loss, torch.nn.Module) else repr(loss)
        raise ValueError(f"the loss must be torch.nn.MSELoss (least squares), got {name}")
    vector = ParameterVector(model)
    if _matrices(inputs, targets):
        try:
            return layered_diagonal(vector, model, inputs, targets, create_graph)
        except NotLayeredError:
            pass

    def difference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = model(x)
        if outputs.shape != y.shape:
            raise ValueError(
                f"targets must have the outputs' shape {tuple(outputs.shape)}, got {tuple(y.shape)}"
            )
        return outputs - y

    if create_graph:
        return _graph_diagonal(vector, difference, inputs, targets)
    objective = Objective(vector, [Residual(difference, inputs, targets)], reduction="sum")
    diagonal = objective.diagonal()
    pieces = vector.split(diagonal)
    return [piece.to(tensor.dtype) for piece, tensor in zip(pieces, vector.tensors, strict=True)]


def _matrices(*tensors: object) -> bool:
    """Matrices of as many rows, at least one: anything else is for the general way, or an error."""
    if not all(isinstance(tensor, torch.Tensor) and tensor.dim() == 2 for tensor in tensors):
        return False
    rows = {len(tensor) for tensor in tensors if isinstance(tensor, torch.Tensor)}
    return len(rows) == 1 and 0 not in rows


def _graph_diagonal(
    vector: ParameterVector,
    difference: Callable[..., torch.Tensor],
    inputs: torch.Tensor,
    targets: torch.Tensor,
) -> list[torch.Tensor]:
    """By vmap of jacrev over the samples, which can be differentiated again."""

    def outputs(values: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with vector.replaced(values):
            return difference(x.unsqueeze(0), y.unsqueeze(0)).reshape(-1)

    rows = torch.func.vmap(torch.func.jacrev(outputs), in_dims=(None, 0, 0))(
        vector.tensors, inputs, targets
    )
    return [piece.square().sum(dim=(0, 1)) for piece in rows]
