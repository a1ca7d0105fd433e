"""A folder that holds the results of many runs as they come, so that a broken-off set goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .classification import Classification
from .net import LossNetwork
from .params import Params
from .result import TrainResult
from .runs import net_digest
from .storage import NetFile, load, save

__all__ = ["RunFolder", "claim_folder", "plain_options"]

T = TypeVar("T")

FORMAT = "mlpflow-runs-1"
_MANIFEST = "experiment.json"
_NET = "net.npz"


class RunFolder:
    """The results of one network's runs, by number.

    Parameters
    ----------
    path : path
        Made where it is missing.
    net : LossNetwork
    options : dict
        `plain_options` of the runs.

    Raises
    ------
    ValueError
        When the folder holds runs of another network or with other options, or other things.
    """

    def __init__(self, path: str | Path, net: LossNetwork, options: dict[str, Any]) -> None:
        self.path = Path(path)
        self._net = net
        claim_folder(self.path, {"net": net_digest(net), "options": options})
        if not (self.path / _NET).exists():
            save(self.path / _NET, net)

    def file(self, number: int) -> Path:
        """Where the result of a run lies."""
        return self.path / f"run-{number:05d}.npz"

    def result(self, number: int, start: Params) -> TrainResult | None:
        """The result of a run that is there already; None when it is missing or damaged."""
        result = _loaded(self.file(number), TrainResult)
        if result is None:
            return None
        if result.init.flat.tobytes() != start.flat.tobytes():
            raise ValueError(
                f"folder: expected {self.file(number)} to start where run {number} starts, got "
                "another starting point; take another folder for other starting points"
            )
        return dataclasses.replace(result, net=self._net)

    def classification(self, number: int) -> Classification | None:
        """The kind of the point that a run has found, if it is there."""
        return _loaded(self._kind_file(number), Classification)

    def keep(self, number: int, result: TrainResult, classification: Classification | None) -> None:
        """Write the result of a run, and the kind of its point."""
        elsewhere: Any = NetFile(_NET)
        save(self.file(number), dataclasses.replace(result, net=elsewhere))
        if classification is not None:
            save(self._kind_file(number), classification)

    def _kind_file(self, number: int) -> Path:
        return self.path / f"kind-{number:05d}.npz"


def _loaded(path: Path, kind: type[T]) -> T | None:
    """What the file holds; None when it is missing or damaged."""
    try:
        value = load(path)
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, kind) else None


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run as JSON gives them back, without those that change no number."""
    silent = ("verbosity", "progress", "callback", "checkpoint", "checkpoint_interval", "resume")
    kept = {name: value for name, value in options.items() if name not in silent}
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=_plain))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Params):
        return value.flat.tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if dataclasses.is_dataclass(value):  # a rule of discrete dynamics, its schedule
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    raise TypeError(f"expected plain data, got a {type(value).__name__}")


def claim_folder(path: Path, contents: dict[str, Any]) -> None:
    """Make a folder for an experiment, or see that it is the one of this experiment."""
    path.mkdir(parents=True, exist_ok=True)
    manifest = path / _MANIFEST
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if any(not entry.name.startswith(".") for entry in path.iterdir()):
            raise ValueError(
                f"folder: expected an empty or new folder or one with runs, got {path} with "
                "other files"
            ) from None
        _write_atomically(manifest, json.dumps({"format": FORMAT, **contents}, indent=2) + "\n")
        return
    except ValueError as error:
        raise ValueError(f"folder: expected {manifest} to be readable, got {error}") from None
    difference = _difference(found, {"format": FORMAT, **contents})
    if difference:
        raise ValueError(
            f"folder: expected the runs of this experiment, got another one's in {path}: "
            f"{difference}; take another folder"
        )


def _difference(found: Any, expected: dict[str, Any]) -> str:
    """The first difference between two manifests, in words; empty when there is none."""
    if not isinstance(found, dict) or found.get("format") != expected["format"]:
        return "it was written by another program or version"
    if found.get("net") != expected.get("net"):
        return "its network or its data differ"
    old, new = found.get("options", {}), expected["options"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            return f"its {name} is {old.get(name)}, not {new.get(name)}"
    return ""


def _write_atomically(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
