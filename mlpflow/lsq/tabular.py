"""Tables as tensors on a device."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["TabularDataset"]


class TabularDataset(torch.utils.data.Dataset):  # type: ignore[misc]  # torch is not analysed
    """Inputs and targets as tensors on one device.

    Parameters
    ----------
    x : array of shape (N,) or (N, Din), data frame or Tensor
    y : array of shape (N,) or (N, Dout), series, data frame or Tensor
        Integers stay integers (labels); numbers become columns (N, Dout).
    device : str or torch.device, default "cpu"
    dtype : torch.dtype, default torch.float64
    standardize : bool, default False
        Inputs to mean 0 and standard deviation 1; `mean` and `std` keep the numbers.

    Attributes
    ----------
    x : Tensor of shape (N, Din)
    y : Tensor of shape (N, Dout), or (N,) for labels
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
        standardize: bool = False,
    ) -> None:
        self.x = _columns(_tensor(x, "x")).to(device=device, dtype=dtype)
        target = _tensor(y, "y")
        if target.is_floating_point():
            self.y = _columns(target).to(device=device, dtype=dtype)
        else:
            self.y = target.reshape(-1).to(device=device, dtype=torch.int64)
        if len(self.x) != len(self.y):
            raise ValueError(
                f"x and y must have the same number of rows, got {len(self.x)} and {len(self.y)}"
            )
        if not len(self.x):
            raise ValueError("the table has no rows")
        for name, values in (("x", self.x), ("y", self.y)):
            bad = ~torch.isfinite(values.to(torch.float64)).reshape(len(values), -1).all(dim=1)
            if bool(bad.any()):
                row = int(bad.nonzero()[0])
                raise ValueError(f"{name} has a missing or infinite value in row {row}")
        self.mean = torch.zeros_like(self.x[0])
        self.std = torch.ones_like(self.x[0])
        if standardize:
            self.mean = self.x.mean(dim=0)
            spread = self.x.std(dim=0, correction=0)
            self.std = torch.where(spread > 0, spread, torch.ones_like(spread))
            self.x = (self.x - self.mean) / self.std

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.x[index], self.y[index]

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(x, y), as `lsq.fit` takes it."""
        return self.x, self.y

    def batches(self, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Slices in order: a loader without copies."""
        if size < 1:
            raise ValueError(f"a batch must hold at least one row, got size {size}")
        return [
            (self.x[start : start + size], self.y[start : start + size])
            for start in range(0, len(self), size)
        ]


def _tensor(values: Any, name: str) -> torch.Tensor:
    if isinstance(values, torch.Tensor):
        tensor = values.detach()
    else:
        if hasattr(values, "to_numpy"):
            values = values.to_numpy()
        try:
            tensor = torch.tensor(values)
        except (TypeError, ValueError) as problem:
            raise TypeError(f"{name} must be numeric: {problem}") from problem
    if tensor.is_complex():
        raise TypeError(f"{name} must be real, got complex numbers")
    if tensor.dim() == 0:
        raise ValueError(f"{name} must have rows, got a number")
    return tensor


def _columns(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.unsqueeze(1) if tensor.dim() == 1 else tensor
