"""Save and load: one file of NumPy arrays and plain data, without pickle.

The file is a NumPy ``.npz``: the array ``contents`` holds JSON, in which ``{"array": "a3"}`` stands
for the array ``a3`` of the file. Nothing in it can run code.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .classification import Classification
from .infinite import InfiniteNet
from .layers import describe_layers, layers_from_description
from .net import LossNetwork, Net
from .nodes import IntegralEstimate, Nodes
from .objective import Spectrum
from .params import Params, checked_vector
from .quadrature import QuadratureNet
from .result import FlowResult, OptimResult, TrainResult, Trajectory
from .rules import RULES
from .schedules import Constant, Cosine, StepDecay, WarmUp
from .solvers import SOLVERS_WITH_OPTIONS
from .status import Status
from .teacher import TeacherNet

__all__ = ["load", "save"]

FORMAT = "mlpflow-1"


@dataclass(frozen=True)
class NetFile:
    """Stands in a file for the network that lies in another file of the same folder."""

    name: str


def save(path: str | Path, value: Any) -> None:
    """Write a result, network, teacher, parameters or spectrum into one file.

    Parameters
    ----------
    path : path
        Written atomically; an existing file is replaced.
    value : TrainResult, Classification, Net, InfiniteNet, TeacherNet, Params or Spectrum
        Also dictionaries and lists of these, of numbers, text and NumPy arrays.

    Examples
    --------
    >>> import os, tempfile
    >>> import mlpflow as mf
    >>> path = os.path.join(tempfile.mkdtemp(), "p.npz")
    >>> mf.save(path, mf.Params([([[1.0, 2.0]], [3.0])]))
    >>> mf.load(path).flat
    array([1., 2., 3.])
    """
    arrays: dict[str, np.ndarray] = {}
    contents = json.dumps({"format": FORMAT, "value": _encode(value, arrays)})
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, contents=np.array(contents), **arrays)  # type: ignore[arg-type]
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path: str | Path) -> Any:
    """Read what `save` wrote, exactly as it was.

    Parameters
    ----------
    path : path

    Raises
    ------
    ValueError
        When the file is damaged or of another kind.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return _read(_Source(arrays, Path(path).parent))
        except Exception as error:  # the readers of ZIP, NPY and JSON raise anything on damage
            raise ValueError(
                f"{path}: expected a file written by mlpflow.save, got another: {error}"
            ) from None


@dataclass(frozen=True)
class _Source:
    """An open file: its arrays, and the folder in which it lies."""

    arrays: Any
    folder: Path


def _read(source: _Source) -> Any:
    document = json.loads(str(source.arrays["contents"]))
    if document["format"] != FORMAT:
        raise ValueError(f"expected the format {FORMAT}, got {document['format']!r}")
    return _decode(document["value"], source)


