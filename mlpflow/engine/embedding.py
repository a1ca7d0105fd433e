"""Starting Julia inside this process with juliacall, or saying why that cannot be done."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import importlib.util
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .discovery import engine_root
from .errors import EngineError

__all__ = ["Embedding", "is_running", "obstacle", "start_julia"]

USE_WORKER = 'mlpflow.use_engine("worker") needs none of this'

# What juliacall, PythonCall and OpenBLAS read when they start. The user's own settings stay.
DEFAULTS = {
    # With Julia's own handlers Ctrl-C would end Python; without this setting juliacall warns.
    "PYTHON_JULIACALL_HANDLE_SIGNALS": "no",
    "PYTHON_JULIACALL_AUTOLOAD_IPYTHON_EXTENSION": "no",
    # PythonCall uses this Python; conda would download another.
    "JULIA_CONDAPKG_BACKEND": "Null",
    # As in the worker: the same numbers.
    "OPENBLAS_NUM_THREADS": "1",
}

_started: Embedding | None = None
_forked = False


@dataclass(frozen=True)
class Embedding:
    """Julia in this process.

    Attributes
    ----------
    module
        The live Julia module MLPFlow.
    """

    module: Any


def is_running() -> bool:
    """Has juliacall started Julia in this process, for us or for somebody else?"""
    module = sys.modules.get("juliacall")
    return bool(getattr(module, "CONFIG", {}).get("inited"))


def obstacle() -> str:
    """Why Julia cannot be started in this process, and what mends it; empty when it can."""
    if _forked and "juliacall" in sys.modules:
        return (
            "Julia inside a process does not survive a fork: use "
            'multiprocessing.get_context("spawn")'
        )
    if is_running():
        return ""
    if "juliacall" in sys.modules:
        return "juliacall has been imported but its Julia is not running: restart Python"
    if importlib.util.find_spec("juliacall") is None:
        return f"juliacall is not installed: {sys.executable} -m pip install juliacall"
    executable, project = (os.environ.get(f"PYTHON_JULIACALL_{n}") for n in ("EXE", "PROJECT"))
    if bool(executable) != bool(project):
        missing = "PROJECT" if executable else "EXE"
        return (
            "juliacall needs PYTHON_JULIACALL_EXE and PYTHON_JULIACALL_PROJECT together: set "
            f"PYTHON_JULIACALL_{missing} too, or unset the other"
        )
    if threading.current_thread() is not threading.main_thread():
        return (
            "Julia inside a process has to be started from the main thread: call "
            "mlpflow.engine_info() there first"
        )
    return ""


def start_julia() -> Embedding:
    """Julia with the engine loaded, started at the first call.

    Raises
    ------
    EngineError
        With what mends it.
    """
    global _started
    problem = obstacle()
    if problem:
        raise EngineError(f"{problem}; {USE_WORKER}", kind="juliacall")
    if _started is None:
        new = not is_running()
        _warn_of_torch(new)
        with _environment(DEFAULTS if new else {}), _same_signals():
            _started = Embedding(_load())
        if new:
            _let_other_threads_collect()
    return _started


def _warn_of_torch(new: bool) -> None:
    if new and "torch" in sys.modules:
        warnings.warn(
            "torch was imported before Julia was started in this process, which crashes on some "
            "systems: call mlpflow.engine_info() before `import torch`, or "
            'mlpflow.use_engine("worker"), which has no such limit',
            RuntimeWarning,
            stacklevel=2,
        )


def _load() -> Any:
    try:
        with warnings.catch_warnings():
            # Said above, with what to do about it.
            warnings.filterwarnings("ignore", message="torch was imported before juliacall")
            main = importlib.import_module("juliacall").Main
        add = "path -> (path in LOAD_PATH || push!(LOAD_PATH, path); nothing)"
        main.seval(add)(str(engine_root()))
        main.seval("import MLPFlow")
        return main.seval("MLPFlow")
    except EngineError:
        raise
    except Exception as error:
        text = str(error) or type(error).__name__
        raise EngineError(
            f"juliacall could not start: {text.partition(chr(10))[0]}; {USE_WORKER}",
            kind="juliacall",
            trace=text,
        ) from error


@contextlib.contextmanager
def _environment(defaults: dict[str, str]) -> Iterator[None]:
    """Set what is not set, for the time of the start: child processes do not inherit it."""
    new = [name for name in defaults if name not in os.environ]
    os.environ.update({name: defaults[name] for name in new})
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _same_signals() -> Iterator[None]:
    """Unblock the signals that Julia blocks in this thread (1.5 does, whatever it is told).

    With Julia's own handlers, which the user may ask for, they stay as Julia wants them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        yield
    finally:
        if os.environ.get("PYTHON_JULIACALL_HANDLE_SIGNALS", "no") == "no":
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_other_threads_collect() -> None:
    """Let Julia's garbage collector run in a call of another Python thread.

    It waits until every thread that Julia knows is at rest, and counts the main thread as busy even
    while that executes Python, so that it would wait forever (PythonCall.jl, issue 578). Julia's
    entry points restore the state that is set here when they return.
    """
    library = getattr(sys.modules.get("juliacall"), "CONFIG", {}).get("lib")
    try:
        enter, leave = library.jl_gc_safe_enter, library.jl_gc_safe_leave  # type: ignore[union-attr]
    except AttributeError:
        return
    enter.restype, leave.argtypes, leave.restype = ctypes.c_int8, [ctypes.c_int8], None
    state = enter()
    atexit.register(leave, state)  # before juliacall's own hook, which ends Julia


def _after_fork_in_child() -> None:
    global _forked, _started
    _forked, _started = True, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
