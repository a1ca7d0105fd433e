"""Residual functions with their data, and what they return, in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .criteria import Criterion, Robust, Rows, criterion_from
from .loaders import Pass

__all__ = ["Block", "Residual", "residual_list"]

Function = Callable[..., Any]


@dataclass
class Block:
    """One tensor that a residual function returned.

    Attributes
    ----------
    z : Tensor of shape (N, M)
        The outputs, in their graph.
    rows : Rows
        Loss, residuals (N, K) and factor, of the unscaled sum over the samples.
    """

    z: torch.Tensor
    labels: torch.Tensor | None
    criterion: Criterion

    def __post_init__(self) -> None:
        self._rows: Rows | None = None

    @property
    def rows(self) -> Rows:
        if self._rows is None:
            self._rows = self.criterion.rows(self.z, self.labels)
        return self._rows

    def loss(self) -> torch.Tensor:
        return self.criterion.loss(self.z, self.labels)

    def cotangent(self, k: int) -> torch.Tensor:
        """Column k of the factor, as a cotangent (N, M) of the outputs."""
        factor = self.rows.factor
        if factor is not None and factor.dim() == 3:
            return factor[:, :, k].to(self.z.dtype)
        cotangent = torch.zeros_like(self.z)
        cotangent[:, k] = 1.0 if factor is None else factor[:, k].to(self.z.dtype)
        return cotangent


class Residual:
    """A residual function with its own data, keyword arguments and weight.

    The loss is ``weight / N`` times the sum over N samples of the squares (or another criterion) of
    ``function(*inputs, **keywords)``, whose first axis is the samples'.

    Parameters
    ----------
    function : callable
        Takes the inputs, or slices of them along their first axis, and returns a tensor. It calls
        the model itself: ``lambda x, y: model(x) - y``.
    *inputs : Tensor
        With the same first dimension; none: the function brings its data and is never sliced.
    weight : float, default 1.0
    criterion : {"squares", "cross_entropy"} or Criterion, default "squares"
        The cross-entropy wants ``(outputs, labels)`` from the function.
    robust : {"linear", "huber", "soft_l1", "cauchy", "arctan"} or callable, default "linear"
        A callable maps t = (z/scale)^2 to (rho, rho', rho'').
    robust_scale : float, default 1.0
        The residual at which a robust loss leaves the squares.
    coupled : bool, default False
        True when a sample's residual depends on other samples (batch normalisation): the inputs are
        then never sliced.
    loader : iterable of batches, optional
        In place of inputs: batches are tensors or tuples of them, moved to the model's device.
    name : str, optional
    **keywords
        Passed on to the function.
    """

    def __init__(
        self,
        function: Function,
        *inputs: torch.Tensor,
        weight: float = 1.0,
        criterion: str | Criterion = "squares",
        robust: str | Robust = "linear",
        robust_scale: float = 1.0,
        coupled: bool = False,
        loader: Iterable[Any] | None = None,
        name: str = "",
        **keywords: Any,
    ) -> None:
        if not callable(function):
            raise TypeError(f"a residual must be a function, got {type(function).__name__}")
        for number, tensor in enumerate(inputs):
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"input {number} must be a tensor, got {type(tensor).__name__}")
            if tensor.dim() == 0:
                raise ValueError(
                    f"input {number} must have samples along its first axis, got a number"
                )
        if len({len(tensor) for tensor in inputs}) > 1:
            shapes = [tuple(tensor.shape) for tensor in inputs]
            raise ValueError(f"inputs must have the same number of samples, got shapes {shapes}")
        if inputs and not len(inputs[0]):
            raise ValueError("the inputs hold no sample")
        if inputs and loader is not None:
            raise ValueError("give inputs or a loader, not both")
        if not weight >= 0 or weight == float("inf"):
            raise ValueError(f"weight must be a number >= 0, got {weight}")
        self.function = function
        self.inputs = inputs
        self.weight = float(weight)
        self.criterion = criterion_from(criterion, robust, robust_scale)
        self.coupled = coupled
        self.loader = Pass(loader) if loader is not None else None
        self.keywords = keywords
        self.name = name or getattr(function, "__name__", "residual")

    @property
    def sliced(self) -> bool:
        """Whether rows depend on one sample each, as far as the user says."""
        return not self.coupled and (bool(self.inputs) or self.loader is not None)

    def batches(self, device: torch.device) -> Iterator[tuple[torch.Tensor, ...]]:
        """The inputs: once, or the loader's batches."""
        if self.loader is None:
            yield self.inputs
        else:
            yield from self.loader.batches(device)

    def blocks(self, inputs: Sequence[torch.Tensor]) -> list[Block]:
        """Call the function and bring what it returns to matrices (samples, outputs)."""
        returned = self.function(*inputs, **self.keywords)
        labels = None
        if self.criterion.labelled:
            if not isinstance(returned, tuple) or len(returned) != 2:
                raise TypeError(f"{self.name} must return (outputs, labels) for the cross-entropy")
            returned, labels = returned
        tensors = list(returned) if isinstance(returned, list | tuple) else [returned]
        if not tensors:
            raise ValueError(f"{self.name} returned no residuals")
        return [Block(self._matrix(tensor), labels, self.criterion) for tensor in tensors]

    def _matrix(self, tensor: object) -> torch.Tensor:
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{self.name} must return a tensor, got {type(tensor).__name__}")
        if tensor.is_complex():
            raise TypeError(
                f"{self.name} returned complex residuals: return torch.view_as_real of them"
            )
        if not tensor.is_floating_point():
            raise TypeError(f"{self.name} must return floating-point residuals, got {tensor.dtype}")
        if tensor.numel() == 0:
            raise ValueError(f"{self.name} returned no residuals (shape {tuple(tensor.shape)})")
        return tensor.reshape(1, 1) if tensor.dim() == 0 else tensor.reshape(len(tensor), -1)


def residual_list(residuals: object) -> list[Residual]:
    """A function, a `Residual`, or a list of these, as a list of `Residual`."""
    if isinstance(residuals, Residual):
        return [residuals]
    if isinstance(residuals, list | tuple):
        if not residuals:
            raise ValueError("there are no residuals: the list is empty")
        return [single for entry in residuals for single in residual_list(entry)]
    if callable(residuals):
        return [Residual(residuals)]
    raise TypeError(
        "expected a residual function, a Residual or a list of them, got "
        f"{type(residuals).__name__}"
    )
