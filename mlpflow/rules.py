"""The discrete dynamics: gradient descent and its relatives, as values of ``alg``.

The engine makes the steps; these are the checked options. Each rule makes the steps of the
optimizer of `torch.optim` that it names.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_number, as_truth
from .schedules import (
    Constant,
    Described,
    Schedule,
    as_part,
    checked_schedule,
    schedule_from_engine,
)

__all__ = [
    "RULES",
    "Adam",
    "AdamW",
    "GradientDescent",
    "HeavyBall",
    "Nesterov",
    "RMSprop",
    "Rule",
]


_CONSTANT = Constant()


def _finite(value: Any, name: str, *, strict: bool) -> float:
    number = as_number(value, name, low=0.0, strict=strict)
    if number == np.inf:
        raise ValueError(f"{name}: expected a finite number, got inf")
    return number


def _positive(value: Any, name: str) -> float:
    return _finite(value, name, strict=True)


def _not_negative(value: Any, name: str) -> float:
    return _finite(value, name, strict=False)


def _below_one(value: Any, name: str) -> float:
    return as_part(value, name, below=True)


# By the name of the option, which means the same in every rule.
_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "learning_rate": _positive,
    "weight_decay": _not_negative,
    "schedule": checked_schedule,
    "momentum": _below_one,
    "dampening": as_part,
    "beta1": _below_one,
    "beta2": _below_one,
    "alpha": _below_one,
    "epsilon": _not_negative,
    "amsgrad": as_truth,
    "centered": as_truth,
}


@dataclass(frozen=True, kw_only=True)
class Rule(Described):
    """What the rules have in common.

    Attributes
    ----------
    learning_rate : float
        Changed by ``schedule`` as the run goes on.
    weight_decay : float
        So many times the parameters are added to the gradient. The loss that is reported does not
        include it.
    schedule : Schedule
        `Constant`, `Cosine`, `StepDecay` or `WarmUp`.
    """

    learning_rate: float
    weight_decay: float = 0.0
    schedule: Schedule = _CONSTANT

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _CHECKS[field.name](getattr(self, field.name), self._label(field.name))
            self._set(field.name, value)


@dataclass(frozen=True, kw_only=True)
class GradientDescent(Rule):
    """p <- p - rate grad L(p): the explicit Euler method for the gradient flow.

    ``torch.optim.SGD(lr=learning_rate)``; the options are those of `Rule`.

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.GradientDescent(learning_rate=0.1).schedule
    Constant()
    """


@dataclass(frozen=True, kw_only=True)
class HeavyBall(Rule):
    """Polyak's momentum: v <- momentum v + (1 - dampening) grad L(p), p <- p - rate v.

    ``torch.optim.SGD(momentum=momentum, dampening=dampening)``; the first v is the first gradient.

    Attributes
    ----------
    momentum : float
        Below 1.
    dampening : float
    """

    momentum: float = 0.9
    dampening: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Nesterov(Rule):
    """Momentum that looks ahead.

    v <- momentum v + grad L(p), p <- p - rate (grad L(p) + momentum v):
    ``torch.optim.SGD(momentum=momentum, nesterov=True)``.

    Attributes
    ----------
    momentum : float
        Below 1.
    """

    momentum: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Adam(Rule):
    """Adam (Kingma and Ba, ICLR 2015).

    With running means m of the gradient and v of its square, corrected for their start at zero:
    p <- p - rate m/(sqrt(v) + epsilon). ``torch.optim.Adam``.

    Attributes
    ----------
    beta1, beta2 : float
        What the means keep in each step.
    epsilon : float
    amsgrad : bool
        The largest v so far takes the place of v (Reddi, Kale and Kumar, ICLR 2018).
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    The parameters shrink by the factor 1 - rate weight_decay in each step, and the gradient is that
    of the loss alone. ``torch.optim.AdamW``; the other options are those of `Adam`.
    """

    weight_decay: float = 0.01


@dataclass(frozen=True, kw_only=True)
class RMSprop(Rule):
    """RMSprop (Tieleman and Hinton, 2012).

    With a running mean v of the squared gradient: p <- p - rate grad L(p)/(sqrt(v) + epsilon).
    ``torch.optim.RMSprop``.

    Attributes
    ----------
    alpha : float
        What the mean keeps in each step.
    epsilon : float
    momentum : float
        Below 1; the quotients are summed up as in `HeavyBall`.
    centered : bool
        The square of the gradient's running mean is subtracted from v.
    """

    learning_rate: float = 1e-2
    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False


RULES: dict[str, type[Rule]] = {
    rule.__name__: rule for rule in (GradientDescent, HeavyBall, Nesterov, Adam, AdamW, RMSprop)
}


def rule_named(name: str) -> Rule:
    """The rule with its defaults; ValueError where the learning rate has none."""
    rule = RULES[name]
    if inspect.signature(rule).parameters["learning_rate"].default is inspect.Parameter.empty:
        raise ValueError(
            f"alg: expected a rule with its learning rate, such as "
            f"mlpflow.{name}(learning_rate=0.1), got {name!r}"
        )
    return rule()  # type: ignore[call-arg]


def rule_from_engine(description: dict[str, Any]) -> Rule:
    """The rule that ``Rule.for_engine`` has described."""
    options = {name: value for name, value in description.items() if name != "kind"}
    options["schedule"] = schedule_from_engine(options["schedule"])
    return RULES[description["kind"]](**options)
