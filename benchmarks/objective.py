"""Gradient and Hessian of one-hidden-layer networks: mlpflow and PyTorch side by side."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import mlpflow as mf

SIZES = [(10, 10), (10, 100), (10, 1_000), (10, 10_000), (50, 1_000), (100, 1_000)]
HESSIAN_LIMIT = 2_000_000  # k^2 N beyond which PyTorch needs minutes and gigabytes
AGREEMENT = 1e-10


def median_time(function: Callable[[], object], seconds: float) -> float:
    """The median of repeated runs in microseconds, after one to warm up; at least 5 runs."""
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(1e6 * (time.perf_counter() - start))
    return statistics.median(times)


def torch_loss(k: int, x: np.ndarray, y: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
    """The loss as a function of the flat parameters, in PyTorch's own order."""
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def loss(p: torch.Tensor) -> torch.Tensor:
        w1, b1, w2, b2 = torch.split(p, [2 * k, k, k, 1])
        hidden = torch.nn.functional.softplus(inputs @ w1.view(k, 2).T + b1)
        return ((hidden @ w2.view(1, k).T + b2 - targets) ** 2).sum(dim=1).mean()

    return loss


def check(name: str, ours: np.ndarray, theirs: torch.Tensor) -> None:
    """Nothing is timed that does not agree."""
    other = theirs.detach().numpy()
    error = np.abs(ours - other).max() / np.abs(other).max()
    if not error < AGREEMENT:
        raise SystemExit(f"{name}: expected agreement to {AGREEMENT}, got {error:.1e}")


def compare(k: int, n: int, seconds: float) -> list[str]:
    """One row of the table."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 2)), rng.standard_normal((n, 1))
    net = mf.Net([(k, "softplus", True), (1, "identity", True)], x, y)
    p = mf.random_params(net, rng=rng).flat
    q = torch.from_numpy(p).requires_grad_()
    loss = torch_loss(k, x, y)

    def gradient() -> torch.Tensor:
        return torch.autograd.grad(loss(q), q)[0]

    def hessian() -> torch.Tensor:
        return torch.func.hessian(loss)(q.detach())

    check("gradient", mf.gradient(net, p).flat, gradient())
    row = [str(k), str(n)]
    row += figures(lambda: mf.gradient(net, p), gradient, seconds)
    if k * k * n > HESSIAN_LIMIT:
        return [*row, *figures(lambda: mf.hessian(net, p), None, seconds)]
    check("Hessian", mf.hessian(net, p), hessian())
    return [*row, *figures(lambda: mf.hessian(net, p), hessian, seconds)]


def figures(
    ours: Callable[[], object], theirs: Callable[[], object] | None, seconds: float
) -> list[str]:
    """Our time, theirs, and theirs over ours."""
    mine = median_time(ours, seconds)
    if theirs is None:
        return [f"{mine:,.0f}", "", ""]
    other = median_time(theirs, seconds)
    return [f"{mine:,.0f}", f"{other:,.0f}", f"{other / mine:.1f}"]


def main() -> None:
    """Measure all sizes and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each figure")
    parser.add_argument("--out", type=Path, default=Path("out/bench.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    header = ["k", "N", "gradient", "PyTorch", "ratio", "Hessian", "PyTorch", "ratio"]
    rows = [header, ["---:"] * len(header)]
    for k, n in SIZES:
        print(f"k = {k}, N = {n} ...", flush=True)
        rows.append(compare(k, n, options.seconds))
    info = mf.engine_info()
    lines = [
        "# Loss and derivatives, median microseconds a call from Python",
        "",
        f"Din = 2, layers (k, softplus, bias), (1, identity, bias); Float64, one thread; "
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} processors; "
        f"Julia {info['julia']}, PyTorch {torch.__version__}, Python {platform.python_version()}.",
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
