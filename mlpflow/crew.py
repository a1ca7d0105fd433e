"""Runs side by side, on workers of our own or on the user's executor.

A run that fails, or takes its worker down with it, loses nothing but itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pickle
import queue
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from typing import Any, Protocol

from ._check import as_whole, shown
from .engine.interrupts import InterruptGuard
from .engine.pool import cancel_borrowed, close_idle, kill_borrowed
from .engine.selection import current_engine
from .net import LossNetwork
from .runs import FailedRun, Job, Outcome, failure, net_digest, perform, perform_packed
from .status import Status

__all__ = ["check_executor", "default_workers", "run_jobs"]

Take = Callable[[int, Outcome], None]

# Seconds between two requests to stop, while runs that were just starting may have missed one.
_PATIENCE = 0.2
_INTERRUPT = -1
_NOT_STARTED = "Ctrl-C came before this run was started; ask for it again."
_LEFT_BEHIND = "Ctrl-C was pressed twice while this run was under way; nothing of it is kept."


def default_workers() -> int:
    """As many as this process has processors."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_executor(workers: Any, executor: Any) -> int:
    """The number of workers of our own; the arguments must make sense together."""
    if executor is None:
        return default_workers() if workers is None else as_whole(workers, "workers", low=1)
    if workers is not None:
        raise TypeError("expected workers or an executor, got both: an executor has its own")
    if not isinstance(executor, Executor) and not hasattr(executor, "get_executor"):
        raise TypeError(
            "executor: expected a concurrent.futures.Executor or a dask.distributed.Client, got "
            f"{shown(executor)}"
        )
    return default_workers()


def run_jobs(jobs: Sequence[Job], take: Take, *, workers: int, executor: Any = None) -> None:
    """Do all jobs; ``take(number, outcome)`` is called in this thread as each one ends.

    Parameters
    ----------
    jobs : sequence of Job
    take : callable
        Called once for every job. What it raises ends everything.
    workers : int
        Threads, each with a worker of its own, unless there is an executor.
    executor : Executor or dask.distributed.Client, optional
    """
    if not jobs:
        return
    crew = _Crew(jobs, take)
    try:
        with InterruptGuard(crew.interrupt, crew.interrupt):
            if executor is None:
                crew.work_here(workers)
            else:
                crew.work_on(_place(executor, jobs))
                if crew.waiting:  # the executor broke
                    crew.work_here(workers)
    finally:
        close_idle()


class _Place(Protocol):
    """Where jobs are done."""

    remote: bool

    def submit(self, job: Job) -> Future[Outcome]: ...


class _Here:
    """Threads of this process, each with an engine of its own."""

    remote = False

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    def submit(self, job: Job) -> Future[Outcome]:
        return self._threads.submit(perform, job)


class _Elsewhere:
    """Other processes: networks are packed once, and unpacked once in each process."""

    remote = True

    def __init__(self, executor: Executor, scatter: Callable[[bytes], Any] | None) -> None:
        self._executor = executor
        self._scatter = scatter
        self._packed: dict[int, tuple[Any, str]] = {}

    def submit(self, job: Job) -> Future[Outcome]:
        payload, digest = self._pack(job.net)
        nothing: Any = None
        known = job.result and dataclasses.replace(job.result, net=nothing)
        bare = dataclasses.replace(job, net=nothing, result=known)
        return self._executor.submit(perform_packed, payload, digest, bare)

    def _pack(self, net: LossNetwork) -> tuple[Any, str]:
        if net._key not in self._packed:
            payload: Any = pickle.dumps(net)
            if self._scatter is not None:
                payload = self._scatter(payload)
            self._packed[net._key] = payload, net_digest(net)
        return self._packed[net._key]


def _place(executor: Any, jobs: Sequence[Job]) -> _Place:
    if isinstance(executor, ThreadPoolExecutor):
        return _Here(executor)
    for keywords in {id(job.keywords): job.keywords for job in jobs}.values():
        try:
            pickle.dumps(keywords)
        except Exception as error:
            raise TypeError(
                "executor: expected keywords that can be sent to another process, got some that "
                f"cannot (is the callback a function of a module?): {error}"
            ) from None
    if isinstance(executor, Executor):
        return _Elsewhere(executor, None)
    # A dask client: the data go to the cluster once, not with every run.
    return _Elsewhere(executor.get_executor(), lambda data: executor.scatter(data, hash=False))


