"""What is used, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engine import EngineError, engine_info
from .engine.automatic import why_not_juliacall
from .engine.discovery import Julia, engine_root, find_julia
from .engine.image import cache_folder, image_state
from .engine.mending import OTHERWISE, mend_of_start
from .engine.selection import ENGINES
from .text import format_rows, format_seconds

__all__ = ["Finding", "examine", "format_findings", "healthy"]

REQUIRED = ("numpy", "msgpack", "tqdm")
OPTIONAL = {
    "distributed": "many runs on a cluster",
    "matplotlib": "pictures",
    "pandas": "tables of sweeps",
    "scipy": "the matching of neurons",
    "torch": "conversion from and to PyTorch",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    name, value : str
        What it is, and what was found.
    mend : str
        The command that mends it, empty when nothing is wrong.
    required : bool
        Does mlpflow not work without it?
    """

    name: str
    value: str
    mend: str = ""
    required: bool = True


def examine(
    find: Callable[[], Julia] = find_julia, info: Callable[[], dict[str, Any]] = engine_info
) -> list[Finding]:
    """Look at Python, its packages, Julia and the engine. Starts the engine where it can.

    Parameters
    ----------
    find, info : callable
        How Julia is found and the engine asked; the tests put others in their place.
    """
    findings = [
        Finding("Python", f"{platform.python_version()}, {sys.executable}"),
        Finding("mlpflow", f"{_version('mlpflow')}, {Path(__file__).resolve().parent}"),
        *(_package(name, "") for name in REQUIRED),
        *(_package(name, purpose) for name, purpose in OPTIONAL.items()),
    ]
    chosen = os.environ.get("MLPFLOW_ENGINE") or "auto"
    if chosen not in ("auto", *ENGINES):
        mend = f"unset MLPFLOW_ENGINE, or set it to one of {', '.join(['auto', *ENGINES])}"
        return [*findings, Finding("engine", f"MLPFLOW_ENGINE is {chosen!r}", mend)]
    why = why_not_juliacall() if chosen == "auto" else "MLPFLOW_ENGINE says so"
    if chosen == "juliacall" or not why:
        return findings + _embedded(info)
    findings.append(Finding("choice", f"the engine worker: {why.partition(': ')[0]}"))
    try:
        julia = find()
    except EngineError as error:
        # The message says what to do; the command alone is easier to copy.
        named = "MLPFLOW_JULIA" in os.environ
        mend = "unset MLPFLOW_JULIA" if named else f"{_mlpflow()} setup"
        return [*findings, Finding("Julia", str(error), mend)]
    version = ".".join(map(str, julia.version))
    findings.append(Finding("Julia", f"{version}, {julia.path} (from {julia.source})"))
    return findings + _engine(info, julia)


def healthy(findings: list[Finding]) -> bool:
    """Is everything there that is required?"""
    return not any(finding.mend and finding.required for finding in findings)


def format_findings(findings: list[Finding]) -> str:
    """The findings for a person, with a last line that says how things stand."""
    rows = []
    for finding in findings:
        rows.append((finding.name, finding.value))
        if finding.mend:
            rows.append(("", f"mend: {finding.mend}"))
    missing = [finding.name for finding in findings if finding.mend and finding.required]
    end = f"Needs mending: {', '.join(missing)}." if missing else "All is well."
    return f"{format_rows('What mlpflow uses', rows)}\n{end}"


def _embedded(info: Callable[[], dict[str, Any]]) -> list[Finding]:
    """Julia inside this process: juliacall finds it, the worker's Julia does not matter."""
    try:
        facts = info()
    except (EngineError, ImportError) as error:
        mend = "unset MLPFLOW_ENGINE or set it to worker: then this is not needed"
        return [Finding("engine", str(error), mend)]
    return [
        Finding("engine", f"juliacall, inside Python's process; files in {engine_root()}"),
        Finding("Julia", f"{facts['julia']}, {facts['executable']} (from juliacall)"),
        Finding("BLAS", _blas(facts.get("blas", {}))),
    ]


def _engine(info: Callable[[], dict[str, Any]], julia: Julia) -> list[Finding]:
    try:
        root = engine_root()
        started = time.perf_counter()
        facts = info()
    except EngineError as error:
        last = error.trace.strip().splitlines()[-1:] if error.trace else []
        mend = mend_of_start(f"{error}\n{error.trace}")
        if mend == OTHERWISE:
            mend = f"{_mlpflow()} setup"
        return [Finding("engine", "; ".join([str(error), *last]), mend)]
    except ImportError as error:
        package = (error.name or "mlpflow").partition(".")[0]
        command = f"{sys.executable} -m pip install --force-reinstall {package}"
        return [Finding("engine", f"cannot be loaded: {error}", command)]
    seconds = format_seconds(time.perf_counter() - started)
    blas = facts.get("blas", {})
    return [
        Finding("engine", f"{facts['engine']}, answered after {seconds}; files in {root}"),
        Finding("threads", f"{facts['threads']} Julia, {blas.get('threads', '?')} BLAS"),
        Finding("BLAS", _blas(blas)),
        Finding("processor", str(facts.get("cpu", "unknown"))),
        _image(str(facts["sysimage"]), image_state(julia, root)),
    ]


def _image(used: str, state: str) -> Finding:
    """The system image that the engine runs from, and why it is not mlpflow's own."""
    if used.startswith(str(cache_folder())):
        return Finding("system image", f"with the engine compiled in, {used}")
    julias = f"Julia's own, {used}"
    if state == "not needed":
        return Finding("system image", julias)
    if state == "off":
        return Finding("system image", f"{julias}, as MLPFLOW_IMAGE says")
    why = {
        "stale": "mlpflow's is stale: engine, Julia or processor have changed since it was built",
        "missing": "mlpflow's has not been built",
        "ready": "mlpflow's was built a moment ago, for the next process",
    }[state]
    return Finding(
        "system image",
        f"{julias}; {why}. Optional, saves seconds of every first call",
        "" if state == "ready" else f"{_mlpflow()} setup",
        required=False,
    )


def _blas(facts: dict[str, Any]) -> str:
    config = str(facts.get("config", ""))
    version = re.search(r"OpenBLAS\s+[\d.]+", config)
    name = version.group() if version else "unknown version"
    return f"{name}, kernel {facts.get('kernel', 'unknown')}, {facts.get('library', '')}"


def _package(name: str, purpose: str) -> Finding:
    version = _version(name)
    if version:
        return Finding(name, version)
    command = f"{sys.executable} -m pip install {name}"
    if purpose:
        return Finding(name, f"missing; optional, for {purpose}", command, required=False)
    return Finding(name, "missing", command)


def _version(name: str) -> str:
    """The installed version, without importing the package; empty when it is missing."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _mlpflow() -> str:
    """The command as it can be typed here: the script may not be on PATH."""
    return f"{sys.executable} -m mlpflow"
