"""Results as files for ``torch.load`` and for the Julia door; read without running anything.

The file is what ``torch.save`` writes: an archive with a pickle of plain data and the storages of
its tensors. A pickle is a program for a machine with a stack; the machine here knows plain data and
tensors (see `unpickler`), and calls nothing that a file names.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .net import Net
from .params import Params
from .pickler import Pickler
from .result import TrainResult
from .unpickler import PickleError, Unpickler

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pickle", "unpickle"]

_LEGACY_BEGINNING = b"\x80\x02\x8a\x0a"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_ALIGNMENT = 64  # torch maps the members into memory
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes for the same content


def pickle(file: str | Path, result: Any, *, exclude: Iterable[str] = ()) -> None:
    """Write a result so that ``torch.load`` and Julia's ``unpickle`` read it too.

    Parameters
    ----------
    file : path
        Replaced atomically.
    result : TrainResult, dict, or other plain data
        A `TrainResult` is written under the reference keys, as Julia's ``train`` returns it: data
        of shape (Din, N), parameters as ``{"w1": [W1 b1], ...}``. Otherwise numbers, text, arrays
        (NumPy or torch, which become tensors), `Params`, tuples, lists and dictionaries.
    exclude : iterable of str
        Keys to leave out.

    Raises
    ------
    TypeError
        For what is no plain data.
    ValueError
        For a key in ``exclude`` that is not there.

    Examples
    --------
    >>> import os, tempfile
    >>> import mlpflow as mf
    >>> path = os.path.join(tempfile.mkdtemp(), "run.pt")
    >>> mf.pickle(path, {"loss": 0.25, "x": mf.Params([([[1.0, 2.0]], [3.0])])})
    >>> mf.unpickle(path)
    {'loss': 0.25, 'x': {'w1': array([[1., 2., 3.]])}}
    """
    pickler = Pickler()
    data = pickler.dump(_without(_plain_result(result), exclude))
    path = Path(file)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            _write_archive(stream, data, pickler.storages)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _plain_result(result: Any) -> Any:
    from .reference_keys import KEYS, joined

    if isinstance(result, Params):
        return joined(result)
    if not isinstance(result, TrainResult):
        return result
    plain = {key: result[key] for key in KEYS}
    if isinstance(result.net, Net):  # infinite data have none
        plain["input"] = result.net.inputs.T
        plain["target"] = _columns(result.net.targets, result.net.losstype, result.net.Dout)
    plain["layerspec"] = tuple(
        (layer.width, _activation_names(layer.activation), layer.bias)
        for layer in result.net.layers
    )
    plain["warnings"] = list(result.warnings)
    return plain


def _columns(targets: np.ndarray, losstype: str, outputs: int) -> np.ndarray:
    """Targets of shape (Dout, N); labels as one-hot columns."""
    if losstype == "cross_entropy" and targets.ndim == 1:
        return np.asarray(np.arange(outputs)[:, None] == targets, dtype=np.float64)
    return np.atleast_2d(targets.T)


def _activation_names(activation: Any) -> Any:
    from .activations import activation_text

    if isinstance(activation, tuple):
        return [activation_text(one) for one in activation]
    return activation_text(activation)


def _without(value: Any, exclude: Iterable[str]) -> Any:
    names = [exclude] if isinstance(exclude, str) else list(exclude)
    if not isinstance(value, Mapping):
        if names:
            raise ValueError(f"exclude: expected a dictionary, got a {type(value).__name__}")
        return value
    for name in names:
        if name not in value:
            keys = ", ".join(map(str, value))
            raise ValueError(f"exclude: expected some of the keys {keys}, got {name!r}")
    return {k: v for k, v in value.items() if k not in names and v is not None}


def _write_archive(stream: Any, data: bytes, storages: list[np.ndarray]) -> None:
    members: list[tuple[str, Any]] = [("data.pkl", data), ("byteorder", b"little")]
    members += [(f"data/{n}", array.tobytes("A")) for n, array in enumerate(storages)]
    members.append(("version", b"3\n"))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(f"archive/{name}", _FIRST_DATE)
            wide = 20 if len(content) > 0x7FFFFFFF else 0  # the fields of ZIP64 come as well
            start = archive.fp.tell() + 30 + len(entry.filename) + 4 + wide  # type: ignore[union-attr]
            padding = -start % _ALIGNMENT
            entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(entry, content)


def unpickle(file: str | Path) -> Any:
    """Read what `pickle`, Julia's ``pickle``, ``torch.save`` or the reference package wrote.

    Parameters
    ----------
    file : path

    Returns
    -------
    dict or other plain data
        Tensors come back as NumPy arrays of the same shape and type. Nothing that the file names
        is run.

    Raises
    ------
    ValueError
        When the file is damaged, of another kind, or holds more than plain data and tensors.
    """
    content = Path(file).read_bytes()
    read: Callable[[bytes], Any]
    try:
        if content.startswith(_LEGACY_BEGINNING):
            read = _read_legacy
        elif content.startswith(b"PK\x03\x04"):
            read = _read_archive
        else:
            raise PickleError("it begins otherwise")
        return read(content)
    except PickleError as error:
        raise ValueError(
            f"{file}: expected a file written by pickle or torch.save, got another: {error}"
        ) from None


def _read_archive(content: bytes) -> Any:
    members = _members(content)
    found = [name for name in members if name.endswith("/data.pkl")]
    if len(found) != 1:
        raise PickleError(f"the archive has {len(found)} members data.pkl")
    folder = found[0].removesuffix("data.pkl")
    if members.get(f"{folder}byteorder", b"little") != b"little":
        raise PickleError("expected little-endian numbers, got others")
    prefix = f"{folder}data/"
    storages = {n.removeprefix(prefix): c for n, c in members.items() if n.startswith(prefix)}
    machine = Unpickler(members[found[0]], 0, storages, len(content))
    value = machine.run()
    if machine.position != len(machine.data):
        raise PickleError("something follows the pickle")
    return value


def _members(content: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for entry in archive.infolist():
                stored = entry.compress_type == zipfile.ZIP_STORED
                if not stored or entry.file_size != entry.compress_size:
                    raise PickleError(
                        f"expected the archive's member {entry.filename!r} to be stored as it is, "
                        "got a compressed one"
                    )
                if entry.filename in members:
                    raise PickleError(f"the archive has its member {entry.filename!r} twice")
                if entry.file_size > len(content):
                    raise PickleError(f"the archive's member {entry.filename!r} is cut off")
                members[entry.filename] = archive.read(entry)
    except PickleError:
        raise
    except Exception as error:  # the reader of ZIP raises anything on damage
        raise PickleError(f"the archive is damaged: {' '.join(str(error).split())}") from None
    return members


def _read_legacy(content: bytes) -> Any:
    """Magic number, protocol, machine, the value, the keys of the storages, the storages.

    The value is read twice, because the storages lie behind it.
    """
    magic, protocol, machine = (Unpickler(content, 0, None, len(content)) for _ in range(3))
    if magic.run() != _LEGACY_MAGIC:
        raise PickleError("its magic number is another")
    protocol.position = magic.position
    if protocol.run() != _LEGACY_PROTOCOL:
        raise PickleError("its protocol is another")
    machine.position = protocol.position
    facts = machine.run()
    if not isinstance(facts, dict) or facts.get("little_endian", True) is not True:
        raise PickleError("expected little-endian numbers, got others")
    first = Unpickler(content, machine.position, None, len(content))
    first.run()
    names = Unpickler(content, first.position, None, len(content))
    keys = names.run()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PickleError("expected a list of storages, got another thing")
    reader = Unpickler(content, names.position, None, len(content))
    storages = {}
    for key in keys:
        count = int.from_bytes(reader.take(8), "little", signed=True)
        storages[key] = bytes(reader.take(count * first.sizes.get(key, 1)))
    return Unpickler(content, machine.position, storages, len(content)).run()
