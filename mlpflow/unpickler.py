"""Python's pickle format, the reading half: a machine that knows plain data and tensors alone.

julia/io/pickle_read.jl is the same machine in Julia.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .pickler import STORAGES

__all__ = ["PickleError", "Unpickler"]

_REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2"
_ORDERED_DICT = "collections.OrderedDict"
_ELEMENTS: dict[str, np.dtype] = {f"torch.{name}": dtype for dtype, name in STORAGES.items()}

# A tensor shares its storage with others; more than this times the file nobody has written.
_LARGEST_EXPANSION = 16

_MOST_DIMENSIONS = 8


class PickleError(Exception):
    """The bytes are not a pickle of plain data and tensors."""


@dataclass(eq=False)
class _Open:
    """A list or dictionary while it is filled.

    Once it has been put into another one it is closed, so that nothing can come to hold itself.
    """

    is_dict: bool
    entries: list[Any] = field(default_factory=list)
    closed: Any = None


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Storage:
    dtype: np.dtype
    key: str
    count: int


class _Mark:
    pass


@dataclass(frozen=True)
class _Arguments:
    """A tuple that holds what is no plain data: only to be used up by REDUCE or BINPERSID."""

    values: tuple[Any, ...]


_INTERNAL = (_Global, _Storage, _Arguments)
_MARK = _Mark()
_CONSTANTS: dict[int, Any] = {
    ord("N"): None,
    0x88: True,
    0x89: False,
    ord("("): _MARK,
    ord(")"): (),
}


class Unpickler:
    """The machine.

    Parameters
    ----------
    data : bytes
    position : int
        Where the pickle begins in it.
    storages : dict or None
        The bytes of the tensors' storages; without them tensors are left out.
    file_size : int
        Of the whole file: a bound for the size of what it holds.

    Attributes
    ----------
    sizes : dict
        Bytes of an element, by the key of its storage.
    """

    def __init__(
        self, data: bytes, position: int, storages: dict[str, bytes] | None, file_size: int
    ) -> None:
        self.data = data
        self.position = position
        self.sizes: dict[str, int] = {}
        self._storages = storages
        self._left = _LARGEST_EXPANSION * file_size
        self._stack: list[Any] = []
        self._memory: dict[int, Any] = {}

    def run(self) -> Any:
        """The value of the pickle; `position` is behind it afterwards."""
        while (code := self.take(1)[0]) != ord("."):
            self._step(code)
        value = _closed(self._pop())
        if self._stack:
            raise PickleError(f"expected one value, got {len(self._stack)} more before it")
        return value

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self.data) - self.position:
            raise PickleError("the pickle is cut off")
        self.position += count
        return self.data[self.position - count : self.position]

    def _number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def _text(self, count: int) -> str:
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise PickleError("expected text in UTF-8, got other bytes") from None

    def _line(self) -> str:
        stop = self.data.find(b"\n", self.position)
        if stop < 0:
            raise PickleError("the pickle is cut off")
        text = self._text(stop - self.position)
        self.position += 1
        return text

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise PickleError("expected a value on the stack, got none")
        return self._stack.pop()

    def _pop_marked(self) -> list[Any]:
        values: list[Any] = []
        while self._stack:
            value = self._stack.pop()
            if value is _MARK:
                return values[::-1]
            values.append(value)
        raise PickleError("expected a mark on the stack, got none")

    def _top(self) -> Any:
        if not self._stack:
            raise PickleError("expected a value on the stack, got none")
        return self._stack[-1]

    def _step(self, code: int) -> None:
        push = self._stack.append
        if code in _CONSTANTS:
            push(_CONSTANTS[code])
        elif code in b"GJMKX\x8a\x8c":
            push(self._scalar(code))
        elif code in b"}]":
            push(_Open(is_dict=code == ord("}")))
        elif code in b"suae":
            self._fill(code)
        elif code == ord("t"):
            push(_tupled(self._pop_marked()))
        elif 0x85 <= code <= 0x87:
            push(_tupled([self._pop() for _ in range(code - 0x84)][::-1]))
        elif code in b"qr":
            self._memory[self._number("<B" if code == ord("q") else "<I")] = self._top()
        elif code == 0x94:
            self._memory[len(self._memory)] = self._top()
        elif code in b"hj":
            push(self._recall(self._number("<B" if code == ord("h") else "<I")))
        elif code == ord("c"):
            push(_known(self._line(), self._line()))
        elif code == 0x93:
            name, owner = self._pop(), self._pop()
            push(_known(owner, name))
        elif code == ord("Q"):
            push(self._storage(self._pop()))
        elif code == ord("R"):
            arguments, function = self._pop(), self._pop()
            push(self._reduce(function, arguments))
        else:
            self._frame(code)

    def _frame(self, code: int) -> None:
        """Operations that leave no value behind."""
        if code == ord("b"):
            # The state of an OrderedDict (what torch notes about a module) is not in its entries.
            self._pop()
            if not isinstance(self._top(), _Open):
                raise PickleError("expected plain data and tensors, got an object with a state")
        elif code == 0x80:
            if self.take(1)[0] > 5:
                raise PickleError("expected a pickle of protocol 5 or older")
        elif code == 0x95:
            self.take(8)
        else:
            raise PickleError(
                f"expected plain data and tensors, got the pickle operation 0x{code:02x}"
            )

    def _scalar(self, code: int) -> Any:
        if code == ord("G"):
            return self._number(">d")
        if code in b"JMK":
            return self._number({ord("J"): "<i", ord("M"): "<H", ord("K"): "<B"}[code])
        if code == 0x8A:
            return int.from_bytes(self.take(self.take(1)[0]), "little", signed=True)
        return self._text(self._number("<I" if code == ord("X") else "<B"))

    def _fill(self, code: int) -> None:
        if code in b"ue":
            values = self._pop_marked()
        else:
            values = [self._pop() for _ in range(2 if code == ord("s") else 1)][::-1]
        values = [_closed(value) for value in values]
        container, is_dict = self._top(), code in b"su"
        if not isinstance(container, _Open) or container.is_dict != is_dict:
            kind = "dictionary" if is_dict else "list"
            raise PickleError(f"expected a {kind} to put values into, got another thing")
        if container.closed is not None:
            raise PickleError(
                "expected a list or dictionary to be filled before it is used, got one that may "
                "hold itself"
            )
        if is_dict and len(values) % 2:
            raise PickleError("expected a value for every key, got one key more")
        container.entries += values

    def _recall(self, place: int) -> Any:
        if place not in self._memory:
            raise PickleError(f"expected something in memory at {place}, got nothing")
        return self._memory[place]

    def _reduce(self, function: Any, arguments: Any) -> Any:
        values = _unwrapped(arguments)
        if not isinstance(function, _Global):
            raise PickleError(f"expected a class, got a {type(function).__name__}")
        if function.name == _ORDERED_DICT and not values:
            return _Open(is_dict=True)
        if function.name == _REBUILD_TENSOR:
            return self._tensor(values)
        raise PickleError(
            f"expected a tensor or an empty dictionary, got {function.name} of {len(values)} "
            "arguments"
        )

    def _storage(self, reference: Any) -> _Storage:
        match _unwrapped(reference):
            case ("storage", _Global(name), str(key), _, int(count), *rest) if (
                name in _ELEMENTS and count >= 0 and rest in ([], [None])
            ):
                dtype = _ELEMENTS[name]
                self.sizes[key] = dtype.itemsize
                return _Storage(dtype, key, count)
        raise PickleError("expected the storage of a tensor, got another reference")

    def _tensor(self, arguments: tuple[Any, ...]) -> np.ndarray | None:
        match arguments:
            case (_Storage() as storage, int(offset), tuple(shape), tuple(steps), *_) if (
                len(arguments) in (6, 7)
                and len(shape) == len(steps) <= _MOST_DIMENSIONS
                and all(type(n) is int and n >= 0 for n in (offset, *shape, *steps))
            ):
                pass
            case _:
                raise PickleError("expected a tensor, got other arguments")
        if self._storages is None:
            return None
        if storage.key not in self._storages:
            raise PickleError(
                f"expected the storage {storage.key!r} of a tensor in the file, got none"
            )
        content, dtype = self._storages[storage.key], storage.dtype
        count = math.prod(shape)
        furthest = offset + sum(max(n - 1, 0) * step for n, step in zip(shape, steps, strict=True))
        inside = count <= storage.count and (count == 0 or furthest < storage.count)
        if not inside or len(content) < storage.count * dtype.itemsize:
            raise PickleError(
                f"expected a tensor of shape {shape} inside its storage of {storage.count} "
                "numbers, got one beyond it"
            )
        self._left -= count * dtype.itemsize
        if self._left < 0:
            raise PickleError("expected tensors of about the size of the file, got many times more")
        if count == 0:
            return np.empty(shape, dtype)
        # Any byte but 0 is true; another one in a NumPy array of truth values is none at all.
        raw = np.frombuffer(content, "u1" if dtype.kind == "b" else dtype, storage.count)
        strides = [step * dtype.itemsize for step in steps]
        view = np.lib.stride_tricks.as_strided(raw[offset:], shape, strides)
        return view.astype(dtype, order="K", copy=True)


def _unwrapped(arguments: Any) -> tuple[Any, ...]:
    if isinstance(arguments, _Arguments):
        return arguments.values
    if isinstance(arguments, tuple):
        return arguments
    raise PickleError(f"expected arguments, got a {type(arguments).__name__}")


def _known(owner: Any, name: Any) -> _Global:
    full = f"{owner}.{name}"
    if full not in _ELEMENTS and full not in (_REBUILD_TENSOR, _ORDERED_DICT):
        raise PickleError(
            f"expected plain data and tensors, got {full}: nothing of this file has been run"
        )
    return _Global(full)


def _tupled(values: list[Any]) -> Any:
    if any(isinstance(value, _INTERNAL) for value in values):
        return _Arguments(tuple(v if isinstance(v, _INTERNAL) else _closed(v) for v in values))
    return tuple(map(_closed, values))


def _closed(value: Any) -> Any:
    if isinstance(value, _INTERNAL) or value is _MARK:
        raise PickleError("expected plain data and tensors, got a part of a tensor alone")
    if not isinstance(value, _Open):
        return value
    if value.closed is None:
        value.closed = _dictionary(value.entries) if value.is_dict else value.entries
    return value.closed


def _dictionary(entries: list[Any]) -> dict[Any, Any]:
    keys = entries[::2]
    for key in keys:
        if not isinstance(key, (str, int, float)):
            raise PickleError(
                f"expected numbers or text as keys of a dictionary, got a {type(key).__name__}"
            )
    return dict(zip(keys, entries[1::2], strict=True))
