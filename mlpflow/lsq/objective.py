"""Sums of residual functions at the parameters: the loss, the system, products with vectors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from .distributed import Processes
from .jacobian.choice import Evaluation, JacobianMethod, choose, evaluate
from .parameters import ParameterVector
from .passes import DataPasses
from .products import along, pull_rows, push_rows, transpose
from .residuals import Block, Residual
from .systems import NormalSystem, RowSystem, System, TriangularSystem

__all__ = ["Linearization", "Objective"]

# Rows of a Jacobian that are made at once, and their numbers: they stay in the processor's cache.
_CACHED_ROWS, _CACHED_NUMBERS = 256, 2**17
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


class Objective(DataPasses):
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
        super().__init__(parameters, residuals, memory, reduction, processes or Processes(False))
        self.jacobian = jacobian
        self.solver = solver
        self.evaluations = 0
        self.linearizations = 0
        self._choices: dict[object, JacobianMethod] = {} if choices is None else choices
        self._methods: dict[int, JacobianMethod] = {}

    # The loss -----------------------------------------------------------------------------------

    def loss(self) -> float:
        """The loss at the present parameters: one pass over the data."""
        self.evaluations += 1
        total = torch.zeros(1, dtype=torch.float64, device=self.parameters.device)
        for scales, blocks in self._value_calls():
            for scale, block in zip(scales, blocks, strict=True):
                total += scale * block.loss()
        return float(self.processes.sum(total))

    def residual_vector(self) -> torch.Tensor:
        """All rows ``sqrt(weight/N) u`` of this process, one after the other."""
        self.evaluations += 1
        parts = []
        for scales, blocks in self._value_calls():
            for scale, block in zip(scales, blocks, strict=True):
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
            cotangent = scale * pull_rows(block, block.rows.residuals)
            pulled += transpose(self.parameters, block, cotangent)
        self.processes.sum(pulled)
        return float(self.processes.sum(total)), pulled

    def product(self, v: torch.Tensor) -> torch.Tensor:
        """B^T B v without B, by a derivative along v and one backward pass."""
        out = torch.zeros_like(v)
        for scale, block in self._graphs():
            derivative = along(self.parameters, block, v)
            out += transpose(
                self.parameters, block, scale * pull_rows(block, push_rows(block, derivative))
            )
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
            out += transpose(
                self.parameters, block, scale**0.5 * pull_rows(block, (sides - 2 * u) / h**2)
            )
        return self.processes.sum(out)

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
