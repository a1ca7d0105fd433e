"""Training: the gradient flow, then an optimizer, to a minimum."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np

from .batches import checked_batchsize
from .checkpoint import checkpoint_arguments, effective_options
from .engine.selection import current_engine
from .net import LossNetwork, Net
from .objective import checked_merge
from .options import TrainOptions
from .params import flat_parameters
from .progress import Bar, Progress, wants_bar
from .quadrature import QuadratureNet, integration_error
from .result import TrainResult, result_from_engine

__all__ = ["train"]

# Seconds between two progress reports.
_REPORT_EVERY = 0.1


def train(net: LossNetwork, p: Any = None, **keywords: Any) -> TrainResult:
    """Follow the gradient flow of the loss, or a discrete dynamics, then optimize to a minimum.

    Parameters
    ----------
    net : Net or InfiniteNet
    p : Params or array of shape (P,)
        Where to start. A run that is resumed does without, or must have started there.
    **keywords
        alg, maxT, abstol, reltol, maxtime_ode, maxiterations_ode, maxevaluations_ode,
        n_samples_trajectory, batchsize, batchseed, replacement, tauinv, maxnorm, merge,
        optim_solver, maxtime_optim, maxiterations_optim, min_gnorm, minloss, patience, checkpoint,
        checkpoint_interval, resume, verbosity, progress, callback: see `TrainOptions`. Budgets in
        iterations make a run reproducible, budgets in seconds are for people.

    Returns
    -------
    TrainResult
        Also when no tolerance was met: ``.status`` says why the run ended. Ctrl-C ends the run with
        the best point so far; pressed again it kills the engine.

    Raises
    ------
    TypeError, ValueError
        With what was expected and what came, before any work starts.
    OSError
        When there is no file to resume from, or none can be made for the checkpoint.
    EngineError
        When the engine failed.

    Warns
    -----
    RuntimeWarning
        When a checkpoint could not be written, or came from another machine or version. The
        sentences are also in ``.warnings`` of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> net = mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(2 * x))
    >>> p = mf.random_params(net, rng=0)
    >>> result = mf.train(net, p, maxiterations_ode=50, maxiterations_optim=100)
    >>> result.loss < mf.loss(net, p)
    True
    """
    if not isinstance(net, LossNetwork):
        raise TypeError(f"train: expected a mlpflow.Net, got a {type(net).__name__}")
    options = TrainOptions.from_keywords(keywords)
    if options.batchsize is not None and not isinstance(net, Net):
        raise ValueError(
            f"batchsize: expected None for a {type(net).__name__}, which has no samples, got "
            f"{options.batchsize}"
        )
    if isinstance(net, Net) and options.batchsize is not None:
        checked_batchsize(options.batchsize, len(net.inputs))
    checkpoint = checkpoint_arguments(options, keywords)
    if p is None and checkpoint["resume"] is None:
        raise TypeError("train: expected a start p; only a run that is resumed does without")
    arguments = {
        "net": net._key,
        "p": None if p is None else flat_parameters(p, net.shapes),
        "options": options.for_engine(net.shapes),
        "maxnorm": options.maxnorm,
        "merge": checked_merge(options.merge, net),
        "every": _REPORT_EVERY,
        "callback": options.callback is not None,
        **checkpoint,
    }
    bar = _bar(options, keywords if checkpoint["resume"] else _BUDGETS)
    try:
        reply = current_engine().call(
            "train",
            arguments,
            remotes=(net,),
            on_event=_watcher(options, bar),
            on_question=_asker(options, bar, net),
            cancellable=True,
        )
    finally:
        if bar is not None:
            bar.close()
    if "refused" in reply:
        raise ValueError(reply["refused"])
    for sentence in reply["warnings"]:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
    result = result_from_engine(reply, net, effective_options(options, checkpoint, reply))
    if isinstance(net, QuadratureNet) and net.teacher is not None:
        result = replace(result, integration_error=integration_error(net, result.params))
    return result


_BUDGETS = {"maxtime_ode": "flow", "maxtime_optim": "optim"}


def _bar(options: TrainOptions, known: Collection[str]) -> Bar | None:
    """A bar, and the budgets as far as they are known before the engine has read a checkpoint."""
    if not wants_bar(options.progress, options.verbosity):
        return None
    return Bar({phase: getattr(options, k) for k, phase in _BUDGETS.items() if k in known})


def _show(record: Progress, options: TrainOptions, bar: Bar | None) -> None:
    if bar is not None:
        bar.show(record)
    elif callable(options.progress):
        options.progress(record)


def _watcher(options: TrainOptions, bar: Bar | None) -> Callable[[dict[str, Any]], None]:
    def watch(event: dict[str, Any]) -> None:
        _show(Progress(**event), options, bar)

    return watch


def _asker(
    options: TrainOptions, bar: Bar | None, net: LossNetwork
) -> Callable[[dict[str, Any]], bool] | None:
    callback = options.callback
    if callback is None:
        return None
    shown = -np.inf

    def ask(question: dict[str, Any]) -> bool:
        nonlocal shown
        params = net._params(question.pop("params"))
        record = Progress(**question, params=params)
        if record.elapsed >= shown + _REPORT_EVERY:
            shown = record.elapsed
            _show(record, options, bar)
        return callback(record) is True

    return ask
