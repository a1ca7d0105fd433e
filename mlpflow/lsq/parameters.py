"""The trainable parameters of a module, a list or a dict as one flat vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch

__all__ = ["ParameterVector"]

Source: TypeAlias = Any  # Module | Mapping[str, Tensor] | Iterable[Tensor]


def _named(source: Source) -> list[tuple[str, torch.Tensor]]:
    if isinstance(source, torch.nn.Module):
        return list(source.named_parameters())
    if isinstance(source, torch.Tensor):
        raise TypeError(
            "expected a module, a list or a dict of tensors, got one tensor: put it in a list"
        )
    if isinstance(source, Mapping):
        return [(str(name), tensor) for name, tensor in source.items()]
    named = []
    for number, entry in enumerate(source):
        if isinstance(entry, tuple):
            named.append((str(entry[0]), entry[1]))
        else:
            named.append((f"parameter {number}", entry))
    return named


class ParameterVector:
    """Every trainable tensor once, in the order of its first appearance.

    Frozen tensors (``requires_grad=False``) are left alone, shared ones counted once.

    Parameters
    ----------
    source : Module, iterable of Tensor (or of (name, Tensor)), or dict of name to Tensor
        A module lets forward-mode and per-sample derivatives put other tensors in the parameters'
        place; the other two forms have to do with reverse mode.
    """

    def __init__(self, source: Source) -> None:
        self.module = source if isinstance(source, torch.nn.Module) else None
        self.tensors: list[torch.Tensor] = []
        self.names: list[str] = []
        for name, tensor in _named(source):
            self._add(name, tensor)
        if not self.tensors:
            raise ValueError("there is nothing to optimize: no parameter has requires_grad=True")
        devices = {tensor.device for tensor in self.tensors}
        if len(devices) > 1:
            raise ValueError(
                f"all parameters must be on one device, got {sorted(map(str, devices))}"
            )
        self.device = devices.pop()
        self.sizes = [tensor.numel() for tensor in self.tensors]
        self.offsets = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self.dtype = self.tensors[0].dtype
        for tensor in self.tensors:
            self.dtype = torch.promote_types(self.dtype, tensor.dtype)

    def _add(self, name: str, tensor: object) -> None:
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if not tensor.requires_grad or any(tensor is known for known in self.tensors):
            return
        if tensor.is_complex():
            raise TypeError(
                f"{name} is complex: optimize its real and imaginary parts as two real parameters"
            )
        if not tensor.is_leaf:
            raise ValueError(f"{name} is computed from other tensors: optimize those instead")
        if tensor.numel():
            self.tensors.append(tensor)
            self.names.append(name)

    def __len__(self) -> int:
        return sum(self.sizes)

    def read(self) -> torch.Tensor:
        """A copy of all values, one after the other, in float64."""
        flat = [tensor.detach().reshape(-1).to(torch.float64) for tensor in self.tensors]
        return torch.cat(flat)

    def write(self, values: torch.Tensor) -> None:
        """Set all values from a flat vector."""
        with torch.no_grad():
            for tensor, piece in zip(self.tensors, self.split(values), strict=True):
                tensor.copy_(piece)

    def split(self, values: torch.Tensor) -> list[torch.Tensor]:
        """Views of a flat vector (or of the rows of a matrix) in the tensors' shapes."""
        lead = values.shape[:-1]
        pieces = values.split(self.sizes, dim=-1)
        return [
            piece.reshape((*lead, *tensor.shape))
            for piece, tensor in zip(pieces, self.tensors, strict=True)
        ]

    def join(self, pieces: Iterable[torch.Tensor | None]) -> torch.Tensor:
        """A flat float64 vector from one tensor (None: zeros) a parameter."""
        flat = [
            torch.zeros(size, dtype=torch.float64, device=self.device)
            if piece is None
            else piece.reshape(-1).to(torch.float64)
            for piece, size in zip(pieces, self.sizes, strict=True)
        ]
        return torch.cat(flat)

    def name_of(self, index: int) -> str:
        """The parameter, and the place in it, that an entry of the flat vector belongs to."""
        for name, tensor, offset in zip(self.names, self.tensors, self.offsets, strict=True):
            if index < offset + tensor.numel():
                place = torch.unravel_index(torch.tensor(index - offset), tensor.shape)
                inside = ", ".join(str(int(i)) for i in place)
                return f"{name}[{inside}]" if inside else name
        raise IndexError(f"there are {len(self)} parameters, got index {index}")

    @contextmanager
    def replaced(self, pieces: list[torch.Tensor]) -> Iterator[None]:
        """The module with other tensors (duals, batches of a transform) for its parameters."""
        undo: list[tuple[dict[str, Any], str, torch.Tensor]] = []
        try:
            for place, name, index in self._places():
                undo.append((place, name, place[name]))
                place[name] = pieces[index]
            yield
        finally:
            for place, name, tensor in reversed(undo):
                place[name] = tensor

    def _places(self) -> list[tuple[dict[str, Any], str, int]]:
        """Where the module keeps each tensor: several places for a shared one."""
        if self.module is None:
            raise ValueError("parameters can be replaced only in a module")
        number = {id(tensor): index for index, tensor in enumerate(self.tensors)}
        return [
            (module._parameters, name, number[id(tensor)])
            for module in self.module.modules()
            for name, tensor in module._parameters.items()
            if tensor is not None and id(tensor) in number
        ]
