"""Learning rates that change: factors of a rule's learning rate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ._check import as_number, as_whole, shown

__all__ = ["Constant", "Cosine", "Schedule", "StepDecay", "WarmUp"]


@dataclass(frozen=True)
class Described:
    """Plain options that travel to the engine with the name of their kind."""

    def for_engine(self) -> dict[str, Any]:
        """``{"kind": ..., option: value}``."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain = {
            name: value.for_engine() if isinstance(value, Described) else value
            for name, value in options.items()
        }
        return {"kind": type(self).__name__, **plain}

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _label(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"


class Schedule(Described):
    """How a learning rate changes."""


def checked_schedule(value: Any, name: str) -> Schedule:
    """A schedule; TypeError for anything else."""
    if isinstance(value, Schedule):
        return value
    raise TypeError(f"{name}: expected a schedule such as mlpflow.Cosine(1000), got {shown(value)}")


def as_part(value: Any, name: str, *, above: bool = False, below: bool = False) -> float:
    """A number from 0 to 1; above 0 or below 1 where asked for."""
    number = as_number(value, name)
    if 0 <= number <= 1 and not (above and number == 0) and not (below and number == 1):
        return number
    low = "above 0" if above else "of at least 0"
    high = "below 1" if below else "at most 1"
    raise ValueError(f"{name}: expected a number {low} and {high}, got {shown(value)}")


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate stays what it is."""


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 to ``final`` along half a cosine, then ``final``.

    After k steps the factor is final + (1 - final) (1 + cos(pi k/steps))/2, as in PyTorch's
    ``CosineAnnealingLR(T_max=steps)`` with ``eta_min`` in units of the learning rate (Loshchilov
    and Hutter, ICLR 2017, equation 5). A run whose rate has come to zero ends.

    Parameters
    ----------
    steps : int
    final : float

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.Adam(schedule=mf.Cosine(1000)).schedule
    Cosine(steps=1000, final=0.0)
    """

    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        self._set("steps", as_whole(self.steps, self._label("steps"), low=1))
        self._set("final", as_part(self.final, self._label("final")))


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Multiplied by ``factor`` after each ``every`` steps.

    PyTorch's ``StepLR(step_size=every, gamma=factor)``.

    Parameters
    ----------
    every : int
    factor : float
    """

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        self._set("every", as_whole(self.every, self._label("every"), low=1))
        self._set("factor", as_part(self.factor, self._label("factor"), above=True))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """From ``start`` to 1 in equal parts over ``steps`` steps, then ``after``.

    PyTorch's ``LinearLR(start_factor=start, total_iters=steps)`` with another schedule behind it in
    a ``SequentialLR``: the steps of ``after`` count from the end of the warm-up.

    Parameters
    ----------
    steps : int
    start : float
    after : Schedule

    Examples
    --------
    >>> import mlpflow as mf
    >>> schedule = mf.WarmUp(100, after=mf.Cosine(900))
    >>> schedule.after.steps
    900
    """

    steps: int
    start: float = 1 / 3
    after: Schedule = Constant()

    def __post_init__(self) -> None:
        self._set("steps", as_whole(self.steps, self._label("steps"), low=1))
        self._set("start", as_part(self.start, self._label("start"), above=True))
        checked_schedule(self.after, self._label("after"))


_SCHEDULES: dict[str, type[Schedule]] = {
    schedule.__name__: schedule for schedule in (Constant, Cosine, StepDecay, WarmUp)
}


def schedule_from_engine(description: dict[str, Any]) -> Schedule:
    """The schedule that ``Schedule.for_engine`` has described."""
    options = {name: value for name, value in description.items() if name != "kind"}
    if isinstance(options.get("after"), dict):
        options["after"] = schedule_from_engine(options["after"])
    return _SCHEDULES[description["kind"]](**options)
