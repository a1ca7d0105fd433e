"""Save and load: one file of NumPy arrays and plain data, without pickle.

The file is a NumPy ``.npz``: the array ``contents`` holds JSON, in which ``{"array": "a3"}`` stands
for the array ``a3`` of the file. Nothing in it can run code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .layers import describe_layers, layers_from_description
from .net import Net
from .objective import Spectrum
from .params import Params, checked_vector
from .result import FlowResult, OptimResult, TrainResult, Trajectory
from .rules import RULES
from .schedules import Constant, Cosine, StepDecay, WarmUp
from .status import Status
from .teacher import TeacherNet

__all__ = ["load", "save"]

FORMAT = "mlpflow-1"


def save(path: str | Path, value: Any) -> None:
    """Write a result, network, teacher, parameters or spectrum into one file.

    Parameters
    ----------
    path : path
        Written atomically; an existing file is replaced.
    value : TrainResult, Net, TeacherNet, Params or Spectrum
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
            return _read(file)
        except Exception as error:  # the readers of ZIP, NPY and JSON raise anything on damage
            raise ValueError(
                f"{path}: expected a file written by mlpflow.save, got another: {error}"
            ) from None


def _read(file: BinaryIO) -> Any:
    with np.load(file, allow_pickle=False) as arrays:
        document = json.loads(str(arrays["contents"]))
        if document["format"] != FORMAT:
            raise ValueError(f"expected the format {FORMAT}, got {document['format']!r}")
        return _decode(document["value"], arrays)


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
        *(TrainResult, FlowResult, OptimResult, Trajectory, Spectrum),
        *RULES.values(),
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
    if isinstance(value, Net):
        data = {"inputs": value.inputs, "targets": value.targets, "weights": value.weights}
        choices = {"losstype": value.losstype, "precision": value.precision}
        return {"kind": kind, "layers": describe_layers(value.layers), **choices} | _fields(
            data, arrays
        )
    if isinstance(value, TeacherNet):
        layers = describe_layers(value.layers)
        fields = {"inputs": value.Din, "params": value.params.flat}
        return {"kind": kind, "layers": layers, **_fields(fields, arrays)}
    if kind in _RECORDS:
        record = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"kind": kind, **_fields(record, arrays)}
    raise TypeError(
        "save: expected a TrainResult, Net, TeacherNet, Params, Spectrum, numbers, text or arrays, "
        f"got a {kind}"
    )


def _fields(fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: _encode(value, arrays) for name, value in fields.items()}


def _decode(value: Any, file: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v, file) for v in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return file[value["array"]]
    kind = value["kind"]
    if kind == "tuple":
        return tuple(_decode(v, file) for v in value["value"])
    if kind == "dict":
        return {_decode(k, file): _decode(v, file) for k, v in value["value"]}
    if kind == "Status":
        return Status(value["name"])
    layers: Any = value.get("layers")
    fields = {n: _decode(v, file) for n, v in value.items() if n not in ("kind", "layers")}
    if kind == "Params":
        checked = None if layers is None else layers_from_description(layers)
        shapes = tuple(fields["shapes"])
        return Params._make(checked_vector(fields["flat"], shapes), shapes, checked)
    if kind == "Net":
        return Net(layers_from_description(layers), **fields)
    if kind == "TeacherNet":
        return TeacherNet(layers_from_description(layers), fields["inputs"], fields["params"])
    if kind in _RECORDS:
        return _RECORDS[kind](**fields)
    raise ValueError(f"an object of the kind {kind!r}")
