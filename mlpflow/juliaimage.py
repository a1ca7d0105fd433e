"""Building the system image, at set-up; ``python -m mlpflow.juliaimage`` does it alone.

Nothing depends on an image: where none can be built, a new process starts some seconds later.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .engine.discovery import Julia, engine_root, find_julia
from .engine.environment import worker_environment
from .engine.errors import EngineError
from .engine.image import (
    IMAGE_SCRIPT,
    SUFFIX,
    ImagePlace,
    image_place,
    images_are_off,
    needs_image,
    read_label,
    remove_image,
)
from .text import format_seconds

__all__ = ["ImageError", "build_image", "set_up_image"]

COMPILERS = ("cc", "gcc", "clang")

# Seconds: about eight times what it takes.
LONGEST_BUILD = 1200.0

# Bytes on the disk while an image is built: the object file and the image.
ROOM = 500_000_000

FACTS = """
println(unsafe_string(Base.JLOptions().image_file)); println(Sys.BINDIR); println(Sys.STDLIB)
"""

TRIAL = """
using MLPFlow
exit(all(reply -> haskey(reply, "result"), MLPFlow.workload()) ? 0 : 1)
"""


class ImageError(Exception):
    """No image could be built; the message says why, in words to follow 'no system image: '."""


def set_up_image() -> bool:
    """Build the image where one is needed and not there, and say what is done.

    Returns
    -------
    bool
        False when an image is needed and could not be built.
    """
    try:
        julia, root = find_julia(), engine_root()
        if not needs_image(julia):
            return True  # this Julia keeps the engine's native code itself
        if images_are_off():
            _say("none is built, because MLPFLOW_IMAGE says so")
            return True
        build_image(julia, root)
    except (ImageError, EngineError, OSError) as error:
        _say(f"none is built: {error}. Everything works without it; the first call takes longer")
        return False
    return True


def build_image(julia: Julia, root: Path) -> Path:
    """The image for this Julia and the engine in ``root``, built unless it is there.

    Raises
    ------
    ImageError
        With the reason and what to do.
    """
    place = image_place(julia, root)
    folder = place.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with _one_builder(folder):
        if place.is_ready():
            _say(f"already built: {place.path}")
        else:
            compiler = _find_compiler()
            _check_room(folder)
            with _scratch(folder) as scratch:
                _build(julia, root, place, compiler, scratch)
        _remove_old(place, root)
    return place.path


def _build(julia: Julia, root: Path, place: ImagePlace, compiler: str, scratch: Path) -> None:
    started = time.perf_counter()
    _say(
        "compiling the engine into a system image, once, so that new processes start in a second "
        "or two (takes 2 or 3 minutes and 2.5 GB of memory; MLPFLOW_IMAGE=no leaves it out)"
    )
    environment = worker_environment(julia, root)
    log = place.path.parent / "build.log"
    log.write_bytes(b"")
    plain = [julia.path, "--startup-file=no", "--history-file=no", "--color=no"]
    facts = _run([*plain, "-e", FACTS], environment, log, "julia does not start")
    base, bindir, stdlib = facts.splitlines()
    environment |= {"MLPFLOW_BINDIR": bindir, "MLPFLOW_STDLIB": stdlib}
    compiled, image = scratch / "image.a", scratch / f"image{SUFFIX}"
    output = ["--sysimage", base, "--output-o", str(compiled), str(root / IMAGE_SCRIPT)]
    _run([*plain, *output], environment, log, "julia could not compile the engine")
    _say(f"compiled in {format_seconds(time.perf_counter() - started)}; linking and trying it")
    _run(_link_command(compiler, compiled, image), None, log, f"{compiler} could not link it")
    trial = [*plain, f"--sysimage={image}", "-e", TRIAL]
    _run(trial, worker_environment(julia, root), log, "the image that was built does not work")
    if image_place(julia, root) != place:
        raise ImageError("the engine's files were changed meanwhile: run `mlpflow setup` again")
    size = _install(image, place, julia, root)
    seconds = format_seconds(time.perf_counter() - started)
    _say(f"done in {seconds}: {place.path}, {size / 1e6:.0f} MB")


def _link_command(compiler: str, archive: Path, image: Path) -> list[str]:
    """Every object of the archive into a shared library; libjulia itself is there when it loads."""
    if sys.platform == "darwin":
        whole = [f"-Wl,-force_load,{archive}", "-Wl,-undefined,dynamic_lookup"]
    else:
        whole = ["-Wl,--whole-archive", str(archive), "-Wl,--no-whole-archive"]
    return [compiler, "-shared", "-o", str(image), *whole]


def _install(image: Path, place: ImagePlace, julia: Julia, root: Path) -> int:
    """Rename the image and then its label to their places: nobody sees a part of either."""
    remove_image(place.path)
    size = image.stat().st_size
    facts = {
        "size": size,
        "engine": str(root),
        "julia": julia.path,
        "built": time.strftime("%Y-%m-%d %H:%M"),
    }
    label = image.with_suffix(".json")
    label.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(image, place.path)
    os.replace(label, place.label)
    return size


def _remove_old(place: ImagePlace, root: Path) -> None:
    """Remove the images that nobody will use: of the same engine, or of one that is gone."""
    for path in place.siblings():
        origin = read_label(path.with_suffix(".json")).get("engine")
        if not isinstance(origin, str) or Path(origin) == root or not Path(origin).is_dir():
            remove_image(path)


@contextlib.contextmanager
def _one_builder(folder: Path) -> Iterator[None]:
    """Wait for other builds; the system opens the lock when its holder dies."""
    with open(folder / "build.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder on the same disk; what a build that was killed left behind goes first."""
    for left in folder.glob("building-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=folder) as scratch:
        yield Path(scratch)


def _find_compiler() -> str:
    for name in (os.environ.get("CC", ""), *COMPILERS):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise ImageError("it takes a C compiler to link it: install gcc and run `mlpflow setup`")


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise ImageError(
            f"expected {ROOM / 1e6:.0f} MB of room in {folder}, found {free / 1e6:.0f} MB: make "
            "room, or set MLPFLOW_CACHE to another folder, and run `mlpflow setup`"
        )


def _run(command: list[str], environment: dict[str, str] | None, log: Path, failure: str) -> str:
    """Run a command; what it says on standard error is kept in the log."""
    with open(log, "a", encoding="utf-8") as errors:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                timeout=LONGEST_BUILD,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ImageError(f"{failure} in {format_seconds(LONGEST_BUILD)} (see {log})") from None
    if done.returncode:
        raise ImageError(f"{failure} (exit code {done.returncode}; see {log})")
    return done.stdout


def _say(message: str) -> None:
    print(f"image: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(0 if set_up_image() else 1)
