"""Python's pickle format (protocol 2), the writing half: plain data and tensors.

Only the operations that ``torch.load(weights_only=True)`` takes; julia/io/pickle_write.jl writes
the same.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from .params import Params

__all__ = ["STORAGES", "Pickler"]

# PyTorch's storages by element type.
STORAGES: dict[np.dtype, str] = {
    np.dtype("<f8"): "DoubleStorage",
    np.dtype("<f4"): "FloatStorage",
    np.dtype("<f2"): "HalfStorage",
    np.dtype("<i8"): "LongStorage",
    np.dtype("<i4"): "IntStorage",
    np.dtype("<i2"): "ShortStorage",
    np.dtype("i1"): "CharStorage",
    np.dtype("u1"): "ByteStorage",
    np.dtype("?"): "BoolStorage",
    np.dtype("<c16"): "ComplexDoubleStorage",
    np.dtype("<c8"): "ComplexFloatStorage",
}


class Pickler:
    """Pickles one value.

    Attributes
    ----------
    storages : list of ndarray
        What the tensors of the pickle hold.
    """

    def __init__(self) -> None:
        self.storages: list[np.ndarray] = []
        self._out = bytearray(b"\x80\x02")
        self._open: set[int] = set()

    def dump(self, value: Any) -> bytes:
        """The pickle; TypeError for what is no plain data."""
        self._put(value)
        return bytes(self._out + b".")

    def _put(self, value: Any) -> None:
        if isinstance(value, (str, int, float, bool)) or value is None:
            self._put_scalar(value)
        elif isinstance(value, np.generic):
            self._put(value.item())
        elif isinstance(value, Params):
            from .reference_keys import joined

            self._put(joined(value))
        elif isinstance(value, np.ndarray):
            self._put_tensor(value)
        elif hasattr(value, "detach"):  # a torch tensor, without importing torch
            self._put_tensor(value.detach().cpu().numpy())
        elif isinstance(value, (tuple, list, Mapping)):
            self._put_container(value)
        else:
            raise TypeError(
                "pickle: expected numbers, text, arrays, tuples, lists and dictionaries, got a "
                f"{type(value).__name__}"
            )

    def _put_scalar(self, value: str | int | float | None) -> None:
        out = self._out
        if value is None:
            out += b"N"
        elif isinstance(value, bool):
            out += b"\x88" if value else b"\x89"
        elif isinstance(value, str):
            text = str(value).encode()
            out += b"X" + struct.pack("<I", len(text)) + text
        elif isinstance(value, float):
            out += b"G" + struct.pack(">d", value)
        elif 0 <= value <= 0xFF:
            out += b"K" + bytes([value])
        elif -(2**31) <= value < 2**31:
            out += b"J" + struct.pack("<i", value)
        elif -(2**63) <= value < 2**63:
            out += b"\x8a\x08" + struct.pack("<q", value)
        else:
            raise TypeError(f"pickle: expected integers of at most 64 bits, got {value}")

    def _put_container(self, value: tuple[Any, ...] | list[Any] | Mapping[Any, Any]) -> None:
        if id(value) in self._open:
            raise TypeError(f"pickle: expected plain data, got a {type(value).__name__} in itself")
        self._open.add(id(value))
        if isinstance(value, Mapping):
            self._out += b"}("
            for key, entry in value.items():
                if not isinstance(key, (str, int, float, np.number)):
                    raise TypeError(
                        "pickle: expected numbers or text as keys of a dictionary, got a "
                        f"{type(key).__name__}"
                    )
                self._put(key)
                self._put(entry)
            self._out += b"u"
        else:
            self._out += b"(" if isinstance(value, tuple) else b"]("
            for entry in value:
                self._put(entry)
            self._out += b"t" if isinstance(value, tuple) else b"e"
        self._open.discard(id(value))

    def _put_tensor(self, array: np.ndarray) -> None:
        """What torch._utils._rebuild_tensor_v2 takes; the memory stays in its order."""
        array = _contiguous(array)
        out = self._out
        out += b"ctorch._utils\n_rebuild_tensor_v2\n(("
        self._put("storage")
        out += b"ctorch\n" + STORAGES[array.dtype].encode() + b"\n"
        self._put(str(len(self.storages)))
        self._put("cpu")
        self._put(array.size)
        out += b"tQ"
        self.storages.append(array)
        self._put(0)
        self._put(array.shape)
        self._put(tuple(step // array.itemsize for step in array.strides))
        out += b"\x89ccollections\nOrderedDict\n)RtR"


def _contiguous(array: np.ndarray) -> np.ndarray:
    dtype = array.dtype.newbyteorder("<")
    if dtype not in STORAGES:
        if dtype.kind not in "ui" or (dtype.kind == "u" and dtype.itemsize == 8):
            raise TypeError(f"pickle: expected an array of numbers, got {array.dtype}")
        dtype = np.dtype("<i8")
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return np.asarray(array, dtype=dtype, order="F")
    return np.asarray(array, dtype=dtype, order="C")
