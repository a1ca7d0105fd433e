"""Boxes around parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .parameters import ParameterVector

__all__ = ["Box"]


class Box:
    """lower <= p <= upper, entry by entry; steps are projected, entries held at a bound stay."""

    def __init__(self, lower: torch.Tensor, upper: torch.Tensor) -> None:
        self.lower, self.upper = lower, upper

    @classmethod
    def of(cls, bounds: Any, parameters: ParameterVector) -> Box | None:
        """From (lower, upper) for all, or a dict of name to (lower, upper); None stays None.

        A bound is a number or a tensor of the parameter's shape (flat of length P for all).
        """
        if bounds is None:
            return None
        size = len(parameters)
        lower = torch.full((size,), -torch.inf, dtype=torch.float64, device=parameters.device)
        upper = -lower
        if isinstance(bounds, Mapping):
            for name, pair in bounds.items():
                if name not in parameters.names:
                    raise ValueError(
                        f"bounds name an unknown parameter {name!r}: there are {parameters.names}"
                    )
                i = parameters.names.index(name)
                where = slice(parameters.offsets[i], parameters.offsets[i] + parameters.sizes[i])
                lower[where], upper[where] = _pair(pair, parameters.sizes[i], name)
        else:
            lower[:], upper[:] = _pair(bounds, size, "all parameters")
        if not bool((lower < upper).all()):
            index = int((~(lower < upper)).nonzero()[0])
            raise ValueError(
                f"the lower bound of {parameters.name_of(index)}, {float(lower[index])}, is not "
                f"below the upper, {float(upper[index])}"
            )
        return cls(lower, upper)

    def clip(self, values: torch.Tensor) -> torch.Tensor:
        """The nearest point inside."""
        return torch.minimum(torch.maximum(values, self.lower), self.upper)

    def free(self, values: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor | None:
        """Entries that may move: not at a bound that descent would cross. None: all."""
        held = ((values <= self.lower) & (gradient > 0)) | ((values >= self.upper) & (gradient < 0))
        return ~held if bool(held.any()) else None


def _pair(pair: Any, size: int, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ValueError(f"the bounds of {name} must be a pair (lower, upper), got {pair!r}")
    lower, upper = (
        torch.as_tensor(
            -torch.inf * (1 - 2 * i) if side is None else side, dtype=torch.float64
        ).reshape(-1)
        for i, side in enumerate(pair)
    )
    for side in (lower, upper):
        if len(side) not in (1, size):
            raise ValueError(
                f"the bounds of {name} must be numbers or {size} values, got {len(side)}"
            )
    return lower.expand(size), upper.expand(size)