class _Crew:
    """The jobs that are not done yet, and the loop that waits for them."""

    def __init__(self, jobs: Sequence[Job], take: Take) -> None:
        self._jobs = jobs
        self._take = take
        self._events: queue.SimpleQueue[tuple[int, Future[Outcome] | None]] = queue.SimpleQueue()
        self._futures: dict[int, Future[Outcome]] = {}
        self._interrupts = 0
        self.waiting = set(range(len(jobs)))

    def interrupt(self) -> None:
        """Ctrl-C, in a signal handler: no more than a note."""
        self._events.put((_INTERRUPT, None))

    def work_here(self, workers: int) -> None:
        """Do what is waiting on threads of our own."""
        current_engine().call("ping", {})  # without a Julia there is nothing to try 200 times
        threads = ThreadPoolExecutor(min(workers, len(self.waiting)), "mlpflow-run")
        try:
            self.work_on(_Here(threads))
        except BaseException:
            kill_borrowed()
            raise
        finally:
            threads.shutdown(cancel_futures=True)

    def work_on(self, place: _Place) -> None:
        """Do what is waiting; some is left when the place breaks."""
        self._submit(place)
        try:
            while self.waiting and self._futures:
                self._next(place)
        except BaseException:
            self._cancel_all(place)
            raise

    def _submit(self, place: _Place) -> None:
        self._futures = {}
        for number in sorted(self.waiting):
            try:
                future = place.submit(self._jobs[number])
            except (BrokenExecutor, RuntimeError) as error:
                self._broken(error)
                return
            self._futures[number] = future
            future.add_done_callback(functools.partial(self._ended, number))

    def _ended(self, number: int, future: Future[Outcome]) -> None:
        """In whatever thread notices it."""
        self._events.put((number, future))

    def _next(self, place: _Place) -> None:
        try:
            number, future = self._events.get(timeout=_PATIENCE if self._interrupts else None)
        except queue.Empty:
            self._cancel_all(place)
            return
        if number == _INTERRUPT:
            self._stop(place)
        elif future is not None and self._futures.get(number) is future:
            del self._futures[number]
            self._end(number, future)

    def _end(self, number: int, future: Future[Outcome]) -> None:
        job = self._jobs[number]
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            outcome = _with_net(future.result(), job.net)
            if self._interrupts > 1 and isinstance(outcome.result, FailedRun):
                outcome = _interrupted(job, _LEFT_BEHIND)  # we have killed its worker ourselves
        elif isinstance(error, (CancelledError, KeyboardInterrupt)):
            outcome = _interrupted(job, _NOT_STARTED)
        elif isinstance(error, BrokenExecutor):
            self._broken(error)
            return
        else:
            outcome = Outcome(failure(error, job.start))
        self._done(number, outcome)

    def _done(self, number: int, outcome: Outcome) -> None:
        self.waiting.discard(number)
        self._take(number, outcome)

    def _broken(self, error: BaseException) -> None:
        """A process of the executor died, and with it all that was submitted to it."""
        left = [n for n in self._futures if self._futures[n].done()]
        for number in left:
            future = self._futures.pop(number)
            if not future.cancelled() and future.exception() is None:
                self._end(number, future)
        self._futures = {}
        if self._interrupts:
            for number in sorted(self.waiting):
                self._done(number, _interrupted(self._jobs[number], _NOT_STARTED))
            return
        warnings.warn(
            f"the executor broke ({type(error).__name__}: {error}): the {len(self.waiting)} runs "
            "that were not finished go on with workers of mlpflow's own",
            RuntimeWarning,
            stacklevel=2,
        )

    def _stop(self, place: _Place) -> None:
        self._interrupts += 1
        self._cancel_all(place)
        if self._interrupts > 1:
            if not place.remote:
                kill_borrowed()
                return
            self._futures = {}
            for number in sorted(self.waiting):
                self._done(number, _interrupted(self._jobs[number], _LEFT_BEHIND))

    def _cancel_all(self, place: _Place) -> None:
        """What has not started never will, what runs here ends at its next step."""
        for future in list(self._futures.values()):
            with contextlib.suppress(Exception):
                future.cancel()
        if not place.remote:
            cancel_borrowed()


def _with_net(outcome: Outcome, net: LossNetwork) -> Outcome:
    result = outcome.result
    if isinstance(result, FailedRun) or result.net is net:
        return outcome
    return dataclasses.replace(outcome, result=dataclasses.replace(result, net=net))


def _interrupted(job: Job, message: str) -> Outcome:
    return Outcome(FailedRun(Status("interrupted"), message, job.start))
