"""How a run ended: an enum whose members carry the sentence that explains them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from .engine.discovery import engine_root

__all__ = ["Status"]


class _Explained(enum.StrEnum):
    """A status that equals its name, so that ``result.status == "maxT"`` reads well."""

    @property
    def message(self) -> str:
        """What happened, and what to try."""
        return _SENTENCES[self.value]


def _read_sentences() -> dict[str, str]:
    """The engine's own table, so that Julia and Python say the same."""
    text = (engine_root() / "julia" / "statuses.tsv").read_text(encoding="utf-8")
    pairs = (line.split("\t", 1) for line in text.splitlines() if line)
    return {name: sentence for name, sentence in pairs}  # noqa: C416 - dict(pairs) has no type


_SENTENCES = _read_sentences()

if TYPE_CHECKING:  # the members are not known before the table is read
    Status = _Explained
else:
    Status = _Explained("Status", {name: name for name in _SENTENCES}, module=__name__)
    Status.__doc__ = "Every way a run can end; ``Status.maxT.message`` explains it."
