"""The optimizers by name, and those with options."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ._check import shown
from ._hints import did_you_mean

__all__ = ["SOLVERS", "GaussNewton", "LevenbergMarquardt"]

SOLVERS = ("auto", "newton", "newton_cg", "levenberg_marquardt", "gauss_newton", "bfgs", "lbfgs")

_DAMPINGS = ("nielsen", "radius")
_SCALINGS = ("auto", "none", "limited", "more")


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt:
    """The Levenberg-Marquardt method with its options, as ``optim_solver`` of `train`.

    Attributes
    ----------
    damping : str
        ``"nielsen"``: the damping follows the gain ratio. ``"radius"``: it is that of a trust
        region.
    geodesic : bool
        Bend each step by half its acceleration, which costs about three gradients a step and saves
        steps in curved valleys.
    scaling : str
        How steps are measured: ``"none"`` (all parameters alike), ``"limited"`` (those that act a
        million times less than the strongest count less), ``"more"`` (by the largest norms that the
        columns of the Jacobian have had) or ``"auto"`` (none for networks).

    Examples
    --------
    >>> import mlpflow as mf
    >>> mf.TrainOptions(optim_solver=mf.LevenbergMarquardt(damping="radius")).optim_solver
    LevenbergMarquardt(damping='radius', geodesic=True, scaling='auto')
    """

    name: ClassVar[str] = "levenberg_marquardt"

    damping: str = "nielsen"
    geodesic: bool = True
    scaling: str = "auto"

    def __post_init__(self) -> None:
        _require_one_of(self.damping, "damping", _DAMPINGS)
        _require_one_of(self.scaling, "scaling", _SCALINGS)
        if not isinstance(self.geodesic, bool):
            raise TypeError(f"geodesic: expected True or False, got {shown(self.geodesic)}")


@dataclass(frozen=True, kw_only=True)
class GaussNewton:
    """The Gauss-Newton method with Powell's dogleg, as ``optim_solver`` of `train`.

    Attributes
    ----------
    scaling : str
        As for `LevenbergMarquardt`.
    """

    name: ClassVar[str] = "gauss_newton"

    scaling: str = "auto"

    def __post_init__(self) -> None:
        _require_one_of(self.scaling, "scaling", _SCALINGS)


Solver = str | LevenbergMarquardt | GaussNewton

SOLVERS_WITH_OPTIONS: dict[str, type[LevenbergMarquardt] | type[GaussNewton]] = {
    solver.name: solver for solver in (LevenbergMarquardt, GaussNewton)
}


def _require_one_of(value: Any, name: str, choices: tuple[str, ...]) -> None:
    if not (isinstance(value, str) and value in choices):
        raise ValueError(
            f"{name}: expected one of {', '.join(choices)}, got {shown(value)}"
            f"{did_you_mean(str(value), choices)}"
        )


def checked_solver(value: Any, name: str) -> Solver:
    """A name of a solver, or a solver with options."""
    if isinstance(value, (LevenbergMarquardt, GaussNewton)):
        return value
    _require_one_of(value, name, SOLVERS)
    solver: str = value
    return solver


def describe_solver(solver: Solver) -> str | dict[str, Any]:
    """The solver as the engine takes it."""
    if isinstance(solver, str):
        return solver
    return {"kind": solver.name, **dataclasses.asdict(solver)}


def solver_from_engine(description: str | dict[str, Any]) -> Solver:
    """The solver that `describe_solver` has described."""
    if isinstance(description, str):
        return description
    options = {name: value for name, value in description.items() if name != "kind"}
    return SOLVERS_WITH_OPTIONS[description["kind"]](**options)
