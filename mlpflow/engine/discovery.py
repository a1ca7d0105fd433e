"""Where the Julia engine's files are, and which Julia runs them."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import EngineError

__all__ = ["OLDEST_JULIA", "Julia", "engine_root", "find_julia"]

OLDEST_JULIA = (1, 5)

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Julia:
    """A Julia that can run the engine.

    Attributes
    ----------
    path : str
        The executable.
    version : tuple of int
        Such as ``(1, 5, 3)``.
    source : str
        Where it was found: ``"MLPFLOW_JULIA"``, ``"PATH"`` or ``"juliapkg"``.
    """

    path: str
    version: tuple[int, ...]
    source: str


@functools.cache
def engine_root() -> Path:
    """The folder with ``Project.toml``, ``src`` and ``julia``.

    A wheel carries it inside the package; an editable install finds it at the repository root.
    """
    for root in (_PACKAGE / "_engine", _PACKAGE.parent):
        if (root / "src" / "MLPFlow.jl").is_file():
            return root
    raise EngineError(
        f"expected the engine's Julia files in {_PACKAGE / '_engine'} or {_PACKAGE.parent}, found "
        "none: install mlpflow again",
        kind="worker",
    )


def find_julia() -> Julia:
    """The first Julia of version 1.5 or newer: ``MLPFLOW_JULIA``, PATH, juliapkg's.

    Raises
    ------
    EngineError
        When there is none, with what was passed over and how to get one.
    """
    passed_over = []
    for source, path in _candidates():
        version = julia_version(path)
        if version is not None and version >= OLDEST_JULIA:
            return Julia(path, version, source)
        passed_over.append(f"{path} ({_shortcoming(version)})")
        if source == "MLPFLOW_JULIA":
            raise EngineError(
                f"expected MLPFLOW_JULIA to name a Julia of version 1.5 or newer, got {path}, "
                f"which {_shortcoming(version)}: correct it or unset it",
                kind="worker",
            )
    found = f"; passed over {', '.join(passed_over)}" if passed_over else ""
    raise EngineError(
        "no Julia of version 1.5 or newer found: run `mlpflow setup`, put julia on PATH, or set "
        f"MLPFLOW_JULIA to its path{found}",
        kind="worker",
    )


def _shortcoming(version: tuple[int, ...] | None) -> str:
    if version is None:
        return "does not run"
    return "is version " + ".".join(map(str, version))


def _candidates() -> Iterator[tuple[str, str]]:
    named = os.environ.get("MLPFLOW_JULIA")
    if named:
        yield "MLPFLOW_JULIA", shutil.which(os.path.expanduser(named)) or named
    on_path = shutil.which("julia")
    if on_path:
        yield "PATH", on_path
    managed = _juliapkg_julia()
    if managed:
        yield "juliapkg", managed


def _juliapkg_julia() -> str | None:
    """The Julia that juliapkg has installed; asking juliapkg itself could start a download."""
    project = os.environ.get("PYTHON_JULIAPKG_PROJECT") or os.path.join(sys.prefix, "julia_env")
    try:
        with open(os.path.join(project, "pyjuliapkg", "meta.json"), encoding="utf-8") as file:
            executable = json.load(file)["executable"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return executable if isinstance(executable, str) else None


def julia_version(path: str) -> tuple[int, ...] | None:
    """The version of an executable, or None when it is not a working Julia."""
    try:
        stamp = os.stat(path).st_mtime_ns
    except OSError:
        return None
    return _julia_version(path, stamp)


@functools.cache
def _julia_version(path: str, stamp: int) -> tuple[int, ...] | None:
    try:
        answer = subprocess.run(
            [path, "--startup-file=no", "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"julia version (\d+)\.(\d+)\.(\d+)", answer)
    return tuple(map(int, found.groups())) if found else None
