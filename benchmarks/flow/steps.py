"""Steps a second of discrete dynamics, beside PyTorch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

import mlpflow as mf

from .problems import FlowProblem

__all__ = ["RULES", "Steps", "measure_steps"]

RULES: dict[str, tuple[Any, Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]]] = {
    "gradient descent": (
        mf.GradientDescent(learning_rate=1e-2),
        lambda p: torch.optim.SGD(p, lr=1e-2),
    ),
    "Nesterov": (
        mf.Nesterov(learning_rate=1e-2, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True),
    ),
    "Adam": (mf.Adam(learning_rate=1e-3), lambda p: torch.optim.Adam(p, lr=1e-3)),
    "RMSprop": (mf.RMSprop(learning_rate=1e-3), lambda p: torch.optim.RMSprop(p, lr=1e-3)),
}
SAMPLES = 1000
BATCHES = (None, 100, 32)
OUR_STEPS, THEIR_STEPS, COMPARED_STEPS = 20_000, 1_000, 200


@dataclass(frozen=True)
class Steps:
    """Steps a second of one rule.

    Attributes
    ----------
    batch : int or None
        None: all samples.
    differs : float
        Largest relative difference of the two end points, after `COMPARED_STEPS` steps with the
        same batches.
    """

    rule: str
    batch: int | None
    ours: float
    torch: float
    differs: float


def measure_steps(rounds: int = 5) -> list[Steps]:
    """33 parameters: the same steps by both, in turns."""
    torch.set_num_threads(1)
    layers = [(8, "softplus", True), (1, "identity", True)]
    teacher = [(4, "softplus", True), (1, "identity", True)]
    net, p = FlowProblem("", teacher, layers, 2, SAMPLES, 0.0, (), ()).make()
    return [_compare(name, net, p, batch, rounds) for name in RULES for batch in BATCHES]


def _compare(name: str, net: mf.Net, p: np.ndarray, batch: int | None, rounds: int) -> Steps:
    rule, make = RULES[name]
    end = np.asarray(_ours(net, p, rule, batch, COMPARED_STEPS).params)
    reference = _theirs(net, p, make, COMPARED_STEPS, partial(_same_batches, net, batch))[1]
    differs = float(np.max(np.abs(end - reference)) / np.max(np.abs(reference)))
    mine, others = [], []
    for _ in range(rounds):
        mine.append(OUR_STEPS / _ours(net, p, rule, batch, OUR_STEPS).time)
        seconds, _ = _theirs(net, p, make, THEIR_STEPS, partial(_shuffled, batch))
        others.append(THEIR_STEPS / seconds)
    return Steps(name, batch, statistics.median(mine), statistics.median(others), differs)


def _ours(
    net: mf.Net, p: np.ndarray, rule: Any, batch: int | None, steps: int
) -> mf.result.FlowResult:
    flow = mf.train(
        net, p, alg=rule, batchsize=batch, maxiterations_ode=steps, maxiterations_optim=0,
        min_gnorm=0.0, minloss=-1.0, n_samples_trajectory=2, progress=False,
    ).flow  # fmt: skip
    assert flow is not None
    return flow


def _same_batches(net: mf.Net, batch: int | None, epoch: int) -> Iterable[Any]:
    return (None,) if batch is None else mf.minibatches(net, batch, epoch=epoch)


def _shuffled(batch: int | None, epoch: int) -> Iterable[Any]:
    """What a user of PyTorch does without a loader."""
    return (None,) if batch is None else torch.randperm(SAMPLES).split(batch)


def _theirs(
    net: mf.Net,
    p: np.ndarray,
    make: Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer],
    steps: int,
    batches: Callable[[int], Iterable[Any]],
) -> tuple[float, np.ndarray]:
    """Seconds and the end point of the usual loop."""
    module = mf.Params.from_flat(net.layers, net.inputs.shape[1], p).to_torch()
    x, y = torch.as_tensor(net.inputs), torch.as_tensor(net.targets)
    optimizer = make(list(module.parameters()))
    loss = torch.nn.MSELoss()
    done = epoch = 0
    start = time.perf_counter()
    while done < steps:
        for batch in batches(epoch):
            optimizer.zero_grad()
            inputs, targets = (x, y) if batch is None else (x[batch], y[batch])
            loss(module(inputs), targets).backward()
            optimizer.step()
            done += 1
            if done == steps:
                break
        epoch += 1
    seconds = time.perf_counter() - start
    flat = torch.nn.utils.parameters_to_vector(module.parameters())
    return seconds, flat.detach().numpy().copy()
