"""Time of a step, and of the diagonal of J^T J, beside other systems' ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import geometric_mean, median

import torch

from mlpflow import lsq

from ..report import table
from .networks import NETWORKS, Case, term
from .published import DampedDense, InverseLevenberg, kind_diagonal, looped_diagonal

__all__ = ["diagonals", "steps"]

AGREEMENT = 1e-9
MEMORY = 6e9  # bytes of a peer's largest arrays
LIMIT, QUICK_LIMIT = 12.0, 1.5  # seconds of a peer's call, estimated from fewer samples
SHORT = 5e-3  # seconds a turn at least
SAMPLES = (100, 1_000, 10_000, 100_000)


def _in_turns(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Medians of warm calls, each in turn; short calls several times a turn."""
    first = {name: _seconds(call) for name, call in calls.items()}
    longest = max(first.values())
    rounds = 1 if longest > 4 else 3 if longest > 1 else 7 if longest > 0.1 else 15
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(_seconds(call, 1 + int(SHORT / first[name])))
    return {name: median(values) for name, values in times.items()}


def _seconds(call: Callable[[], object], number: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


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
            rows.append([f"{nparams:,}", f"{samples:,}", str(trials), *_cells(times, PEERS)])
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


def _cells(times: dict[str, float], peers: Iterable[str]) -> list[str]:
    def cell(name: str) -> str:
        return f"{1e3 * times[name]:.3g}" if name in times else "-"

    def ratio(name: str) -> str:
        return f"{times[name] / times['mlpflow']:.1f}x" if name in times else "-"

    return [cell("mlpflow"), *map(cell, peers), *map(ratio, peers)]


LOOPS = {"loop": looped_diagonal, "kind loop": kind_diagonal}


def diagonals(quick: bool, limit: float, say: Callable[[str], None]) -> str:
    """The section of the report."""
    rows, ratios, notes = [], {name: [] for name in LOOPS}, []
    most = QUICK_LIMIT if quick else LIMIT
    for nparams in NETWORKS:
        known: dict[str, float] = {}
        for samples in (100, 1_000) if quick else (100, 1_000, 10_000):
            case = Case(nparams, samples)
            calls = {"mlpflow": _closed(case)}
            for name, loop in LOOPS.items():
                estimate = known.get(name, 0.0) * (100 if name == "loop" else 10)
                if estimate > most and samples > 1_000:
                    notes.append(f"- {case.name}, {name}: not run, at most {estimate:.0f} s.")
                else:
                    calls[name] = _loop(loop, case, calls["mlpflow"]())
            times = _in_turns(calls)
            known |= times
            for name in calls.keys() & LOOPS.keys():
                ratios[name].append(times[name] / times["mlpflow"])
            rows.append([f"{nparams:,}", f"{samples:,}", *_cells(times, LOOPS)])
            say(f"diagonal: {rows[-1]}")
    header = ["P", "N", "mlpflow", *LOOPS, *[f"{name} / mlpflow" for name in LOOPS]]
    summary = [
        f"- {name} / mlpflow: geometric mean {geometric_mean(found):.0f}x, smallest "
        f"{min(found):.0f}x, of {len(found)} cases"
        for name, found in ratios.items()
    ]
    return "\n\n".join(
        [
            "Milliseconds for diag(J^T J). The loop makes one backward pass a residual through the "
            "graph of the batch; the kind loop gives every sample a graph of its own. All agree to "
            "1e-9. Required: 20x.",
            table(header, rows), "\n".join(summary), "\n".join(notes),
        ]
    ).strip()  # fmt: skip


def _closed(case: Case) -> Callable[[], list[torch.Tensor]]:
    net, x, y = case.make()
    return lambda: lsq.gauss_newton_diagonal(net, torch.nn.MSELoss(), x, y)


def _loop(
    loop: Callable[..., list[torch.Tensor]], case: Case, ours: list[torch.Tensor]
) -> Callable[[], object]:
    net, x, _ = case.make()
    if case.samples <= 1_000:
        torch.testing.assert_close(ours, loop(net, x), rtol=AGREEMENT, atol=1e-12)
    return lambda: loop(net, x)
