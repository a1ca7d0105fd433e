"""One start at a time while Julia compiles the engine into its cache.

Julia before 1.9 writes the cache file of a package straight to its final name, so that a second
process that starts meanwhile reads half a file and ends with an error.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .discovery import Julia
from .image import KEEPS_NATIVE_CODE

__all__ = ["one_at_a_time"]

# Seconds after which a start no longer waits for another one.
LONGEST_WAIT = 120.0

_PAUSE = 0.02


@contextlib.contextmanager
def one_at_a_time(julia: Julia, root: Path) -> Iterator[None]:
    """Hold the lock of Julia's cache from the start of a worker to its greeting.

    Only while the engine's files or Julia's cache files have changed since the last start that
    succeeded: starts from a finished cache do not wait for each other.
    """
    cache = _compiled_folder(julia)
    name = hashlib.sha256(f"{root}\0{julia.path}".encode()).hexdigest()[:16]
    with contextlib.ExitStack() as stack:
        file = None
        if julia.version < KEEPS_NATIVE_CODE:
            # Where this folder cannot be written, Julia writes no cache either.
            with contextlib.suppress(OSError):
                cache.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(cache / f"mlpflow-{name}.start", "a+"))
        if file is None or not _lock_unless_finished(file, root, cache):
            yield
            return
        yield
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(_state(root, cache))
            file.flush()


def _lock_unless_finished(file: IO[str], root: Path, cache: Path) -> bool:
    """Is the lock ours? It is not when the cache is finished, or after LONGEST_WAIT."""
    end = time.monotonic() + LONGEST_WAIT
    while True:
        if _is_finished(file, root, cache):
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        except OSError:  # a file system without locks
            return False
    if _is_finished(file, root, cache):  # the one before us has just written it
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
    return True


def _is_finished(file: IO[str], root: Path, cache: Path) -> bool:
    file.seek(0)
    noted = file.read()
    return bool(noted) and noted == _state(root, cache)


def _state(root: Path, cache: Path) -> str:
    """What decides whether Julia compiles: times of the sources, and the cache files there are."""
    sources = [root / "Project.toml", *root.glob("src/**/*.jl"), *root.glob("julia/**/*")]
    parts = []
    for path in sorted([*sources, *cache.glob("*.ji")]):
        with contextlib.suppress(OSError):
            status = path.stat()
            parts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _compiled_folder(julia: Julia) -> Path:
    first = os.environ.get("JULIA_DEPOT_PATH", "").split(os.pathsep)[0]
    depot = Path(os.path.expanduser(first or "~/.julia"))
    return depot / "compiled" / f"v{julia.version[0]}.{julia.version[1]}" / "MLPFlow"