def _net_beside(source: _Source, name: str) -> LossNetwork:
    path = source.folder / name
    status = path.stat()
    return _net_from(str(path.resolve()), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def _net_from(path: str, changed: int, size: int) -> LossNetwork:
    net = load(path)
    if not isinstance(net, LossNetwork):
        raise ValueError(f"{path}: expected a Net, got a {type(net).__name__}")
    return net


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or (type(value) in _PLAIN):
        return value
    if isinstance(value, Status):
        return {"kind": "Status", "name": str(value)}
    if isinstance(value, np.generic):
        return _encode(value.item(), arrays)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        return {"kind": "tuple", "value": [_encode(v, arrays) for v in value]}
    if isinstance(value, list):
        return [_encode(v, arrays) for v in value]
    if isinstance(value, dict):
        pairs = [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]
        return {"kind": "dict", "value": pairs}
    return _encode_object(value, arrays)


_PLAIN = (bool, int, float, str)
_RECORDS: dict[str, Callable[..., Any]] = {
    cls.__name__: cls
    for cls in (
        *(TrainResult, FlowResult, OptimResult, Trajectory, Spectrum, Classification),
        *(Nodes, IntegralEstimate),
        *RULES.values(),
        *SOLVERS_WITH_OPTIONS.values(),
        *(Constant, Cosine, StepDecay, WarmUp),
    )
}


def _encode_object(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    kind = type(value).__name__
    fields: dict[str, Any]
    if isinstance(value, Params):
        spec = value.layer_spec
        description = None if spec is None else describe_layers(spec)
        fields = {"flat": value.flat, "shapes": value.shapes}
        return {"kind": kind, **_fields(fields, arrays), "layers": description}
    if isinstance(value, QuadratureNet):
        layers = describe_layers(value.layers)
        choices = {"losstype": value.losstype, "precision": value.precision}
        teacher = value.teacher if isinstance(value.teacher, TeacherNet) else None
        fields = {"data": value._data, "nodes": value._nodes, "teacher": teacher}
        return {"kind": kind, "layers": layers, **choices} | _fields(fields, arrays)
    if isinstance(value, Net):
        data = {"inputs": value.inputs, "targets": value.targets, "weights": value.weights}
        choices = {"losstype": value.losstype, "precision": value.precision}
        return {"kind": kind, "layers": describe_layers(value.layers), **choices} | _fields(
            data, arrays
        )
    if isinstance(value, InfiniteNet):
        given = {"mean": value._mean, "covariance": value._covariance}
        fields = {"teacher": value.teacher, **given}
        return {"kind": kind, "layers": describe_layers(value.layers), **_fields(fields, arrays)}
    if isinstance(value, TeacherNet):
        layers = describe_layers(value.layers)
        fields = {"inputs": value.Din, "params": value.params.flat}
        return {"kind": kind, "layers": layers, **_fields(fields, arrays)}
    if isinstance(value, NetFile):
        return {"kind": kind, "name": value.name}
    if kind in _RECORDS:
        record = {_key(f.name): getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"kind": kind, **_fields(record, arrays)}
    raise TypeError(
        "save: expected a TrainResult, Classification, Net, TeacherNet, Params, Spectrum, numbers, "
        f"text or arrays, got a {kind}"
    )


# What a description itself needs; a record's field of that name gets a mark.
_RESERVED = ("array", "kind", "layers")


def _key(name: str) -> str:
    return f".{name}" if name in _RESERVED else name


def _name(key: str) -> str:
    return key.removeprefix(".")


def _fields(fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: _encode(value, arrays) for name, value in fields.items()}


def _decode(value: Any, source: _Source) -> Any:
    if isinstance(value, list):
        return [_decode(v, source) for v in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return source.arrays[value["array"]]
    kind = value["kind"]
    if kind == "tuple":
        return tuple(_decode(v, source) for v in value["value"])
    if kind == "dict":
        return {_decode(k, source): _decode(v, source) for k, v in value["value"]}
    if kind == "Status":
        return Status(value["name"])
    if kind == "NetFile":
        return _net_beside(source, value["name"])
    layers: Any = value.get("layers")
    fields = {n: _decode(v, source) for n, v in value.items() if n not in ("kind", "layers")}
    if kind == "Params":
        checked = None if layers is None else layers_from_description(layers)
        shapes = tuple(fields["shapes"])
        return Params._make(checked_vector(fields["flat"], shapes), shapes, checked)
    if kind == "Net":
        return Net(layers_from_description(layers), **fields)
    if kind == "QuadratureNet":
        data = (*fields["data"], fields["losstype"], fields["precision"])
        checked = layers_from_description(layers)
        return QuadratureNet(checked, data, fields["nodes"], fields["teacher"])
    if kind == "InfiniteNet":
        return InfiniteNet(layers=layers_from_description(layers), **fields)
    if kind == "TeacherNet":
        return TeacherNet(layers_from_description(layers), fields["inputs"], fields["params"])
    if kind in _RECORDS:
        return _RECORDS[kind](**{_name(key): v for key, v in fields.items()})
    raise ValueError(f"an object of the kind {kind!r}")
