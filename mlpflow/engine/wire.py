"""Frames: a little-endian length and a MessagePack map, with arrays as extension types.

The wire carries the Julia shape, column-major: the reverse of NumPy's C order, and the same memory.
julia/io/msgpack_arrays.jl describes the two extension types.
"""

from __future__ import annotations

import os
import struct
import tempfile
from typing import Any, Protocol

import msgpack
import numpy as np

__all__ = ["Exchange", "MemoryExchange", "Wire", "frame"]

ARRAY_HERE = 1
ARRAY_ELSEWHERE = 2

# The position in this list is the element code minus one; julia/io/msgpack_arrays.jl has the same.
_ELEMENTS = [
    np.dtype(name)
    for name in ("<f8", "<f4", "<i8", "<i4", "<i2", "i1", "<u8", "<u4", "<u2", "u1", "?", "<c16")
]
_CODES = {dtype: code for code, dtype in enumerate(_ELEMENTS, start=1)}

# A file keeps so many bytes for the next call: new memory would have to be cleared first.
_KEEP = 1 << 26

_LARGEST_IN_FRAME = 2**32 - 256


def frame(payload: bytes) -> bytes:
    """The payload with its length before it."""
    return struct.pack("<Q", len(payload)) + payload


class MemoryExchange(Protocol):
    """Where large arrays are left for the other side."""

    threshold: int

    def deposit(self, array: np.ndarray) -> int | None:
        """Leave an array; the offset at which it lies, or None when there is no room."""

    def withdraw(self, array: np.ndarray, offset: int) -> None:
        """Fill an array with what lies at the offset."""


class Exchange:
    """Two files without a name that both processes hold open, one for each direction.

    They are memory where the system offers that, and nothing is left behind when a process dies.

    Parameters
    ----------
    threshold : int
        Arrays of at least so many bytes travel through the files.
    """

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold
        self.outbox = _nameless_file()
        self.inbox = _nameless_file()
        self._written = 0
        self._read = 0

    def deposit(self, array: np.ndarray) -> int | None:
        offset = self._written
        if not _write_all(self.outbox, array, offset):
            return None
        self._written += array.nbytes
        return offset

    def withdraw(self, array: np.ndarray, offset: int) -> None:
        view = array.data.cast("B")
        done = 0
        while done < len(view):
            n = os.preadv(self.inbox, [view[done:]], offset + done)
            if n == 0:
                raise ValueError(f"expected {len(view)} bytes in the exchange file, got {done}")
            done += n
        self._read = max(self._read, offset + done)

    def clear(self) -> None:
        """Start again at the beginning, once no call is under way; much memory is given back."""
        if self._written > _KEEP:
            os.ftruncate(self.outbox, 0)
        if self._read > _KEEP:
            os.ftruncate(self.inbox, 0)
        self._written = self._read = 0

    def close(self) -> None:
        for fd in (self.outbox, self.inbox):
            os.close(fd)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mlpflow", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write_all(fd: int, array: np.ndarray, offset: int) -> bool:
    view = array.data.cast("B")
    done = 0
    try:
        while done < len(view):
            done += os.pwrite(fd, view[done:], offset + done)
    except OSError:  # no space left: the array stays in the message
        return False
    return True


class Wire:
    """Packs and unpacks messages.

    Parameters
    ----------
    exchange : MemoryExchange, optional
        Where large arrays go; without it everything stays in the message.
    """

    def __init__(self, exchange: MemoryExchange | None = None) -> None:
        self._exchange = exchange
        self._packer = msgpack.Packer(default=self._pack_other)

    def pack(self, message: dict[str, Any]) -> bytes:
        """The MessagePack form of a message; TypeError for what has none."""
        try:
            packed: bytes = self._packer.pack(message)
        except BaseException:
            self._packer.reset()
            raise
        return packed

    def unpack(self, payload: bytes | bytearray) -> Any:
        """The message in a frame."""
        return msgpack.unpackb(payload, ext_hook=self._unpack_extension, strict_map_key=False)

    def _pack_other(self, value: object) -> object:
        if isinstance(value, np.ndarray):
            return self._pack_array(value)
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"expected plain data for the engine, got a {type(value).__name__}")

    def _pack_array(self, array: np.ndarray) -> msgpack.ExtType:
        array = np.ascontiguousarray(array).reshape(array.shape)
        code = _CODES.get(array.dtype)
        if code is None:
            raise TypeError(f"expected an array of numbers for the engine, got {array.dtype}")
        header = struct.pack(f"<BB{array.ndim}Q", code, array.ndim, *array.shape[::-1])
        if self._exchange is not None and array.nbytes >= self._exchange.threshold:
            offset = self._exchange.deposit(array)
            if offset is not None:
                return msgpack.ExtType(ARRAY_ELSEWHERE, header + struct.pack("<Q", offset))
        if array.nbytes > _LARGEST_IN_FRAME:
            raise MemoryError(f"no room for an array of {array.nbytes} bytes on its way to Julia")
        return msgpack.ExtType(ARRAY_HERE, header + array.tobytes())

    def _unpack_extension(self, code: int, data: bytes) -> object:
        if code not in (ARRAY_HERE, ARRAY_ELSEWHERE):
            return msgpack.ExtType(code, data)
        dtype, shape, start = _read_header(data)
        if code == ARRAY_HERE:
            return np.frombuffer(data, dtype, offset=start).reshape(shape).copy()
        if self._exchange is None:
            raise ValueError("expected every array inside the message, got one that lies elsewhere")
        array = np.empty(shape, dtype)
        self._exchange.withdraw(array, struct.unpack_from("<Q", data, start)[0])
        return array


def _read_header(data: bytes) -> tuple[np.dtype, tuple[int, ...], int]:
    code, ndim = data[0], data[1]
    dims = struct.unpack_from(f"<{ndim}Q", data, 2)
    return _ELEMENTS[code - 1], dims[::-1], 2 + 8 * ndim
