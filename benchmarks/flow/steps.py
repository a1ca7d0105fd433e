"""Steps a second of discrete dynamics, beside PyTorch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

import mlpflow as mf

from .problems import FlowProblem

__all__ = ["RULES", "Steps", "measure_steps"]

RULES: dict[str, tuple[Callable[[], object], Callable[[list], torch.optim.Optimizer]]] = {
    "gradient descent": (
        lambda: mf.GradientDescent(learning_rate=1e-2),
        lambda p: torch.optim.SGD(p, lr=1e-2),
    ),
    "Nesterov": (
        lambda: mf.Nesterov(learning_rate=1e-2, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True),
    ),
    "Adam": (
        lambda: mf.Adam(learning_rate=1e-3),
        lambda p: torch.optim.Adam(p, lr=1e-3),
    ),
    "RMSprop": (
        lambda: mf.RMSprop(learning_rate=1e-3),
        lambda p: torch.optim.RMSprop(p, lr=1e-3),
    ),
}


@dataclass(frozen=True)
class Steps:
    """Steps a second of one rule.

    Attributes
    ----------
    differs : float
        Largest relative difference of the two end points.
    """

    rule: str
    batch: str
    ours: float
    torch: float
    differs: float


def measure_steps(samples: int = 1000, rounds: int = 5) -> list[Steps]:
    """33 parameters, full batch: the same steps by both, in turns."""
    layers = [(8, "softplus", True), (1, "identity", True)]
    teacher = [(4, "softplus", True), (1, "identity", True)]
    net, p = FlowProblem("", teacher, layers, 2, samples, 0.0, (), ()).make()
    return [_compare(name, net, p, rounds) for name in RULES]


def _compare(name: str, net: mf.Net, p: np.ndarray, rounds: int) -> Steps:
    ours, theirs = RULES[name]
    our_steps, their_steps = 20_000, 1_000
    end, reference = (
        _our_end(net, p, ours(), their_steps),
        _torch_run(net, p, theirs, their_steps)[1],
    )
    differs = float(np.max(np.abs(end - reference)) / np.max(np.abs(reference)))
    mine, others = [], []
    for _ in range(rounds):
        flow = _our_flow(net, p, ours(), our_steps)
        mine.append(our_steps / flow.time)
        others.append(their_steps / _torch_run(net, p, theirs, their_steps)[0])
    return Steps(name, "full", statistics.median(mine), statistics.median(others), differs)


def _our_flow(net: mf.Net, p: np.ndarray, rule: object, steps: int) -> mf.FlowResult:
    return mf.train(
        net, p, alg=rule, maxiterations_ode=steps, maxiterations_optim=0, min_gnorm=0.0,
        minloss=-1.0, n_samples_trajectory=2, progress=False,
    ).flow  # fmt: skip


def _our_end(net: mf.Net, p: np.ndarray, rule: object, steps: int) -> np.ndarray:
    return np.asarray(_our_flow(net, p, rule, steps).params)


def _torch_run(
    net: mf.Net, p: np.ndarray, make: Callable[[list], torch.optim.Optimizer], steps: int
) -> tuple[float, np.ndarray]:
    torch.set_num_threads(1)
    module = mf.Params.from_flat(net.layers, net.inputs.shape[1], p).to_torch()
    x, y = torch.as_tensor(net.inputs), torch.as_tensor(net.targets)
    optimizer = make(list(module.parameters()))
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        ((module(x) - y) ** 2).sum(1).mean().backward()
        optimizer.step()
    seconds = time.perf_counter() - start
    return seconds, torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy().copy()
