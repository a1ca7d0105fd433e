"""Rules of integration over normal distributions, as the engine makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_floats, as_number, as_whole, check_finite, shape_text, shown
from ._hints import did_you_mean
from .engine.selection import current_engine

__all__ = ["IntegralEstimate"]

RULES = ("auto", "tensor", "smolyak", "qmc")
# As many nodes as the engine makes.
_MOST_NODES = 2**26


@dataclass(frozen=True, eq=False)
class IntegralEstimate:
    """An integral by a rule, and how far it is off.

    Attributes
    ----------
    value : float or ndarray
    error : float or ndarray
        Estimated, entry by entry. Quadrature: twice the distance from the value of a finer rule.
        Quasi-Monte Carlo: the distance from the mean of 8 other scrambles, plus three times the
        standard error of this mean.
    refined : float or ndarray
        The value of the finer rule, or the mean of the other scrambles.
    """

    value: Any
    error: Any
    refined: Any

    def __repr__(self) -> str:
        if np.ndim(self.value):
            return f"IntegralEstimate of shape {shape_text(np.shape(self.value))}"
        return f"IntegralEstimate({self.value:.12g} ± {self.error:.2g})"


@dataclass(frozen=True, eq=False)
class Nodes:
    """A normal distribution and a rule for it."""

    mean: np.ndarray
    factor: np.ndarray
    rule: dict[str, Any]

    def points(self, *, reflected: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Nodes of shape (N, d) and weights of shape (N,), which sum to 1."""
        reply = asked(
            "quadrature_nodes",
            mean=self.mean,
            factor=self.factor,
            rule=self.rule,
            reflected=reflected,
        )
        return reply["nodes"], reply["weights"]

    def checks(self) -> list[Nodes]:
        """The same distribution with the rules that tell how far this one is off."""
        rules = asked("quadrature_checks", rule=self.rule)
        return [Nodes(self.mean, self.factor, rule) for rule in rules]

    def estimate(self, evaluate: Callable[[Nodes], Any]) -> IntegralEstimate:
        """``evaluate(nodes)``, a number or an array, here and on the rules that check this one."""
        value = np.asarray(evaluate(self), dtype=float)
        checks = [np.asarray(evaluate(other), dtype=float).ravel() for other in self.checks()]
        reply = asked("quadrature_compare", rule=self.rule, value=value.ravel(), checks=checks)
        parts = [value, reply["error"].reshape(value.shape), reply["refined"].reshape(value.shape)]
        return IntegralEstimate(*(part if part.ndim else float(part) for part in parts))


def asked(call: str, **arguments: Any) -> Any:
    """The engine's reply; what it refuses is a ValueError."""
    reply = current_engine().call(call, arguments)
    if isinstance(reply, dict) and "refused" in reply:
        raise ValueError(reply["refused"])
    return reply


def candidates(inputs: int, mean: Any, covariance: Any, wishes: dict[str, Any]) -> list[Nodes]:
    """The rules that fit the wishes of a user, the best guess first."""
    reply = asked(
        "quadrature_rules",
        inputs=inputs,
        mean=None if mean is None else _checked_mean(mean, inputs),
        covariance=None if covariance is None else _checked_covariance(covariance, inputs),
        wishes=_checked_wishes(wishes),
    )
    return [Nodes(reply["mean"], reply["factor"], rule) for rule in reply["rules"]]


def best(trial: Callable[[Nodes], Any], found: Sequence[Nodes]) -> Nodes:
    """The rule with the smallest error of the trial integrals."""
    if len(found) == 1:
        return found[0]
    errors = [float(np.max(nodes.estimate(trial).error)) for nodes in found]
    kinds = [nodes.rule["kind"] for nodes in found]
    place: int = asked("quadrature_best", errors=errors, kinds=kinds)
    return found[place]


def _checked_mean(mean: Any, inputs: int) -> np.ndarray:
    array = as_floats(mean, "mean")
    if array.ndim == 0:
        array = np.full(inputs, float(array))
    if array.shape != (inputs,):
        raise ValueError(f"mean: expected shape ({inputs},), got {shape_text(array.shape)}")
    check_finite(array, "mean")
    return array


def _checked_covariance(covariance: Any, inputs: int) -> np.ndarray:
    """A matrix, of a number or of the variances too."""
    array = as_floats(covariance, "covariance")
    if array.ndim == 0:
        array = np.full(inputs, float(array))
    if array.shape not in ((inputs,), (inputs, inputs)):
        raise ValueError(
            f"covariance: expected shape ({inputs}, {inputs}), or ({inputs},) variances, got "
            f"{shape_text(array.shape)}"
        )
    check_finite(array, "covariance")
    return array


def _checked_wishes(wishes: dict[str, Any]) -> dict[str, Any]:
    rule = wishes["rule"]
    if rule not in RULES:
        raise ValueError(
            f"rule: expected one of {', '.join(RULES)}, got {shown(rule)}"
            f"{did_you_mean(str(rule), RULES)}"
        )
    checked = {"rule": rule, "seed": as_whole(wishes["seed"], "seed")}
    for name, low in (("N", 1), ("level", 0), ("points", 1)):
        if wishes[name] is not None:
            checked[name] = as_whole(wishes[name], name, low=low)
            if checked[name] > _MOST_NODES:
                raise ValueError(f"{name}: expected at most {_MOST_NODES}, got {checked[name]}")
    if wishes["threshold"] is not None:
        threshold = as_number(wishes["threshold"], "threshold", low=0.0)
        if threshold >= 1:
            raise ValueError(f"threshold: expected a number from 0 to 1, got {threshold}")
        checked["threshold"] = threshold
    return checked
