"""Time until the loss is a ten-thousandth of the targets' variance."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch

from mlpflow import lsq

from ..report import table
from .networks import Case, term
from .published import DampedDense, InverseLevenberg

__all__ = ["race"]

CASES = (Case(151, 1_000), Case(1000, 1_000), Case(1000, 10_000), Case(5000, 1_000))
QUICK_CASES = (Case(151, 1_000), Case(1000, 1_000))
SHARE = 1e-4
SECONDS, QUICK_SECONDS = 10.0, 6.0
Data = tuple[torch.nn.Module, torch.Tensor, torch.Tensor]
# A contender returns the loss at its end.
Contender = Callable[[Data, float, float], float]


class _EndError(Exception):
    """There, or out of time."""


def _ours(data: Data, target: float, limit: float) -> float:
    net, x, y = data
    return lsq.fit(net, (x, y), minloss=target, max_time=limit, max_steps=10**9).loss


def _dense(data: Data, target: float, limit: float) -> float:
    peer = DampedDense(data[0], [term(*data)])
    end = time.perf_counter() + limit
    while peer.now > target and time.perf_counter() < end:
        peer.attempt()
    return peer.now


def _inverse(data: Data, target: float, limit: float) -> float:
    peer = InverseLevenberg(*data)
    end = time.perf_counter() + limit
    while peer.now > target and time.perf_counter() < end:
        peer.step()
    return peer.now


def _gradient(
    make: Callable[..., torch.optim.Optimizer], data: Data, target: float, limit: float
) -> float:
    net, x, y = data
    optimizer = make(net.parameters())
    end = time.perf_counter() + limit
    last = [float("inf")]

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (net(x) - y).square().sum() / len(x)
        last[0] = loss.item()
        if last[0] <= target or time.perf_counter() > end:
            raise _EndError
        loss.backward()
        return loss

    try:
        for _ in range(10**9):
            optimizer.step(closure)
    except _EndError:
        pass
    return last[0]


_LBFGS = partial(
    torch.optim.LBFGS, history_size=20, max_iter=10**6, max_eval=10**9,
    tolerance_grad=0.0, tolerance_change=0.0, line_search_fn="strong_wolfe",
)  # fmt: skip
CONTENDERS: dict[str, Contender] = {
    "mlpflow": _ours,
    "dense": _dense,
    "per tensor": _inverse,
    "LBFGS": partial(_gradient, _LBFGS),
    "Adam 1e-2": partial(_gradient, partial(torch.optim.Adam, lr=1e-2)),
    "Adam 1e-3": partial(_gradient, partial(torch.optim.Adam, lr=1e-3)),
}


def race(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report."""
    seconds = QUICK_SECONDS if quick else SECONDS
    rows = []
    for contender in CONTENDERS.values():  # what is loaded at first use is not timed
        contender(Case(151, 1_000).make(), 0.0, 0.2)
    for case in QUICK_CASES if quick else CASES:
        cells = []
        for name, contender in CONTENDERS.items():
            if name == "per tensor" and case.samples > 1_000:
                cells.append("-")
                continue
            data = case.make()
            target = SHARE * float(data[2].var())
            start = time.perf_counter()
            loss = contender(data, target, seconds)
            took = time.perf_counter() - start
            there = loss <= target
            cells.append(f"{took:.2f} s" if there else f"not ({loss / target:.1f}x the loss)")
        rows.append([f"{case.nparams:,}", f"{case.samples:,}", *cells])
        say(f"race: {rows[-1]}")
    return "\n\n".join(
        [
            f"Seconds until the loss is {SHARE:g} of the variance of the targets sin(w x), from "
            f"the same parameters; at most {seconds:g} s. LBFGS with 20 pairs and a strong Wolfe "
            "search, Adam on all samples at once.",
            table(["P", "N", *CONTENDERS], rows),
        ]
    )
