"""The system image: Julia with the engine compiled into it, for Julias that keep no native code.

An image belongs to one Julia, one processor and one content of the engine's files, which are all
in its name: after a change of any of them it is not found, and Julia starts without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from .discovery import Julia
from .environment import processor_identity

__all__ = [
    "IMAGE_SCRIPT",
    "KEEPS_NATIVE_CODE",
    "SUFFIX",
    "ImagePlace",
    "cache_folder",
    "find_image",
    "image_place",
    "image_state",
    "images_are_off",
    "needs_image",
    "read_label",
    "remove_image",
]

# From here on Julia keeps the native code of packages itself.
KEEPS_NATIVE_CODE = (1, 9)

# What an image is made by, in the engine's root.
IMAGE_SCRIPT = "scripts/system_image.jl"

SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"

_rejected: set[Path] = set()


def cache_folder() -> Path:
    """Where mlpflow keeps what it can make again.

    ``MLPFLOW_CACHE``, or ``mlpflow`` in ``XDG_CACHE_HOME`` or in ``~/.cache``.
    """
    named = os.environ.get("MLPFLOW_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the specification says to ignore it then
        base = os.path.expanduser("~/.cache")
    return Path(base) / "mlpflow"


def needs_image(julia: Julia) -> bool:
    """Is a start without an image slow?"""
    return julia.version < KEEPS_NATIVE_CODE


def images_are_off() -> bool:
    """Does the user want none? ``MLPFLOW_IMAGE=no``."""
    return os.environ.get("MLPFLOW_IMAGE", "").lower() in ("no", "off", "false", "0")


@dataclass(frozen=True)
class ImagePlace:
    """Where the image for one Julia, processor and engine lies, whether it is there or not.

    Attributes
    ----------
    path : Path
        The image.
    family : str
        How the names of all images for this Julia and processor begin.
    """

    path: Path
    family: str

    @property
    def label(self) -> Path:
        """The file that says how large the image is and what it was made from; written last."""
        return self.path.with_suffix(".json")

    def is_ready(self) -> bool:
        """Is the image there, whole?"""
        size = read_label(self.label).get("size")
        try:
            return self.path not in _rejected and self.path.stat().st_size == size
        except OSError:
            return False

    def siblings(self) -> list[Path]:
        """Images for the same Julia and processor, of other contents of the engine's files."""
        found = self.path.parent.glob(f"{self.family}*{SUFFIX}")
        return sorted(path for path in found if path != self.path)

    def reject(self, *, remove: bool) -> None:
        """Not to be used again: by this process, or, removed, by anyone."""
        _rejected.add(self.path)
        if remove:
            remove_image(self.path)


def read_label(label: Path) -> dict[str, object]:
    """What a label says, nothing when it cannot be read."""
    try:
        content = json.loads(label.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def remove_image(path: Path) -> None:
    """Remove an image and its label; one that a process uses stays alive for it."""
    for file in (path.with_suffix(".json"), path):
        with contextlib.suppress(OSError):
            file.unlink()


def image_place(julia: Julia, root: Path) -> ImagePlace:
    """Where the image for this Julia, this processor and the engine's files in ``root`` lies."""
    machine = _digest(_julia_identity(julia), processor_identity())[:8]
    family = f"julia-{'.'.join(map(str, julia.version))}-{machine}-"
    name = f"{family}{engine_fingerprint(root)[:16]}{SUFFIX}"
    return ImagePlace(cache_folder() / "images" / name, family)


def find_image(julia: Julia, root: Path) -> ImagePlace | None:
    """The image to start with, None when there is none that matches."""
    if not needs_image(julia) or images_are_off():
        return None
    try:
        place = image_place(julia, root)
    except OSError:  # a file of the engine came or went at this moment
        return None
    return place if place.is_ready() else None


def image_state(julia: Julia, root: Path) -> str:
    """``"not needed"``, ``"off"``, ``"ready"``, ``"stale"`` or ``"missing"``."""
    if not needs_image(julia):
        return "not needed"
    if images_are_off():
        return "off"
    place = image_place(julia, root)
    if place.is_ready():
        return "ready"
    return "stale" if place.siblings() else "missing"


def engine_fingerprint(root: Path) -> str:
    """A number for the contents of the files that an image is made from."""
    files = [root / "Project.toml", root / IMAGE_SCRIPT, *root.glob("src/**/*.jl")]
    files += [path for path in root.glob("julia/**/*") if path.is_file()]
    parts = []
    for path in sorted(files):
        parts.append(path.relative_to(root).as_posix())
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return _digest(*parts)


def _julia_identity(julia: Julia) -> str:
    path = os.path.realpath(julia.path)
    try:
        status = os.stat(path)
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns} {platform.machine()}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
