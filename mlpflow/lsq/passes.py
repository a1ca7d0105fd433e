"""Passes over the data of residual functions: calls in pieces, counts, scales."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from .distributed import Processes
from .parameters import ParameterVector
from .residuals import Block, Residual

__all__ = ["DataPasses"]

# Samples in one call: more save nothing and keep larger graphs.
_MOST_SAMPLES = 8192


class DataPasses:
    """Residual functions at the parameters, call by call.

    Parameters
    ----------
    parameters : ParameterVector
    residuals : list of Residual
    memory : float
        Bytes for a piece of graph.
    reduction : {"mean", "sum"}
    processes : Processes
    """

    def __init__(
        self,
        parameters: ParameterVector,
        residuals: list[Residual],
        memory: float,
        reduction: str,
        processes: Processes,
    ) -> None:
        self.parameters = parameters
        self.residuals = residuals
        self.memory = memory
        self.reduction = reduction
        self.processes = processes
        self._needs_graph: set[int] = set()
        self._counts: dict[int, list[int]] = {}
        self._widths: dict[int, int] = {}

    def _batch_rows(self, graph: bool) -> int:
        """Samples in one call of a sliced function."""
        # Values kept for a sample are about as many as parameters; 64 is the least worth a call.
        numbers = self.memory / 8
        share = numbers / (4 * max(16, len(self.parameters) ** 0.5) * (4 if graph else 1))
        return min(max(64, int(share)), _MOST_SAMPLES)

    def _calls(self, residual: Residual, graph: bool) -> Iterator[Sequence[torch.Tensor]]:
        """The inputs of each call: batches, and pieces of those that may be sliced."""
        for batch in residual.batches(self.parameters.device):
            if not residual.sliced or not batch:
                yield batch
                continue
            at_once = self._batch_rows(graph)
            for start in range(0, len(batch[0]), at_once):
                yield [tensor[start : start + at_once] for tensor in batch]

    def _scales(self, number: int, blocks: list[Block]) -> list[float]:
        """weight / N of each block."""
        residual = self.residuals[number]
        if self.reduction == "sum":
            return [residual.weight] * len(blocks)
        counts = self._count(number, blocks)
        return [residual.weight / count for count in counts]

    def _count(self, number: int, blocks: list[Block]) -> list[int]:
        """Samples of each block over all batches and processes."""
        if number in self._counts:
            return self._counts[number]
        residual = self.residuals[number]
        if residual.inputs:
            counts = [len(residual.inputs[0])] * len(blocks)
            if not residual.sliced:
                counts = [len(block.z) for block in blocks]
        elif residual.loader is not None:
            counts = [self._loader_samples(residual)] * len(blocks)
        else:
            counts = [len(block.z) for block in blocks]
        if self.processes.active:
            total = torch.tensor(counts, dtype=torch.float64, device=self.parameters.device)
            counts = [int(n) for n in self.processes.sum(total)]
        self._counts[number] = counts
        return counts

    def sample_counts(self, number: int) -> list[int]:
        """Samples of each block of a residual function, known after the first evaluation."""
        return self._counts.get(number, [])

    def _loader_samples(self, residual: Residual) -> int:
        """By a pass of its own where none has been finished."""
        assert residual.loader is not None
        if residual.loader.samples is None:
            for _ in residual.loader.batches(self.parameters.device):
                pass
        assert residual.loader.samples is not None
        return residual.loader.samples

    def _checked(
        self, number: int, blocks: list[Block], inputs: Sequence[torch.Tensor]
    ) -> list[Block]:
        """The blocks of a call, one row a sample where the function was sliced."""
        residual = self.residuals[number]
        if residual.sliced and inputs:
            for block in blocks:
                if len(block.z) != len(inputs[0]):
                    raise ValueError(
                        f"{residual.name} must return one row a sample: expected "
                        f"{len(inputs[0])} rows, got {len(block.z)} (coupled=True for a function "
                        "of all samples at once)"
                    )
        self._widths[number] = sum(block.z.shape[1] for block in blocks)
        return blocks

    def rows(self, blocks: list[Block]) -> int:
        """Residuals of all functions and processes together; those not called yet are estimated."""
        total = 0
        for number, residual in enumerate(self.residuals):
            width = self._widths.get(number)
            if width is None:
                with torch.no_grad():
                    width = blocks[0].rows.residuals.shape[1]
            if residual.inputs:
                total += len(residual.inputs[0]) * width
            elif residual.loader is not None:
                total += self._loader_samples(residual) * width
            elif number in self._counts:
                total += sum(self._counts[number]) * width
            else:
                total += sum(block.z.numel() for block in blocks)
        return total

    def _value_calls(self) -> Iterator[tuple[list[float], list[Block]]]:
        """Scales and blocks without a graph, call by call."""
        for number, residual in enumerate(self.residuals):
            for inputs in self._calls(residual, graph=number in self._needs_graph):
                blocks = self._checked(number, self._values(number, inputs), inputs)
                yield self._scales(number, blocks), blocks

    def _values(self, number: int, inputs: Sequence[torch.Tensor]) -> list[Block]:
        """Without a graph, unless the function takes derivatives itself."""
        residual = self.residuals[number]
        if number not in self._needs_graph:
            try:
                with torch.no_grad():
                    return residual.blocks(inputs)
            except RuntimeError as error:
                if "require grad" not in str(error) and "grad_fn" not in str(error):
                    raise
                self._needs_graph.add(number)
        with torch.enable_grad():
            return [
                Block(block.z.detach(), block.labels, block.criterion)
                for block in residual.blocks(inputs)
            ]

    def _graphs(self) -> Iterator[tuple[float, Block]]:
        """Scales and blocks in their graphs."""
        for number, residual in enumerate(self.residuals):
            for inputs in self._calls(residual, graph=True):
                with torch.enable_grad():
                    blocks = self._checked(number, residual.blocks(inputs), inputs)
                yield from zip(self._scales(number, blocks), blocks, strict=True)
