"""Which engine is used, and the one that is running."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from .._hints import did_you_mean
from .automatic import automatic_engine
from .base import Engine
from .errors import EngineError

__all__ = [
    "current_engine", "engine_info", "forget", "shutdown", "use_engine", "using_engine",
]  # fmt: skip

# Engines by name, with the module and class that implement them. "auto" is one of them.
ENGINES = {
    "worker": ("mlpflow.engine.worker", "WorkerEngine"),
    "juliacall": ("mlpflow.engine.juliacall", "JuliacallEngine"),
}

_lock = threading.Lock()
_engine: Engine | None = None
_chosen: str | None = None
# More engines for runs side by side (see pool.py). A tuple that is replaced, never changed:
# `forget` reads it at any time, from any thread, without a lock.
_extras: tuple[Engine, ...] = ()
# The engine that a thread uses instead of the common one.
_own = threading.local()


def use_engine(name: str) -> None:
    """Decide which engine runs the calls from here on.

    Parameters
    ----------
    name : str
        ``"worker"`` (a Julia child process), ``"juliacall"`` (Julia inside this process), or
        ``"auto"``: juliacall where it starts without downloading anything, otherwise the worker.
        The environment variable ``MLPFLOW_ENGINE`` decides where this function is not called.

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
    return automatic_engine() if name == "auto" else name


def current_engine() -> Engine:
    """The running engine; made, but not started, when there is none."""
    global _engine
    own: Engine | None = getattr(_own, "engine", None)
    if own is not None:
        return own
    if _engine is not None:
        return _engine
    with _lock:
        if _engine is None:
            name = _chosen or os.environ.get("MLPFLOW_ENGINE") or "auto"
            where = "use_engine" if _chosen else "MLPFLOW_ENGINE"
            module, cls = ENGINES[_resolve(name, where)]
            _engine = getattr(importlib.import_module(module), cls)()
        return _engine


@contextlib.contextmanager
def using_engine(engine: Engine) -> Iterator[None]:
    """In this thread every call goes to ``engine``."""
    previous = getattr(_own, "engine", None)
    _own.engine = engine
    try:
        yield
    finally:
        _own.engine = previous


def extra_engine() -> Engine:
    """One more worker beside the common engine; only a worker can be had several times."""
    global _extras
    module, cls = ENGINES["worker"]
    engine: Engine = getattr(importlib.import_module(module), cls)()
    with _lock:
        _extras = (*_extras, engine)
    return engine


def end_extra(engine: Engine) -> None:
    """The engine is not needed any more."""
    global _extras
    with _lock:
        _extras = tuple(e for e in _extras if e is not engine)
    engine.shutdown()


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


def julia_module() -> Any:
    """The live Julia module, what ``mlpflow.julia`` is."""
    engine = current_engine()
    if engine.name != "juliacall":
        raise EngineError(
            f"mlpflow.julia: expected the engine juliacall, got {engine.name}: call "
            'mlpflow.use_engine("juliacall") or set MLPFLOW_ENGINE=juliacall'
        )
    return engine.module  # type: ignore[attr-defined]


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
    for extra in _extras:
        extra.forget(key)


def _after_fork_in_child() -> None:
    """The worker belongs to the parent; another thread may have held our lock at the fork."""
    global _engine, _extras, _lock
    _lock = threading.Lock()
    engine, _engine = _engine, None
    extras, _extras = _extras, ()
    _own.engine = None
    for inherited in (engine, *extras):
        if inherited is not None:
            inherited.abandon()


def _at_exit() -> None:
    for engine in (_engine, *_extras):
        if engine is not None:
            engine.terminate()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
