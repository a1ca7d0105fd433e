"""Columns brought to mean 0 and standard deviation 1, and back to the user's units."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RegressionScaling", "Scaling"]


@dataclass(frozen=True)
class Scaling:
    """The affine map x -> (x - mean) / scale of named columns.

    Parameters
    ----------
    names : tuple of str
        The C columns.
    mean, scale : array of float, shape (C,)
        In the units of the columns.
    constant : tuple of bool
        Which columns did not vary, and so were not scaled.
    """

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: tuple[bool, ...]

    @classmethod
    def standard(cls, names: Sequence[str], values: ArrayLike) -> Scaling:
        """Bring each column of ``values`` (N, C) to mean 0 and standard deviation 1.

        A column that is constant up to rounding is only shifted (its scale is 1): it carries no
        information, and dividing by rounding errors would make some.
        """
        x = np.asarray(values, dtype=np.float64)
        # A constant column is measured from its own value, where the mean would add rounding.
        spread = np.ptp(x, axis=0)
        constant = spread <= 8 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)
        mean = np.where(constant, x[0], x.mean(axis=0))
        spread = np.where(constant, 1.0, spread)
        # In units of the spread, where squares neither overflow nor underflow.
        scale = np.where(constant, 1.0, spread * ((x - mean) / spread).std(axis=0))
        return cls(tuple(names), mean, scale, tuple(constant.tolist()))

    @classmethod
    def identity(cls, names: Sequence[str]) -> Scaling:
        """Leave the columns as they are."""
        return cls(tuple(names), np.zeros(len(names)), np.ones(len(names)), (False,) * len(names))

    @property
    def is_identity(self) -> bool:
        """Does the map change nothing?"""
        return not self.mean.any() and bool((self.scale == 1).all())

    def apply(self, values: ArrayLike) -> NDArray[np.float64]:
        """From the user's units (N, C) to the network's."""
        return (self._checked(values) - self.mean) / self.scale

    def invert(self, values: ArrayLike) -> NDArray[np.float64]:
        """From the network's units (N, C) to the user's."""
        return self._checked(values) * self.scale + self.mean

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON; Python's floats survive it to the last bit."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "constant": list(self.constant),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scaling:
        """The inverse of `to_dict`."""
        mean, scale = np.array(data["mean"]), np.array(data["scale"])
        return cls(tuple(data["names"]), mean, scale, tuple(data["constant"]))

    def _checked(self, values: ArrayLike) -> NDArray[np.float64]:
        x = np.asarray(values, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise ValueError(
                f"expected an array of shape (N, {len(self.names)}) with the columns "
                f"{', '.join(self.names)}, got shape {x.shape}"
            )
        return x


@dataclass(frozen=True)
class RegressionScaling:
    """The scalings of inputs and target that a saved network was trained with."""

    inputs: Scaling
    target: Scaling

    def save(self, path: str | Path) -> None:
        """Write a JSON file."""
        data = {"inputs": self.inputs.to_dict(), "target": self.target.to_dict()}
        Path(path).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> RegressionScaling:
        """Read what `save` wrote."""
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(Scaling.from_dict(data["inputs"]), Scaling.from_dict(data["target"]))
