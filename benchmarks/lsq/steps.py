"""Time of a step, and of the diagonal of J^T J, beside other systems' ways."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import geometric_mean, median

import torch

from mlpflow import lsq

from ..report import table
from .networks import NETWORKS, Case, term
from .published import DampedDense, InverseLevenberg, looped_diagonal

__all__ = ["diagonals", "steps"]

AGREEMENT = 1e-9
MEMORY = 6e9  # bytes of a peer's largest arrays
LIMIT, QUICK_LIMIT = 12.0, 1.5  # seconds of a peer's call, estimated from fewer samples
SAMPLES = (100, 1_000, 10_000, 100_000)


def _in_turns(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Medians of warm calls, one of each in turn."""
    first = {name: _seconds(call) for name, call in calls.items()}
    longest = max(first.values())
    rounds = 1 if longest > 4 else 3 if longest > 1 else 7 if longest > 0.1 else 15
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(_seconds(call))
    return {name: median(values) for name, values in times.items()}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _ours(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], object]:
    """The first step of a fit, after the very first, that one trial ends, again and again."""
    optimizer = lsq.LevenbergMarquardt(net)
    terms = [lsq.Residual(lambda x, y: net(x) - y, x, y)]
    optimizer.step(terms)
    for _ in range(10):
        at, state = optimizer.parameters.read(), optimizer.state_dict()
        if optimizer.step(terms).trials == 1:
            break

    def step() -> object:
        optimizer.parameters.write(at)
        optimizer.load_state_dict(state)
        return optimizer.step(terms)

    return step


def _dense(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], object]:
    peer = DampedDense(net, [term(net, x, y)])
    matrix, _ = peer.system()
    residual = lsq.Residual(lambda x, y: net(x) - y, x, y)
    ours = lsq.gauss_newton_matrix(net, residual) / len(x)
    error = float((ours - matrix).abs().max() / matrix.abs().max())
    if error > AGREEMENT:
        raise ArithmeticError(f"J^T J differs by {error:.1e} from the peer's")
    return peer.attempt


def _inverse(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], object]:
    peer = InverseLevenberg(net, x, y)
    start = peer.p, peer.now, peer.mu

    def step() -> None:
        peer.p, peer.now, peer.mu = start
        peer.step()

    return step


PEERS = {"dense": _dense, "per tensor": _inverse}


def _bytes(name: str, case: Case) -> float:
    """Of the largest arrays: the Jacobian twice and its pieces, or N cotangents of N samples."""
    if name == "dense":
        return 8.0 * 3 * case.samples * case.nparams
    return 8.0 * 3 * case.samples**2 * case.widest


def _samples(nparams: int, quick: bool) -> tuple[int, ...]:
    return SAMPLES[: 1 if nparams > 1_000 else 3] if quick else SAMPLES


def steps(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report."""
    rows, ratios, notes = [], {name: [] for name in PEERS}, []
    most = QUICK_LIMIT if quick else LIMIT
    for nparams in NETWORKS:
        known: dict[str, float] = {}
        for samples in _samples(nparams, quick):
            case = Case(nparams, samples)
            chosen = {}
            for name in PEERS:
                power = 1 if name == "dense" else 2
                estimate = known.get(name, 0.0) * 10**power
                if _bytes(name, case) > MEMORY:
                    gb = _bytes(name, case) / 1e9
                    notes.append(f"- {case.name}, {name}: not run, {gb:.0f} GB.")
                elif estimate > most and samples > 1000:
                    notes.append(f"- {case.name}, {name}: not run, at most {estimate:.0f} s.")
                else:
                    chosen[name] = PEERS[name]
            if not chosen:
                notes.append(f"- {case.name}, mlpflow: not run, no peer to compare with.")
                continue
            arrays = case.make()
            calls = {"mlpflow": _ours(*arrays)}
            calls |= {name: maker(*case.make()) for name, maker in chosen.items()}
            trials = calls["mlpflow"]().trials
            times = _in_turns(calls)
            known |= times
            for name in chosen:
                ratios[name].append(times[name] / times["mlpflow"])
            rows.append([f"{nparams:,}", f"{samples:,}", str(trials), *_cells(times)])
            say(f"step, {case.name}: {rows[-1]}")
    quotients = [f"{name} / mlpflow" for name in PEERS]
    header = ["P", "N", "trials of ours", "mlpflow", *PEERS, *quotients]
    summary = [
        f"- {name} / mlpflow: geometric mean {geometric_mean(found):.1f}x, median "
        f"{median(found):.1f}x, smallest {min(found):.1f}x, of {len(found)} cases"
        for name, found in ratios.items()
    ]
    return "\n\n".join(
        [
            "Milliseconds. A step of ours is a linearisation and a trial that is accepted (the "
            "first such step of a fit after its very first one); of 'dense' one attempt "
            "(`vmap(jacrev)`, `solve`, a trial), of 'per tensor' "
            "a Jacobian by parameter tensors over the whole batch, an explicit inverse, and trials "
            "until the loss does not grow. Ours and the dense J^T J agree to 1e-9.",
            table(header, rows), "\n".join(summary), "\n".join(notes),
        ]
    ).strip()  # fmt: skip


def _cells(times: dict[str, float]) -> list[str]:
    def cell(name: str) -> str:
        return f"{1e3 * times[name]:.3g}" if name in times else "-"

    def ratio(name: str) -> str:
        return f"{times[name] / times['mlpflow']:.1f}x" if name in times else "-"

    return [cell("mlpflow"), *map(cell, PEERS), *map(ratio, PEERS)]


def diagonals(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report."""
    rows, ratios = [], []
    loss = torch.nn.MSELoss()
    for nparams in NETWORKS:
        for samples in (100, 1_000) if quick else (100, 1_000, 10_000):
            net, x, y = Case(nparams, samples).make()
            ours = lsq.gauss_newton_diagonal(net, loss, x, y)
            for a, b in zip(ours, looped_diagonal(net, x), strict=True):
                torch.testing.assert_close(a, b, rtol=AGREEMENT, atol=1e-12)
            times = _in_turns(
                {
                    "mlpflow": lambda n=net, x=x, y=y: lsq.gauss_newton_diagonal(n, loss, x, y),
                    "loop": lambda n=net, x=x: looped_diagonal(n, x),
                }
            )
            ratios.append(times["loop"] / times["mlpflow"])
            rows.append(
                [f"{nparams:,}", f"{samples:,}", f"{1e3 * times['mlpflow']:.3g}",
                 f"{1e3 * times['loop']:.3g}", f"{ratios[-1]:.0f}x"]
            )  # fmt: skip
            say(f"diagonal: {rows[-1]}")
    summary = f"Geometric mean {geometric_mean(ratios):.0f}x, smallest {min(ratios):.0f}x."
    return "\n\n".join(
        [
            "Milliseconds for diag(J^T J); the loop makes one backward pass a residual, each "
            "through its own sample alone, which is kinder than through the batch.",
            table(["P", "N", "mlpflow", "loop", "loop / mlpflow"], rows),
            summary,
        ]
    )
