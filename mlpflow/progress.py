"""How a run goes: a record, and the bar that shows it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .params import Params

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """One moment of a run.

    Attributes
    ----------
    phase : str
        ``"flow"`` or ``"optim"``.
    iteration : int
        Steps of this phase so far.
    t : float
        Time of the flow.
    loss, gnorm : float
        Loss and infinity norm of the gradient.
    stepsize : float
        The flow's step in time, or the optimizer's step length.
    elapsed : float
        Seconds since the start of the run.
    rate : float
        Steps a second, over the last half second or so.
    params : Params or None
        The present parameters; only a callback gets them.
    """

    phase: str
    iteration: int
    t: float
    loss: float
    gnorm: float
    stepsize: float
    elapsed: float
    rate: float = 0.0
    params: Params | None = None

    def __str__(self) -> str:
        where = f"t = {self.t:.3g}, " if self.phase == "flow" else ""
        return (
            f"{self.phase}: {where}iteration {self.iteration}, loss {self.loss:.6g}, "
            f"gradient {self.gnorm:.2e}, step {self.stepsize:.1e}, {self.rate:.3g}/s"
        )


def wants_bar(progress: Any, verbosity: int) -> bool:
    """Is a bar to be shown?"""
    if progress is None:
        return verbosity > 0 and (sys.stderr.isatty() or _in_notebook())
    return progress is True


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules and "JPY_PARENT_PID" in os.environ


def _tqdm() -> tuple[Any, int | None]:
    """The kind of bar that suits the place, and its width."""
    if _in_notebook():
        from tqdm.auto import tqdm

        return tqdm, None
    from tqdm import tqdm

    return tqdm, shutil.get_terminal_size().columns  # also where the terminal says 0


class CountBar:
    """A bar that counts runs, and how they ended.

    Parameters
    ----------
    total : int
        How many there are.
    """

    def __init__(self, total: int) -> None:
        tqdm, columns = _tqdm()
        self._counts: dict[str, int] = {}
        self._bar = tqdm(total=total, unit="run", ncols=columns, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def count(self, status: str) -> None:
        """One more run has ended, with this status."""
        self._counts[status] = self._counts.get(status, 0) + 1
        text = ", ".join(f"{count} {name}" for name, count in sorted(self._counts.items()))
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()


class Bar:
    """A bar for each phase: how much of its budget of seconds is used.

    Parameters
    ----------
    budgets : dict
        Seconds, by phase.
    """

    def __init__(self, budgets: dict[str, float]) -> None:
        self._budgets = budgets
        self._bar: Any = None
        self._phase = ""
        self._start = 0.0

    def show(self, record: Progress) -> None:
        """Bring the bar up to date."""
        if record.phase != self._phase:
            self.close()
            self._open(record)
        self._bar.n = min(record.elapsed - self._start, self._bar.total or float("inf"))
        self._bar.set_description_str(str(record), refresh=False)
        self._bar.refresh()

    def _open(self, record: Progress) -> None:
        tqdm, columns = _tqdm()
        budget = self._budgets.get(record.phase, float("inf"))
        limited = budget < float("inf")
        self._phase, self._start = record.phase, record.elapsed
        tail = "|{bar}| {elapsed} of at most {total:.3g} s" if limited else " {elapsed}"
        self._bar = tqdm(
            total=budget if limited else None,
            bar_format="{desc} " + tail,
            ncols=columns,
            file=sys.stderr,
        )

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
