"""One run of many: what it needs, what it gives, and how it goes wrong."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import pickle
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from .classification import Classification, classify
from .engine.errors import EngineError
from .engine.pool import borrowed_engine
from .net import LossNetwork
from .params import Params
from .result import TrainResult
from .status import Status
from .training import train

__all__ = ["FailedRun", "Job", "Outcome", "net_digest", "perform", "perform_packed"]


@dataclass(frozen=True, eq=False)
class FailedRun:
    """What `train_many` gives for a run that has no result.

    Attributes
    ----------
    status : Status
        ``failed``, or ``interrupted`` for a run that Ctrl-C kept from starting.
    message : str
        Why, with the words of the error.
    init : Params
        Where it started, or was to start.
    error : str
        The type of the error; empty for an interrupted run.
    trace : str
        The engine's stack trace or its last lines, where there are any.
    """

    status: Status
    message: str
    init: Params
    error: str = ""
    trace: str = ""

    @property
    def converged(self) -> bool:
        """False."""
        return False

    @property
    def loss(self) -> float:
        """NaN: there is no result."""
        return float("nan")

    @property
    def gnorm(self) -> float:
        """NaN: there is no result."""
        return float("nan")

    def __repr__(self) -> str:
        return f"FailedRun({self.status}: {self.message})"


@dataclass(frozen=True, eq=False)
class Job:
    """A run to be done, in any process.

    Parameters
    ----------
    net : LossNetwork
    start : Params
    keywords : dict
        For `train`.
    classify : bool
        Is the kind of the point wanted too?
    result : TrainResult, optional
        There already; only its kind is wanted.
    """

    net: LossNetwork
    start: Params
    keywords: dict[str, Any]
    classify: bool = False
    result: TrainResult | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a job: a result, perhaps with its kind, or the story of a failure.

    ``trouble`` says why a kind that was wanted is missing.
    """

    result: TrainResult | FailedRun
    classification: Classification | None = None
    trouble: str = ""


def perform(job: Job) -> Outcome:
    """Do a job in this thread, with an engine of its own; errors become part of the outcome."""
    try:
        with borrowed_engine():
            result = job.result or train(job.net, job.start, **job.keywords)
            if not job.classify or result.status == "interrupted":
                return Outcome(result)
            try:
                return Outcome(result, classify(result))
            except Exception as error:  # no reason to lose the result
                return Outcome(result, trouble=failure(error, job.start).message)
    except Exception as error:
        return Outcome(failure(error, job.start))


def failure(error: BaseException, start: Params) -> FailedRun:
    """The record of a run that ended with an error."""
    kind = type(error).__name__
    text = " ".join(str(error).split())
    trace = error.trace if isinstance(error, EngineError) else ""
    return FailedRun(Status("failed"), f"{kind}: {text}" if text else kind, start, kind, trace)


# Networks that this process has unpacked: a run finds its network, and the engine's copy of it,
# where an earlier run has left them.
_unpacked: collections.OrderedDict[str, LossNetwork] = collections.OrderedDict()
_unpacked_lock = threading.Lock()
_KEPT = 4


def perform_packed(payload: bytes, digest: str, job: Job) -> Outcome:
    """Do a job of another process.

    Parameters
    ----------
    payload : bytes
        The pickled network; ``job.net`` is None.
    digest : str
        Its `net_digest`.
    job : Job

    Returns
    -------
    Outcome
        The result's ``net`` is None: it need not travel back.
    """
    net = _unpack(payload, digest)
    known = job.result and dataclasses.replace(job.result, net=net)
    outcome = perform(dataclasses.replace(job, net=net, result=known))
    if isinstance(outcome.result, FailedRun):
        return outcome
    without: Any = None
    return dataclasses.replace(outcome, result=dataclasses.replace(outcome.result, net=without))


def _unpack(payload: bytes, digest: str) -> LossNetwork:
    with _unpacked_lock:
        net = _unpacked.pop(digest, None)
        if net is None:
            net = pickle.loads(payload)
        _unpacked[digest] = net
        while len(_unpacked) > _KEPT:
            _unpacked.popitem(last=False)
    return net


def net_digest(net: LossNetwork) -> str:
    """A name for layers, data and loss: equal for equal networks, in every process."""
    digest = hashlib.sha256()
    _, description = net._creation()
    for name in sorted(description):
        value = description[name]
        if isinstance(value, np.ndarray):
            contiguous = np.ascontiguousarray(value)
            digest.update(f"{name} {contiguous.dtype.str} {contiguous.shape}".encode())
            digest.update(contiguous.data.cast("B"))
        else:
            digest.update(f"{name} {json.dumps(value, sort_keys=True)}".encode())
        digest.update(b"|")
    return digest.hexdigest()
