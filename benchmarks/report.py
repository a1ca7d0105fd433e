"""The measurements as tables: text for a terminal that is also Markdown."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from . import peer_jax, peer_mlpflow, peer_torch
from .comparison import AGREEMENT, OURS, Row
from .figures import Figure
from .limits import Limits
from .peer_julia import JULIA
from .peer_mlpflow import PYTHON
from .timing import Effort

__all__ = ["figures_table", "machine", "markdown", "quantity_table", "table"]

TITLES = {
    "gradient": "Value and gradient",
    "hessian": "Hessian",
    "hvp": "Hessian-vector product",
    "jacobian": "Jacobian of the outputs",
    "gauss_newton": "Gauss-Newton matrix",
}

Cells = Sequence[str]


def table(header: Cells, rows: Iterable[Cells]) -> str:
    """A Markdown table whose columns line up."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )


def quantity_table(quantity: str, rows: Sequence[Row], limits: Limits) -> str:
    """Microseconds a call, one row a case."""
    chosen = [row for row in rows if row.quantity == quantity]
    peers = _names(name for row in chosen for name in (*row.timings, *row.not_run))
    gain = ["peer / Python", "peer / Julia"]
    header = ["case", "P", *peers, *OURS, *gain, "limit", "reached", "differs"]
    return table(header, (_cells(row, peers, limits) for row in chosen))


def _names(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in OURS]


def _cells(row: Row, peers: Cells, limits: Limits) -> list[str]:
    best, julia = row.best_peer, row.seconds(JULIA)
    ratios = [
        "-" if best is None or ours is None else _ratio(best / ours)
        for ours in (row.seconds(PYTHON), julia)
    ]
    bound = limits.seconds(row.case, row.quantity)
    limit, reached = "-", "-"
    if bound is not None and julia is not None:
        limit, reached = f"{_micro(bound[0])} {bound[1]}", f"{100 * bound[0] / julia:.0f}%"
    times = [
        "not run" if name in row.not_run else _micro(row.seconds(name)) for name in (*peers, *OURS)
    ]
    difference = f"{row.error:.0e}"
    return [row.case.name, f"{row.case.nparams:,}", *times, *ratios, limit, reached, difference]


def _micro(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    us = 1e6 * seconds
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def _ratio(factor: float) -> str:
    return f"{factor:.1f}" if factor < 20 else f"{factor:.0f}"


def figures_table(found: Iterable[Figure]) -> str:
    """What was required and what was found."""
    words = {True: "yes", False: "**no**", None: "-"}
    return table(
        ["figure", "required", "measured", "met", "worst at"],
        ([f.name, f.required, f.measured, words[f.met], f.where] for f in found),
    )


def markdown(
    rows: Sequence[Row],
    found: Sequence[Figure],
    limits: Limits,
    effort: Effort,
    elapsed: float,
    note: str,
) -> str:
    """The whole report."""
    quantities = list(dict.fromkeys(row.quantity for row in rows))
    parts = [
        "# The objective and its derivatives, side by side",
        f"{datetime.date.today()}, {machine()}.",
        *([note] if note else []),
        _versions(),
        _method(effort, elapsed),
        "## Required figures",
        "The engine's time is the one in Julia alone where nothing else is said; the worst point "
        "of each figure counts.",
        figures_table(found),
    ]
    for quantity in quantities:
        parts += [f"## {TITLES[quantity]}", quantity_table(quantity, rows, limits)]
        parts += _notes([row for row in rows if row.quantity == quantity])
    parts += ["## Limits", _limits(limits), "## Spread", _spread(rows)]
    return "\n\n".join(parts) + "\n"


def machine() -> str:
    """Processor, cores, system and how busy it is."""
    model = platform.processor() or platform.machine()
    path = Path("/proc/cpuinfo")
    if path.exists():
        text = path.read_text(encoding="utf-8", errors="replace")
        model = text.partition("model name")[2].partition("\n")[0].lstrip("\t :") or model
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} processors, {platform.system()}; load averages {load}"


def _versions() -> str:
    lines = [
        f"- Python {platform.python_version()}, NumPy {np.__version__}",
        f"- {peer_mlpflow.version()}",
        f"- {peer_torch.version()}",
        f"- {peer_jax.version()}",
    ]
    kernel = os.environ.get("OPENBLAS_CORETYPE")
    if kernel:
        # A user's word that the engine obeys; it decides our Hessians and the dsyrk bound.
        lines.append(f"- OPENBLAS_CORETYPE={kernel} was set; without it the engine chooses itself")
    return "\n".join(lines)


def _method(effort: Effort, elapsed: float) -> str:
    return (
        f"Microseconds a call, Float64, warm, everything on one thread of one core. Each number is "
        f"the median of {effort.rounds} blocks of about {1000 * effort.block:.0f} ms "
        f"({effort.fewest} blocks of one call where a call takes longer than {effort.long} s), "
        f"all contenders in turns. Before anything was timed all had computed the same numbers to "
        f"{AGREEMENT:g}; 'differs' is the largest difference, relative to the largest number. "
        f"'peer' is the faster peer. The run took {elapsed / 60:.0f} minutes."
    )


def _notes(rows: Iterable[Row]) -> list[str]:
    lines = [
        f"- {row.case.name}, {name}: not run: {reason}."
        for row in rows
        for name, reason in row.not_run.items()
    ]
    lines += [
        f"- {row.case.name}: no peer was run, so ours was compared with {row.compared_with}."
        for row in rows
        if not row.peers
    ]
    return ["\n".join(lines)] if lines else []


def _limits(limits: Limits) -> str:
    lines = [f"- exp: {limits.exp / 1e9:.2f} a nanosecond (`MLPFlow.vexp`, 1,024 numbers in cache)"]
    lines += [
        f"- dsyrk, P = {P}: {rate / 1e9:.1f} GFLOP/s, the best of several ranks"
        for P, rate in sorted(limits.syrk.items())
    ]
    lines += [
        f"- dgemm, 1,024 x {n} by {n} x {k}: {rate / 1e9:.1f} GFLOP/s"
        for (n, k), rate in limits.gemm.items()
    ]
    lines.append(
        "\nThe limit of a gradient is one exponential a neuron and sample, or for the wide network "
        "its matrix products; that of a Hessian one rank-N update (N times the outputs) of P x P. "
        "With several outputs more than 100% is possible: the sum over outputs can be taken first."
    )
    return "\n".join(lines)


def _spread(rows: Iterable[Row]) -> str:
    widths = [(t.high - t.low) / t.median for row in rows for t in row.timings.values()]
    return (
        "Distance of the quartiles over the median, over all numbers above: "
        f"median {100 * float(np.median(widths)):.0f}%, largest {100 * max(widths):.0f}%."
    )
