"""Did you mean ...?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to append to an error message; empty when nothing is close.

    Examples
    --------
    >>> from mlpflow._hints import did_you_mean
    >>> did_you_mean("sigmiod", ["sigmoid", "tanh"])
    '; did you mean "sigmoid"?'
    """
    lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f'; did you mean "{lower[close[0]]}"?' if close else ""
