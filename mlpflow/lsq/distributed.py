"""Sums over the processes of a `torch.distributed` group."""

from __future__ import annotations

import torch
from torch import distributed as dist

from .systems import NormalSystem, RowSystem, System, TriangularSystem

__all__ = ["Processes"]


class Processes:
    """The default process group, or one process where there is none.

    Every rank holds its shard of the data; sums are all-reduced, and rank 0's step is everybody's,
    so that the ranks cannot drift apart by rounding.
    """

    def __init__(self, use: bool = True) -> None:
        self.active = use and dist.is_available() and dist.is_initialized()
        self.size = dist.get_world_size() if self.active else 1
        self.active = self.size > 1

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of a tensor over the ranks, in place."""
        if self.active:
            dist.all_reduce(values)
        return values

    def from_first(self, values: torch.Tensor) -> torch.Tensor:
        """Rank 0's tensor, in place."""
        if self.active:
            dist.broadcast(values, src=0)
        return values

    def combine(self, system: System) -> System:
        """One system of everybody's rows."""
        if not self.active:
            return system
        if isinstance(system, NormalSystem):
            for part in system.parts():
                dist.all_reduce(part)
            return system
        if isinstance(system, TriangularSystem):
            self._stack(system)
            return system
        assert isinstance(system, RowSystem)
        rows = self._gather(torch.cat([system.rows, system.residuals.unsqueeze(1)], dim=1))
        system.rows, system.residuals = rows[:, :-1].contiguous(), rows[:, -1].clone()
        system.gradient = system.rows.T @ system.residuals
        return system

    def _stack(self, system: TriangularSystem) -> None:
        """QR of the ranks' triangles on top of each other."""
        rows = self._gather(system.triangle)
        system.triangle = torch.linalg.qr(rows, mode="r")[1]
        dist.all_reduce(system.gradient)

    def _gather(self, rows: torch.Tensor) -> torch.Tensor:
        counts = torch.zeros(self.size, dtype=torch.int64, device=rows.device)
        counts[dist.get_rank()] = len(rows)
        dist.all_reduce(counts)
        padded = torch.zeros(int(counts.max()), rows.shape[1], dtype=rows.dtype, device=rows.device)
        padded[: len(rows)] = rows
        everybody = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(everybody, padded)
        return torch.cat([part[: int(n)] for part, n in zip(everybody, counts, strict=True)])
