"""Engines for runs side by side: one for each thread that has a run under way."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from .base import Engine
from .selection import current_engine, end_extra, extra_engine, using_engine

__all__ = ["borrowed_engine", "cancel_borrowed", "close_idle", "kill_borrowed"]

_lock = threading.Lock()
_idle: list[Engine] = []
_borrowed: list[Engine] = []


@contextlib.contextmanager
def borrowed_engine() -> Iterator[Engine]:
    """For the time of the block, an engine that no other thread borrows takes this thread's calls.

    The common engine where it is free, since its worker is running already; otherwise one more
    worker, which is kept for the next run until `close_idle`.
    """
    engine = _take()
    try:
        with using_engine(engine):
            yield engine
    finally:
        with _lock:
            _borrowed.remove(engine)
            if engine is not current_engine():
                _idle.append(engine)


def _take() -> Engine:
    common = current_engine()
    with _lock:
        if common.name == "worker" and common not in _borrowed:
            engine = common
        else:
            engine = _idle.pop() if _idle else extra_engine()
        _borrowed.append(engine)
    return engine


def cancel_borrowed() -> None:
    """End the runs under way at their next step, with the best points so far."""
    for engine in tuple(_borrowed):
        engine.cancel()


def kill_borrowed() -> None:
    """End the runs under way at once, and their workers with them."""
    for engine in tuple(_borrowed):
        engine.terminate()


def close_idle() -> None:
    """End the workers that no thread borrows, but for the common one."""
    with _lock:
        idle = _idle[:]
        _idle.clear()
    for engine in idle:
        end_extra(engine)


def _after_fork_in_child() -> None:
    """The engines belong to the parent; another thread may have held our lock at the fork."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()
    _borrowed.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
