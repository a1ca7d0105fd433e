"""Repeated passes over a loader, which must give the same data every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

__all__ = ["Pass", "batch_tensors"]


def batch_tensors(batch: Any, device: torch.device) -> tuple[torch.Tensor, ...]:
    """A batch of a loader (tensor, list or tuple of tensors) on a device."""
    parts = batch if isinstance(batch, list | tuple) else (batch,)
    for part in parts:
        if not isinstance(part, torch.Tensor):
            raise TypeError(f"a loader must give tensors, got {type(part).__name__} in a batch")
    return tuple(part.to(device) for part in parts)


class Pass:
    """A loader with a fingerprint of what its first pass gave.

    The order may change from pass to pass, the samples may not: their number and their sums
    (in float64) are compared with those of the first complete pass.
    """

    def __init__(self, loader: Iterable[Any]) -> None:
        if not hasattr(loader, "__iter__"):
            raise TypeError(f"expected a loader to iterate over, got {type(loader).__name__}")
        if iter(loader) is loader:
            raise TypeError(
                "the loader can be read only once: give a DataLoader or a list of batches"
            )
        self.loader = loader
        self.samples: int | None = None
        self._sums: list[float] = []

    def batches(self, device: torch.device) -> Iterator[tuple[torch.Tensor, ...]]:
        """One pass; ValueError at its end where it differs from the first."""
        samples = 0
        sums: list[float] = []
        sizes: list[float] = []
        for batch in self.loader:
            tensors = batch_tensors(batch, device)
            samples += len(tensors[0])
            for number, tensor in enumerate(tensors):
                if number == len(sums):
                    sums.append(0.0)
                    sizes.append(0.0)
                exact = tensor.detach().to(torch.float64)
                sums[number] += float(exact.sum())
                sizes[number] += float(exact.abs().sum())
            yield tensors
        if not samples:
            raise ValueError("the loader gave no sample")
        if self.samples is None:
            self.samples, self._sums = samples, sums
            return
        # Sums in another order differ by rounding alone: 1e-9 of the sum of the sizes.
        same = samples == self.samples and all(
            abs(new - old) <= 1e-9 * size + 1e-300
            for new, old, size in zip(sums, self._sums, sizes, strict=True)
        )
        if not same:
            raise ValueError(
                f"the loader changed between passes ({self.samples} samples, then {samples}, or "
                "other values): switch off random augmentation and drop_last, or use minibatch mode"
            )
