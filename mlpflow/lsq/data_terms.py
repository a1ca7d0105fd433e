"""Residual functions from a model and data: what `fit` makes of its second argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from .criteria import Robust
from .residuals import Residual, residual_list

__all__ = ["LOSSES", "data_residuals", "model_function"]

#: Losses of outputs and targets that have a name.
LOSSES = ("squares", "cross_entropy", "softmax_squares")
Loss = str | Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _difference(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if outputs.shape != targets.shape:
        raise ValueError(
            f"targets must have the outputs' shape {tuple(outputs.shape)}, got "
            f"{tuple(targets.shape)}"
        )
    return outputs - targets


def _softmax_difference(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    probabilities = torch.softmax(outputs, dim=1)
    if not targets.is_floating_point():
        targets = torch.nn.functional.one_hot(targets.reshape(-1), outputs.shape[1])
    return _difference(probabilities, targets.to(probabilities.dtype))


def model_function(model: torch.nn.Module, loss: Loss) -> Callable[..., Any]:
    """The residual function of batches ``(*inputs, targets)``."""
    if loss == "squares":
        return lambda *batch: _difference(model(*batch[:-1]), batch[-1])
    if loss == "softmax_squares":
        return lambda *batch: _softmax_difference(model(*batch[:-1]), batch[-1])
    if loss == "cross_entropy":
        return lambda *batch: (model(*batch[:-1]), batch[-1])
    if callable(loss):
        return lambda *batch: loss(model(*batch[:-1]), batch[-1])
    raise ValueError(f"loss must be one of {LOSSES} or a function, got {loss!r}")


def data_residuals(
    model: torch.nn.Module | None,
    data: Any,
    loss: Loss = "squares",
    robust: str | Robust = "linear",
    robust_scale: float = 1.0,
) -> list[Residual]:
    """Residual functions stay as they are; tensors and loaders get the model's.

    Parameters
    ----------
    data : callable, Residual, list of these, tuple of tensors (*inputs, targets), or loader
    """
    if isinstance(data, Residual) or (
        callable(data) and not isinstance(data, torch.utils.data.DataLoader)
    ):
        return residual_list(data)
    entries = list(data) if isinstance(data, list | tuple) else []
    if entries and all(callable(entry) or isinstance(entry, Residual) for entry in entries):
        return residual_list(entries)
    if model is None:
        raise TypeError("data need a module that makes outputs of them: give the module to fit")
    keywords: dict[str, Any] = {
        "criterion": "cross_entropy" if loss == "cross_entropy" else "squares",
        "robust": robust,
        "robust_scale": robust_scale,
        "name": "data",
        "coupled": couples_samples(model),
    }
    function = model_function(model, loss)
    if isinstance(data, tuple):
        if len(data) < 2:
            raise ValueError("data must be (inputs, targets), got a tuple of length 1")
        tensors = [_tensor(entry) for entry in data]
        device = next(model.parameters()).device
        return [Residual(function, *[tensor.to(device) for tensor in tensors], **keywords)]
    if isinstance(data, Iterable):
        return [Residual(function, loader=data, **keywords)]
    raise TypeError(
        "expected a residual function, a Residual, (inputs, targets) or a loader, got "
        f"{type(data).__name__}"
    )


def _tensor(entry: Any) -> torch.Tensor:
    if not isinstance(entry, torch.Tensor):
        raise TypeError(
            f"inputs and targets must be tensors, got {type(entry).__name__}: "
            "torch.as_tensor makes one"
        )
    return entry


def couples_samples(model: torch.nn.Module) -> bool:
    """Whether a batch normalisation in training mode makes samples depend on each other."""
    return any(
        isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and part.training
        for part in model.modules()
    )
