"""The keywords of `train` about checkpoints: checked, and brought into the engine's form."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ._check import shown
from .rules import rule_from_engine
from .solvers import solver_from_engine

if TYPE_CHECKING:
    from .options import TrainOptions

__all__ = ["checked_path", "checkpoint_arguments", "effective_options"]


def checked_path(value: Any, name: str) -> str | None:
    """A path as absolute text: the engine may work in another folder."""
    if value is None:
        return None
    try:
        path = os.fsdecode(os.fspath(value))
    except TypeError:
        raise TypeError(f"{name}: expected the path of a file, got {shown(value)}") from None
    if not path:
        raise ValueError(f"{name}: expected the path of a file, got an empty text")
    return os.path.abspath(path)


def checkpoint_arguments(options: TrainOptions, given: Collection[str]) -> dict[str, Any]:
    """What the engine is told about checkpoints.

    Parameters
    ----------
    options : TrainOptions
    given : collection of str
        The keywords that the user has written.

    Raises
    ------
    ValueError, OSError
        When there is nothing to resume, or no file can be made where the checkpoint is to lie.
    """
    resume = _file_to_resume(options)
    checkpoint = options.checkpoint
    if resume is not None and "checkpoint" not in given:
        checkpoint = resume
    if checkpoint is not None:
        _check_place(checkpoint)
    interval_given = resume is None or "checkpoint_interval" in given
    return {
        "checkpoint": checkpoint,
        "checkpoint_interval": options.checkpoint_interval if interval_given else None,
        "resume": resume,
        "given": sorted(given),
    }


def effective_options(
    options: TrainOptions, arguments: dict[str, Any], reply: dict[str, Any]
) -> dict[str, Any]:
    """The keywords of a run, those that a resumed one had from its checkpoint included."""
    resumed = dict(reply.get("options", {}))
    if resumed.get("merge") is not None:
        layer, pair, strength = resumed["merge"]
        resumed["merge"] = (layer, tuple(pair), strength)
    if isinstance(resumed.get("alg"), dict):
        resumed["alg"] = rule_from_engine(resumed["alg"])
    if "optim_solver" in resumed:
        resumed["optim_solver"] = solver_from_engine(resumed["optim_solver"])
    return options.to_dict() | resumed | {"checkpoint": arguments["checkpoint"]}


def _file_to_resume(options: TrainOptions) -> str | None:
    resume = options.resume
    if resume is True:
        if options.checkpoint is None:
            raise ValueError(
                'train: expected resume=True together with checkpoint="a file", got no checkpoint'
            )
        return options.checkpoint if os.path.exists(options.checkpoint) else None
    if not resume:
        return None
    if not os.path.isfile(resume):
        raise FileNotFoundError(f"resume: expected a checkpoint, got no file: {resume}")
    return str(resume)


def _check_place(path: str) -> None:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"checkpoint: expected a folder that exists, got {folder}")
    if os.path.isdir(path):
        raise IsADirectoryError(f"checkpoint: expected the name of a file, got the folder {path}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"checkpoint: expected a folder in which files can be made, got {folder}"
        )
