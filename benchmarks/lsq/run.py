"""Measure, print, write: every part is a section of the report."""

from __future__ import annotations

import argparse
import datetime
import platform
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ..report import machine
from .evaluations import evaluations
from .fits import fits
from .large import memory, ranks
from .race import race
from .steps import diagonals, steps

__all__ = ["main"]

RESULTS = Path(__file__).parents[1] / "results" / "lsq.md"
Say = Callable[[str], None]
PARTS: dict[str, tuple[str, Callable[[bool, float, Say], str]]] = {
    "steps": ("A step", steps),
    "diagonals": ("The diagonal", diagonals),
    "race": ("To a given loss", race),
    "fits": ("Three fits", fits),
    "memory": ("Memory", memory),
    "ranks": ("Two processes", ranks),
    "evaluations": ("Evaluations", evaluations),
}
HEAD = (
    "# Least squares on PyTorch modules, side by side\n\n"
    "Float64, one thread of one core where nothing else is said, all in turns. Peers are other "
    "systems' algorithms, written anew from their published description "
    "(`benchmarks/lsq/published.py`), and PyTorch's own optimizers."
)


def main() -> int:
    """Run the parts, and put their sections into the report."""
    options = _options()
    torch.set_num_threads(1)
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {line}", file=sys.stderr, flush=True)

    for name in PARTS if options.only is None else [options.only]:
        title, part = PARTS[name]
        began = time.monotonic()
        text = f"## {title}\n\n" + part(options.quick, options.limit, say)
        text += f"\n\n{_circumstances(time.monotonic() - began, options)}\n"
        print(text, flush=True)
        if options.out:
            _replace(options.out, title, text)
    return 0


def _circumstances(seconds: float, options: argparse.Namespace) -> str:
    quick = ", --quick" if options.quick else ""
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    note = f" {options.note}" if options.note else ""
    return (
        f"{datetime.date.today()}, {machine()}; {versions}; {seconds:.0f} s{quick}, "
        f"--limit {options.limit:g}.{note}"
    )


def _replace(path: Path, title: str, text: str) -> None:
    """A section in place of its last version, the others as they are."""
    sections = {}
    if path.exists():
        for section in re.split(r"(?m)^(?=## )", path.read_text(encoding="utf-8"))[1:]:
            sections[section.splitlines()[0]] = section.strip()
    sections[f"## {title}"] = text.strip()
    ordered = [sections[f"## {name}"] for name, _ in PARTS.values() if f"## {name}" in sections]
    path.write_text("\n\n".join([HEAD, *ordered]) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.lsq", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute or two")
    parser.add_argument("--only", choices=PARTS, help="one part; the other sections stay")
    parser.add_argument("--limit", type=float, default=150.0, help="seconds a problem of the fits")
    parser.add_argument("--note", default="", help="a sentence for the report")
    parser.add_argument("--out", type=Path, help="the report (default: results/lsq.md)")
    options = parser.parse_args()
    if options.out is None and not options.quick:
        options.out = RESULTS
    return options
