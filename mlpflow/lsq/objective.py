"""Sums of residual functions at the parameters: the loss, the system, products with vectors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from .distributed import Processes
from .jacobian.choice import Evaluation, JacobianMethod, choose, evaluate
from .parameters import ParameterVector
from .residuals import Block, Residual
from .systems import NormalSystem, RowSystem, System, TriangularSystem

__all__ = ["Linearization", "Objective"]

# Rows of a Jacobian that are made at once, and their numbers: they stay in the processor's cache.
_CACHED_ROWS, _CACHED_NUMBERS = 256, 2**17
# Samples in one call: more save nothing and keep larger graphs.
_MOST_SAMPLES = 8192
# QR of the rows costs about four times their normal equations: for few parameters.
_QR_PARAMETERS = 100
_QR_WORK = 2e9


@dataclass
class Linearization:
    """A loss and its Gauss-Newton system at one point.

    Attributes
    ----------
    loss : float
    system : System
    rows : int
        Residuals, over all processes.
    methods : dict of str to str
        How the Jacobian of each residual function was made.
    """

    loss: float
    system: System
    rows: int
    methods: dict[str, str]


class Objective:
    """The loss ``sum_k weight_k / N_k sum |r|^2`` of residual functions.

    Parameters
    ----------
    parameters : ParameterVector
    residuals : list of Residual
    jacobian : str, default "auto"
        "auto", or a key of `jacobian.METHODS` for all.
    solver : {"auto", "qr", "normal", "dual"}, default "auto"
    memory : float, default 256e6
        Bytes for a piece of Jacobian or of graph, beside the P x P system.
    reduction : {"mean", "sum"}, default "mean"
        "sum" leaves out 1 / N_k.
    processes : Processes, optional
    choices : dict, optional
        Jacobian methods found before, by the code of the residual function; added to.
    """

    def __init__(
        self,
        parameters: ParameterVector,
        residuals: list[Residual],
        *,
        jacobian: str = "auto",
        solver: str = "auto",
        memory: float = 256e6,
        reduction: str = "mean",
        processes: Processes | None = None,
        choices: dict[object, JacobianMethod] | None = None,
    ) -> None:
        self.parameters = parameters
        self.residuals = residuals
        self.jacobian = jacobian
        self.solver = solver
        self.memory = memory
        self.reduction = reduction
        self.processes = processes or Processes(False)
        self.evaluations = 0
        self.linearizations = 0
        self._choices: dict[object, JacobianMethod] = {} if choices is None else choices
        self._methods: dict[int, JacobianMethod] = {}
        self._needs_graph: set[int] = set()
        self._counts: dict[int, list[int]] = {}
        self._widths: dict[int, int] = {}

    # Passes over the data -----------------------------------------------------------------------

    def _batch_rows(self, graph: bool) -> int:
        """Samples in one call of a sliced function."""
        # Values kept for a sample are about as many as parameters; 64 is the least worth a call.
        numbers = self.memory / 8
        share = numbers / (4 * max(16, len(self.parameters) ** 0.5) * (4 if graph else 1))
        return min(max(64, int(share)), _MOST_SAMPLES)

    def _calls(self, residual: Residual, graph: bool) -> Iterator[Sequence[torch.Tensor]]:
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

    # The loss -----------------------------------------------------------------------------------

    def loss(self) -> float:
        """The loss at the present parameters: one pass over the data."""
        self.evaluations += 1
        total = torch.zeros(1, dtype=torch.float64, device=self.parameters.device)
        for number, residual in enumerate(self.residuals):
            for inputs in self._calls(residual, graph=number in self._needs_graph):
                blocks = self._checked(number, self._values(number, inputs), inputs)
                for scale, block in zip(self._scales(number, blocks), blocks, strict=True):
                    total += scale * block.loss()
        return float(self.processes.sum(total))

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

    def residual_vector(self) -> torch.Tensor:
        """All rows ``sqrt(weight/N) u`` of this process, one after the other."""
        self.evaluations += 1
        parts = []
        for number, residual in enumerate(self.residuals):
            for inputs in self._calls(residual, graph=number in self._needs_graph):
                blocks = self._checked(number, self._values(number, inputs), inputs)
                for scale, block in zip(self._scales(number, blocks), blocks, strict=True):
                    parts.append(scale**0.5 * block.rows.residuals.reshape(-1))
        return torch.cat(parts)

    # The system ---------------------------------------------------------------------------------

    def linearize(self) -> Linearization:
        """Loss and Gauss-Newton system at the present parameters: one pass over the data."""
        self.linearizations += 1
        loss = torch.zeros(2, dtype=torch.float64, device=self.parameters.device)
        system: System | None = None
        for found, scales in self._passes():
            for scale, block in zip(scales, found.blocks, strict=True):
                loss[0] += scale * block.rows.loss
                loss[1] += block.rows.residuals.numel()
            if system is None:
                system = self._system(found.blocks)
            if not bool(torch.isfinite(loss[0])):
                break  # nothing to be made of bad data
            if isinstance(system, NormalSystem) and found.layered is not None:
                for number, rows in found.layered:
                    system.add_layered(rows, scales[number])
                continue
            for chunk in found.chunks:
                system.add(chunk.J, chunk.u, scales[chunk.block])
        assert system is not None
        system.finish()
        self.processes.sum(loss)
        self.processes.combine(system)
        methods = {
            f"{self.residuals[number].name} {number}": f"{method.name}: {method.reason}"
            for number, method in self._methods.items()
        }
        return Linearization(float(loss[0]), system, int(loss[1]), methods)

    def _passes(self) -> Iterator[tuple[Evaluation, list[float]]]:
        """Blocks with their rows, and the scales of the blocks, call by call."""
        for number, residual in enumerate(self.residuals):
            for inputs in self._calls(residual, graph=True):
                method = self._method(number, inputs)
                found = evaluate(
                    method, self.parameters, residual, inputs, self._rows_at_once(), self.memory
                )
                blocks = self._checked(number, found.blocks, inputs)
                yield found, self._scales(number, blocks)

    def _rows_at_once(self) -> int:
        by_memory = int(self.memory / (8 * len(self.parameters)))
        return max(1, min(max(_CACHED_ROWS, _CACHED_NUMBERS // len(self.parameters)), by_memory))

    def _method(self, number: int, inputs: Sequence[torch.Tensor]) -> JacobianMethod:
        residual = self.residuals[number]
        module = self.parameters.module
        key = (
            getattr(residual.function, "__code__", residual.function),
            residual.coupled,
            residual.criterion.labelled,
            tuple(tensor.shape[1:] for tensor in inputs),
            module is not None and module.training,
        )
        if key not in self._choices:
            small = inputs
            if residual.sliced and inputs:
                small = [tensor[:256] for tensor in inputs]
            self._choices[key] = choose(self.parameters, residual, small, self.jacobian)
        self._methods[number] = self._choices[key]
        return self._choices[key]

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

    def _system(self, blocks: list[Block]) -> System:
        size, device = len(self.parameters), self.parameters.device
        kinds: dict[str, Callable[[int, torch.device], System]] = {
            "qr": TriangularSystem,
            "normal": NormalSystem,
            "dual": RowSystem,
        }
        if self.solver != "auto":
            return kinds[self.solver](size, device)
        rows = float(self.rows(blocks))
        if self.processes.active:
            rows = float(self.processes.sum(torch.tensor(rows, device=device)))
        if size <= _QR_PARAMETERS and rows * size**2 <= _QR_WORK:
            return TriangularSystem(size, device)
        if rows < 0.8 * size and 8 * rows * size <= 4 * self.memory:
            return RowSystem(size, device)
        return NormalSystem(size, device)

    def dense(self) -> torch.Tensor:
        """The rows B themselves, (rows, P), in the order of the residuals."""
        parts = []
        for found, scales in self._passes():
            rows = [
                torch.empty(
                    *block.rows.residuals.shape, len(self.parameters), dtype=torch.float64
                ).to(self.parameters.device)
                for block in found.blocks
            ]
            filled: dict[tuple[int, int | None], int] = {}
            for chunk in found.chunks:
                key = (chunk.block, chunk.k)
                start = filled.get(key, 0)
                filled[key] = stop = start + len(chunk.u)
                target = rows[chunk.block]
                target = target.flatten(0, 1) if chunk.k is None else target[:, chunk.k]
                target[start:stop] = chunk.J * scales[chunk.block] ** 0.5
            parts += [piece.flatten(0, 1) for piece in rows]
        return torch.cat(parts)

    def diagonal(self) -> torch.Tensor:
        """diag(B^T B) in O(P) memory beside one chunk of rows."""
        total = torch.zeros(
            len(self.parameters), dtype=torch.float64, device=self.parameters.device
        )
        for found, scales in self._passes():
            for chunk in found.chunks:
                # J is a buffer that nobody reads again.
                total += scales[chunk.block] * chunk.J.square_().sum(dim=0)
        return self.processes.sum(total)

    # Products -----------------------------------------------------------------------------------

    def gradient(self) -> tuple[float, torch.Tensor]:
        """The loss and B^T u (half its gradient), by one backward pass."""
        self.linearizations += 1
        total = torch.zeros(1, dtype=torch.float64, device=self.parameters.device)
        pulled = torch.zeros(len(self.parameters), dtype=torch.float64).to(total)
        for scale, block in self._graphs():
            total += scale * block.rows.loss
            cotangent = scale * _pull_rows(block, block.rows.residuals)
            pulled += self._transpose(block, cotangent)
        self.processes.sum(pulled)
        return float(self.processes.sum(total)), pulled

    def product(self, v: torch.Tensor) -> torch.Tensor:
        """B^T B v without B, by a derivative along v and one backward pass."""
        out = torch.zeros_like(v)
        for scale, block in self._graphs():
            along = self._along(block, v)
            out += self._transpose(block, scale * _pull_rows(block, _push_rows(block, along)))
        return self.processes.sum(out)

    def pull_second_difference(
        self, ahead: torch.Tensor, behind: torch.Tensor, h: float
    ) -> torch.Tensor:
        """B^T (u(+h) - 2 u + u(-h)) / h^2 from two `residual_vector` around the present point."""
        out = torch.zeros(len(self.parameters), dtype=torch.float64, device=ahead.device)
        start = 0
        for scale, block in self._graphs():
            u = scale**0.5 * block.rows.residuals
            stop = start + u.numel()
            sides = (ahead[start:stop] + behind[start:stop]).reshape(u.shape)
            start = stop
            out += self._transpose(block, scale**0.5 * _pull_rows(block, (sides - 2 * u) / h**2))
        return self.processes.sum(out)

    def _graphs(self) -> Iterator[tuple[float, Block]]:
        for number, residual in enumerate(self.residuals):
            for inputs in self._calls(residual, graph=True):
                with torch.enable_grad():
                    blocks = self._checked(number, residual.blocks(inputs), inputs)
                yield from zip(self._scales(number, blocks), blocks, strict=True)

    def _transpose(self, block: Block, cotangent: torch.Tensor) -> torch.Tensor:
        if not block.z.requires_grad:
            return torch.zeros(len(self.parameters), dtype=torch.float64, device=block.z.device)
        pulled = torch.autograd.grad(
            block.z,
            self.parameters.tensors,
            cotangent.to(block.z.dtype),
            retain_graph=True,
            allow_unused=True,
        )
        return self.parameters.join(pulled)

    def _along(self, block: Block, v: torch.Tensor) -> torch.Tensor:
        """dz along v: the derivative of <J^T w, v> in w, which any graph supports."""
        if not block.z.requires_grad:
            return torch.zeros_like(block.z, dtype=torch.float64)
        dummy = torch.zeros_like(block.z, requires_grad=True)
        pulled = torch.autograd.grad(
            block.z, self.parameters.tensors, dummy, create_graph=True, allow_unused=True
        )
        pieces = self.parameters.split(v)
        inner = sum(
            (piece.to(part.dtype) * part).sum()
            for piece, part in zip(pieces, pulled, strict=True)
            if part is not None
        )
        assert isinstance(inner, torch.Tensor)
        (along,) = torch.autograd.grad(inner, dummy, retain_graph=True)
        return along.to(torch.float64)

    # Checks -------------------------------------------------------------------------------------

    def warn_of_noise(self) -> None:
        """Dropout in training mode makes the loss of a trial another function."""
        module = self.parameters.module
        if module is None:
            return
        for name, part in module.named_modules():
            noisy = "Dropout" in type(part).__name__ and part.training and getattr(part, "p", 0) > 0
            if noisy:
                warnings.warn(
                    f"{name} ({type(part).__name__}) draws new numbers at every evaluation, so "
                    "that trial losses are not comparable: call model.eval() before fitting",
                    UserWarning,
                    stacklevel=4,
                )


def _push_rows(block: Block, dz: torch.Tensor) -> torch.Tensor:
    """Rows (N, K) of a derivative dz (N, M) of the outputs: the factor's transpose."""
    factor = block.rows.factor
    if factor is None:
        return dz
    if factor.dim() == 2:
        return dz * factor
    return (factor.transpose(1, 2) @ dz.unsqueeze(2)).squeeze(2)


def _pull_rows(block: Block, w: torch.Tensor) -> torch.Tensor:
    """The cotangent (N, M) of the outputs of weights w (N, K) on the rows."""
    factor = block.rows.factor
    if factor is None:
        return w
    if factor.dim() == 2:
        return w * factor
    return (factor @ w.unsqueeze(2)).squeeze(2)
