"""Checks of what users pass, each ending in one sentence with expected and actual."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

_LONGEST = 100

__all__ = [
    "as_floats",
    "as_number",
    "as_truth",
    "as_whole",
    "check_finite",
    "shape_text",
    "shown",
    "to_numpy",
]


def to_numpy(value: Any, name: str) -> np.ndarray:
    """NumPy's view of an array, a torch tensor or nested lists.

    Raises
    ------
    TypeError, ValueError
        For what is no rectangular array.
    """
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name}: expected a rectangular array, got rows of different lengths"
        ) from None


def as_floats(value: Any, name: str) -> np.ndarray:
    """A Float64 array, C-contiguous; TypeError for text, objects and complex numbers."""
    array = to_numpy(value, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got {_dtype_text(array)}")
    return np.ascontiguousarray(array, dtype=np.float64).reshape(array.shape)


def _dtype_text(array: np.ndarray) -> str:
    if array.dtype.kind == "c":
        return "complex numbers"
    if array.dtype.kind in "US":
        return f"text such as {str(array.flat[0])!r}" if array.size else "text"
    if array.dtype.kind == "O" and array.ndim == 0:
        return f"a {type(array.item()).__name__}"
    return f"an array of {array.dtype}"


def check_finite(array: np.ndarray, name: str) -> None:
    """ValueError with the place and number of NaN or Inf."""
    finite = np.isfinite(array)
    if finite.all():
        return
    bad = np.argwhere(~finite)
    place = tuple(int(i) for i in bad[0])
    where = place[0] if len(place) == 1 else place
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    raise ValueError(f"{name}: expected finite numbers, got {array[place]} at index {where}{more}")


def as_number(value: Any, name: str, *, low: float = -np.inf, strict: bool = False) -> float:
    """A real number not below ``low`` (above it when ``strict``); infinity is allowed, NaN not."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number, got {shown(value)}")
    number = float(value)
    if not (number > low if strict else number >= low):
        bound = "" if low == -np.inf else f" {'above' if strict else 'of at least'} {low:g}"
        raise ValueError(f"{name}: expected a number{bound}, got {shown(value)}")
    return number


def as_whole(value: Any, name: str, *, low: int = 0) -> int:
    """An integer of at least ``low``; floats such as 1e5 count when they are whole."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a whole number, got {shown(value)}")
    number = float(value)
    if not number.is_integer():
        raise ValueError(f"{name}: expected a whole number, got {shown(value)}")
    if number < low:
        raise ValueError(f"{name}: expected a whole number of at least {low}, got {shown(value)}")
    return int(value) if isinstance(value, numbers.Integral) else int(number)


def as_truth(value: Any, name: str) -> bool:
    """True or False; TypeError for anything else."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TypeError(f"{name}: expected True or False, got {shown(value)}")


def shown(value: object) -> str:
    """A value in one short line, for an error message."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"an array of shape {shape_text(shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as in ``(100, 2)``."""
    return str(tuple(int(n) for n in shape))
