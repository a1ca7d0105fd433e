"""Which samples are in which minibatch."""

from __future__ import annotations

import numpy as np

from ._check import as_truth, as_whole, shown
from .engine.selection import current_engine
from .net import Net

__all__ = ["minibatches"]


def minibatches(
    net: Net, batchsize: int, *, batchseed: int = 0, epoch: int = 0, replacement: bool = False
) -> list[np.ndarray]:
    """The samples in the batches of an epoch, as `train` uses them.

    Parameters
    ----------
    net : Net
    batchsize : int
    batchseed : int
    epoch : int
        Counted from 0.
    replacement : bool
        As for `train`.

    Returns
    -------
    list of ndarray of int
        Numbers of samples, one array a step; they depend on ``batchseed`` and ``epoch`` alone.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> net = mf.Net([(1, "identity", True)], np.ones((5, 1)), np.ones(5))
    >>> [len(batch) for batch in mf.minibatches(net, 2)]
    [2, 2, 1]
    """
    if not isinstance(net, Net):
        raise TypeError(f"minibatches: expected a mlpflow.Net, got a {type(net).__name__}")
    arguments = {
        "samples": len(net.inputs),
        "batchsize": checked_batchsize(batchsize, len(net.inputs)),
        "batchseed": as_whole(batchseed, "batchseed"),
        "epoch": as_whole(epoch, "epoch"),
        "replacement": as_truth(replacement, "replacement"),
    }
    found: list[np.ndarray] = current_engine().call("minibatches", arguments)
    return found


def checked_batchsize(value: int, samples: int) -> int:
    """A number of samples that the network has."""
    size = as_whole(value, "batchsize", low=1)
    if size > samples:
        raise ValueError(
            f"batchsize: expected at most the number of samples, {samples}, got {shown(value)}"
        )
    return size
