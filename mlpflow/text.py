"""Lines for a terminal: labelled rows, tables, durations."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence

__all__ = ["Row", "format_html", "format_rows", "format_seconds", "format_table"]

LABEL_WIDTH = 15
TEXT_WIDTH = 80

Row = tuple[str, str]


def format_rows(title: str, rows: Iterable[Row]) -> str:
    """A title and labelled lines below it, long texts wrapped under themselves."""
    lines = [title]
    for label, text in rows:
        wrapped = textwrap.wrap(text, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(wrapped or [""]):
            lines.append(f"  {label if number == 0 else '':<{LABEL_WIDTH}}{line}".rstrip())
    return "\n".join(lines)


def format_html(title: str, rows: Iterable[Row]) -> str:
    """The same for a notebook."""
    left = "style='text-align:left'"
    lines = "".join(
        f"<tr><th {left}>{html.escape(label)}</th><td {left}>{html.escape(text)}</td></tr>"
        for label, text in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{lines}</table>"


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]], indent: int = 2) -> str:
    """Columns as wide as they need to be, numbers to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return textwrap.indent("\n".join(line.rstrip() for line in lines), " " * indent)


def format_seconds(seconds: float) -> str:
    """A duration with the digits that matter."""
    if seconds < 0.0995:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
