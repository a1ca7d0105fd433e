"""Many training runs at once, from many starting points."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ._check import as_whole, shown
from .batches import checked_batchsize
from .crew import check_executor, run_jobs
from .initialization import draw
from .net import LossNetwork, Net
from .objective import checked_merge
from .options import TrainOptions, checked_tauinv
from .params import Params, flat_parameters
from .progress import CountBar, wants_bar
from .result import TrainResult
from .runfolder import RunFolder, plain_options
from .runs import FailedRun, Job, Outcome

__all__ = ["train_many"]

Run = TrainResult | FailedRun


def train_many(
    net: LossNetwork,
    starts: Any = None,
    *,
    n: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    executor: Any = None,
    folder: str | Path | None = None,
    progress: bool | Callable[[int, Run], object] | None = None,
    **keywords: Any,
) -> list[Run]:
    """Train from many starting points side by side.

    Parameters
    ----------
    net : Net or InfiniteNet
    starts : sequence of Params or arrays of shape (P,), or an array of shape (n, P)
        Where the runs start.
    n, seed : int
        Instead of ``starts``: run i starts at ``random_params(net, rng=np.random.default_rng(
        [seed, i]))``, whatever ``n`` is.
    workers : int, optional
        How many runs are under way at a time, each in a worker process of its own; by default one a
        processor. A worker has one thread unless ``JULIA_NUM_THREADS`` says otherwise.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Does the runs instead. Each of its processes starts a worker of its own.
    folder : path, optional
        Every result is kept there as it comes (``run-00000.npz``, ...; `load` reads them). A later
        call with the same network, keywords and starting points takes from there what is finished.
    progress : bool or callable, optional
        True or False: a bar over all runs or none. None: a bar in a terminal or notebook. A
        function takes the number and the result of each run as it ends.
    **keywords
        As for `train`. A ``callback`` is called in the thread or process of its run.

    Returns
    -------
    list of TrainResult or FailedRun
        In the order of the starting points, the same bits as one by one. A run that fails is a
        `FailedRun` with the status ``failed`` and the error in its message, whatever it took down
        with it; the others go on. Ctrl-C ends the runs under way with their best points so far,
        and gives those not begun as a `FailedRun` with the status ``interrupted``; pressed again it
        kills what is under way.

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came, before any run starts; also when the folder holds
        another experiment.
    EngineError
        When no engine can be started at all.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> net = mf.Net([(2, "tanh", True), (1, "identity", True)], x, np.sin(2 * x))
    >>> runs = mf.train_many(net, n=3, seed=0, workers=1, maxT=10, maxiterations_optim=100)
    >>> len(runs), min(run.loss for run in runs) < 0.01
    (3, True)
    """
    if not isinstance(net, LossNetwork):
        raise TypeError(f"train_many: expected a mlpflow.Net, got a {type(net).__name__}")
    options = checked_options(net, keywords, "train_many")
    points = _starting_points(net, starts, n, seed)
    workers = check_executor(workers, executor)
    places: list[Place | None] = [None] * len(points)
    if folder is not None:
        runs = RunFolder(folder, net, plain_options(options.to_dict()))
        places = [Place(runs, number) for number in range(len(points))]
    quiet = {**keywords, "progress": False}
    jobs = [Job(net, start, quiet) for start in points]
    with shown_progress(progress, options.verbosity, len(jobs)) as show:
        outcomes = complete(jobs, places, workers, executor, show)
    return [outcome.result for outcome in outcomes]


def checked_options(net: LossNetwork, keywords: dict[str, Any], where: str) -> TrainOptions:
    """The keywords of `train`, checked as far as they can be before a run."""
    if "progress" in keywords:
        raise TypeError(f"{where}: progress is shown over all runs, not in each of them")
    for name in ("checkpoint", "resume"):
        if name in keywords:
            raise TypeError(
                f"{where}: {name} is for a single run; folder keeps the results of many"
            )
    options = TrainOptions.from_keywords(keywords)
    if options.batchsize is not None:
        if not isinstance(net, Net):
            raise ValueError(
                f"{where}: expected batchsize = None for a {type(net).__name__}, which has no "
                f"samples to choose from, got {options.batchsize}"
            )
        checked_batchsize(options.batchsize, len(net.inputs))
    checked_tauinv(options.tauinv, net.shapes)
    checked_merge(options.merge, net)
    return options


def _starting_points(net: LossNetwork, starts: Any, n: Any, seed: Any) -> list[Params]:
    if (starts is None) == (n is None):
        raise TypeError(
            "train_many: expected starting points, or their number n and a seed, got "
            f"{'neither' if n is None else 'both'}"
        )
    if starts is not None:
        if seed is not None:
            raise TypeError("train_many: expected a seed only together with n, got starting points")
        if isinstance(starts, Params) or not (isinstance(starts, Sequence) or np.ndim(starts) == 2):
            raise TypeError(
                "train_many: expected a list of starting points or an array of shape (n, "
                f"{net.nparams}), got {shown(starts)}"
            )
        return [net._params(flat_parameters(start, net.shapes).copy()) for start in starts]
    count = as_whole(n, "n")
    if seed is None:
        raise TypeError("train_many: expected a seed together with n, such as seed=0, got none")
    base = as_whole(seed, "seed")
    return [
        draw(net.layers, net.shapes, np.random.default_rng([base, i]), "glorot_normal")
        for i in range(count)
    ]


@dataclass(frozen=True)
class Place:
    """Where a result is kept: a number in a folder."""

    folder: RunFolder
    number: int

    @property
    def file(self) -> Path:
        """The file of the result."""
        return self.folder.file(self.number)

    def find(self, job: Job) -> Outcome | None:
        """What is there of a job."""
        result = self.folder.result(self.number, job.start)
        if result is None:
            return None
        return Outcome(result, self.folder.classification(self.number) if job.classify else None)

    def keep(self, outcome: Outcome) -> None:
        """Keep what need not be done again."""
        result = outcome.result
        if isinstance(result, TrainResult) and result.status != "interrupted":
            self.folder.keep(self.number, result, outcome.classification)


def complete(
    jobs: Sequence[Job],
    places: Sequence[Place | None],
    workers: int,
    executor: Any,
    show: Callable[[int, Outcome], None],
) -> list[Outcome]:
    """Do the jobs that are not done yet; all outcomes, in order.

    Parameters
    ----------
    jobs : sequence of Job
    places : sequence of Place or None
        Where each result is kept.
    workers, executor
        As for `run_jobs`.
    show : callable
        Takes position and outcome of each run, those that are there already first.
    """
    outcomes: dict[int, Outcome] = {}
    left: list[tuple[int, Job]] = []
    for position, (job, place) in enumerate(zip(jobs, places, strict=True)):
        found = None if place is None else place.find(job)
        if found is None:
            left.append((position, job))
        elif job.classify and found.classification is None:
            assert isinstance(found.result, TrainResult)
            left.append((position, dataclasses.replace(job, result=found.result)))
        else:
            outcomes[position] = found
            show(position, found)

    def take(index: int, outcome: Outcome) -> None:
        position = left[index][0]
        place = places[position]
        if place is not None:
            place.keep(outcome)
        outcomes[position] = outcome
        show(position, outcome)

    run_jobs([job for _, job in left], take, workers=workers, executor=executor)
    return [outcomes[position] for position in range(len(jobs))]


@contextlib.contextmanager
def shown_progress(
    progress: Any, verbosity: int, total: int
) -> Iterator[Callable[[int, Outcome], None]]:
    """What shows how far a set of runs is: a bar, the user's function, or nothing."""
    if callable(progress):
        yield lambda number, outcome: progress(number, outcome.result)
        return
    if progress is not None and not isinstance(progress, bool):
        raise TypeError(
            f"progress: expected True, False, None or a function, got {shown(progress)}"
        )
    if not wants_bar(progress, verbosity):
        yield lambda number, outcome: None
        return
    with CountBar(total) as bar:
        yield lambda number, outcome: bar.count(str(outcome.result.status))
