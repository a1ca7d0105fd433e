"""Certificates of the minima of the fixed-point experiment, and of points that are none.

    python -m benchmarks.certify            # twenty minutes or so; writes results/certify.md
    python -m benchmarks.certify --seeds 2  # a look, nothing written

Students of r = rho k softplus neurons (with biases), N = 10,000 standard normal inputs of dimension
k, a random softplus teacher of k neurons. Rows with rho below 1 are not part of that experiment:
their minima have a loss.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import one_thread

one_thread.pin()

import numpy as np  # noqa: E402 - after pinning

import mlpflow as mf  # noqa: E402

SIZES = [(k, rho) for k in (2, 4) for rho in (0.5, 1, 1.5, 2, 3)]
LARGEST = 40
SAMPLES = 10_000
TRIES = 1000
RESULTS = Path(__file__).parent / "results" / "certify.md"


@dataclass
class Row:
    """What became of the seeds of one size."""

    k: int
    rho: float
    nparams: int
    strict: int = 0
    singular: int = 0
    unfinished: int = 0
    proved: int = 0
    seconds: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        seconds = f"{np.median(self.seconds):.2f}" if self.seconds else "-"
        return (
            f"| {self.k} | {self.rho:g} | {self.nparams} | {self.strict} | {self.proved} | "
            f"{self.singular} | {self.unfinished} | {seconds} |"
        )


def problem(k: int, rho: float, seed: int) -> tuple[mf.Net, mf.Params]:
    rng = np.random.default_rng([k, int(10 * rho), seed])
    layers = [(k, "softplus", True), (1, "identity", True)]
    teacher = mf.TeacherNet(layers, inputs=k, rng=rng)
    flat = teacher.params.flat + 0.5 * rng.standard_normal(teacher.nparams)  # biases too
    teacher = mf.TeacherNet(layers, inputs=k, params=flat)
    x = rng.standard_normal((SAMPLES, k))
    net = mf.Net([(round(rho * k), "softplus", True), (1, "identity", True)], x, teacher(x))
    return net, mf.random_params(net, rng=rng)


def run_size(k: int, rho: float, seeds: int) -> tuple[Row, list[tuple[mf.Net, np.ndarray]]]:
    row, minima = Row(k, rho, 0), []
    for seed in range(seeds):
        net, start = problem(k, rho, seed)
        row.nparams = net.nparams
        if net.nparams > LARGEST:
            break
        found = mf.train(net, start, maxiterations_ode=300, maxiterations_optim=2000)
        spectrum = mf.hessian_spectrum(net, found.params)
        if found.gnorm > 1e-12:
            row.unfinished += 1
        elif spectrum.values[0] <= spectrum.rounding:
            row.singular += 1
        else:
            minima.append((net, found.params.flat))
            certify_one(row, net, found.params.flat)
    return row, minima


def certify_one(row: Row, net: mf.Net, point: np.ndarray) -> None:
    row.strict += 1
    start = time.perf_counter()
    certificate = mf.certify(net, point)
    row.seconds.append(time.perf_counter() - start)
    if certificate.kind == "minimum":
        row.proved += 1
    else:
        row.refusals.append(certificate.reason)


def hostile(rng: np.random.Generator, kind: int, p: np.ndarray) -> np.ndarray:
    """A point that is no strict minimum: random, or a minimum moved by 1e-3."""
    v = rng.standard_normal(len(p))
    if kind == 0:
        return v
    if kind == 1:
        return p + 1e-3 * v / np.linalg.norm(v)
    return p + 1e-3 * np.sign(v)


def widened(net: mf.Net, p: np.ndarray, rng: np.random.Generator) -> tuple[mf.Net, np.ndarray]:
    """The same minimum with one neuron doubled: degenerate."""
    (r, name, bias), output = net.layers
    (w, b), (a, c) = mf.Params.from_flat(net.layers, net.inputs.shape[1], p).layers
    share = rng.uniform(0.2, 0.8)
    split = np.concatenate([a[:, :-1], a[:, -1:] * share, a[:, -1:] * (1 - share)], axis=1)
    flat = [np.vstack([w, w[-1:]]).ravel(), np.append(b, b[-1]), split.ravel(), c]
    return mf.Net([(r + 1, name, bias), output], net.inputs, net.targets), np.concatenate(flat)


def count_false(minima: list[tuple[mf.Net, np.ndarray]], tries: int) -> tuple[int, float]:
    """Certificates of hostile points, and the median seconds of a refusal."""
    rng, proved, seconds = np.random.default_rng(1), 0, []
    for number in range(tries):
        net, p = minima[number % len(minima)]
        kind = number // len(minima) % 4
        net, point = widened(net, p, rng) if kind == 3 else (net, hostile(rng, kind, p))
        start = time.perf_counter()
        proved += mf.certify(net, point).proved
        seconds.append(time.perf_counter() - start)
    return proved, float(np.median(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tries", type=int, default=TRIES)
    options = parser.parse_args()
    lines = ["| k | rho | P | strict minima | proved | singular | unfinished | seconds |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    rows, minima = [], []
    for k, rho in SIZES:
        row, more = run_size(k, rho, options.seeds)
        if row.nparams <= LARGEST:
            rows.append(row)
            minima += more
            lines.append(str(row))
            print(row, *row.refusals, sep="\n", flush=True)
    strict, proved = sum(row.strict for row in rows), sum(row.proved for row in rows)
    false, seconds = count_false(minima, options.tries)
    lines += [
        "",
        f"{proved} of {strict} strict minima proved. {false} of {options.tries} hostile points "
        "(random, minima moved by 1e-3 in either norm, minima with a doubled neuron) certified; "
        f"a refusal takes {seconds:.2f} s (median).",
    ]
    print("\n".join(lines[-2:]))
    if options.seeds >= 20:
        text = (__doc__ or "").split("Students", 1)
        intro = "# Certificates\n\nStudents" + text[1] + "\nOne thread, `seconds` is the median "
        intro += "of a certificate; singular: the smallest eigenvalue is rounding; unfinished: "
        intro += "the gradient norm stayed above 1e-12.\n\n"
        RESULTS.write_text(intro + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
