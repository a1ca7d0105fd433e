"""Which engine is used, and the one that is running."""

from __future__ import annotations

import atexit
import importlib
import os
import threading
from typing import Any

from .._hints import did_you_mean
from .base import Engine

__all__ = ["current_engine", "engine_info", "forget", "shutdown", "use_engine"]

# Engines by name, with the module and class that implement them. "auto" takes the first.
ENGINES = {"worker": ("mlpflow.engine.worker", "WorkerEngine")}

_lock = threading.Lock()
_engine: Engine | None = None
_chosen: str | None = None


def use_engine(name: str) -> None:
    """Decide which engine runs the calls from here on.

    Parameters
    ----------
    name : str
        ``"worker"`` (a Julia child process), or ``"auto"``. The environment variable
        ``MLPFLOW_ENGINE`` decides where this function is not called.

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.use_engine("worker")
    """
    global _chosen
    resolved = _resolve(name, "use_engine")
    with _lock:
        _chosen = name
        if _engine is None or _engine.name == resolved:
            return
    shutdown()


def _resolve(name: object, where: str) -> str:
    names = [*ENGINES, "auto"]
    if not isinstance(name, str) or name not in names:
        hint = did_you_mean(str(name), names)
        raise ValueError(f"{where}: expected one of {', '.join(names)}, got {name!r}{hint}")
    return next(iter(ENGINES)) if name == "auto" else name


def current_engine() -> Engine:
    """The running engine; made, but not started, when there is none."""
    global _engine
    if _engine is not None:
        return _engine
    with _lock:
        if _engine is None:
            name = _chosen or os.environ.get("MLPFLOW_ENGINE") or "auto"
            where = "use_engine" if _chosen else "MLPFLOW_ENGINE"
            module, cls = ENGINES[_resolve(name, where)]
            _engine = getattr(importlib.import_module(module), cls)()
        return _engine


def engine_info() -> dict[str, Any]:
    """What runs the calls; starts the engine.

    Returns
    -------
    dict
        The engine's name, Julia's version and executable, threads, system image, and the BLAS
        library with its kernel.

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.engine_info()["engine"]
    'worker'
    """
    engine = current_engine()
    information: dict[str, Any] = engine.call("info", {})
    return {"engine": engine.name, **information}


def shutdown() -> None:
    """End the engine and free its memory; the next call starts a new one.

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.shutdown()
    """
    global _engine
    with _lock:
        engine, _engine = _engine, None
    if engine is not None:
        engine.shutdown()


def forget(key: int) -> None:
    """An object that the engine has a copy of is gone."""
    engine = _engine
    if engine is not None:
        engine.forget(key)


def _after_fork_in_child() -> None:
    """The worker belongs to the parent; another thread may have held our lock at the fork."""
    global _engine, _lock
    _lock = threading.Lock()
    engine, _engine = _engine, None
    if engine is not None:
        engine.abandon()


def _at_exit() -> None:
    if _engine is not None:
        _engine.terminate()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
