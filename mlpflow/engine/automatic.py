"""Which engine ``"auto"`` means."""

from __future__ import annotations

import contextlib
import os
import sys

from .embedding import is_running, obstacle

__all__ = ["automatic_engine", "why_not_juliacall"]


def automatic_engine() -> str:
    """``"juliacall"`` where it starts without downloading anything, otherwise ``"worker"``."""
    return "worker" if why_not_juliacall() else "juliacall"


def why_not_juliacall() -> str:
    """Why ``"auto"`` takes the worker; empty when it takes juliacall."""
    if os.environ.get("MLPFLOW_JULIA"):
        return "MLPFLOW_JULIA names the worker's Julia"
    problem = obstacle()
    if problem:
        return problem
    if is_running():
        return ""
    if "torch" in sys.modules:
        return "torch was imported first, and Julia in the same process may crash then"
    if os.environ.get("PYTHON_JULIACALL_EXE"):
        return ""  # with PYTHON_JULIACALL_PROJECT: nothing is resolved
    if not _is_resolved():
        command = f"{sys.executable} -c 'import juliacall'"
        return f"juliacall would have to download Julia packages, which {command} does"
    return ""


def _is_resolved() -> bool:
    """Has juliapkg everything that juliacall needs? Asking `juliapkg.executable` may download."""
    with contextlib.suppress(Exception):
        from juliapkg.deps import can_skip_resolve

        return bool(can_skip_resolve())
    return False
