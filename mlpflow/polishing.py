"""Beyond Float64: a critical point with twice the digits, and the true digits of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_number, as_whole
from .net import LossNetwork
from .objective import Merge, evaluate
from .params import Params
from .status import Status
from .text import Row, format_html, format_rows

__all__ = ["PolishResult", "polish"]


@dataclass(frozen=True, eq=False)
class PolishResult:
    """What `polish` found.

    Attributes
    ----------
    params : Params
        The point, rounded to Float64.
    params_low : Params
        What rounding took away: the point is ``params + params_low``, exactly.
    loss, loss_low : float
        The loss of the mathematical function at that point is ``loss + loss_low``, up to
        ``loss_error``.
    loss_error : float
        A proved bound of the error of the loss, rounding included; nan with activations of your
        own.
    loss_digits : str
        The loss with all digits that ``loss_error`` leaves, at most 30.
    gnorm : float
        Infinity norm of the gradient at ``params + params_low``.
    distance : float
        How far the parameters were moved (infinity norm).
    status : Status
        ``gradient_tolerance``, ``stalled``, ``degenerate``, ``maxiterations`` or
        ``nonfinite_start``.
    message : str
        The status in a sentence, with the rank of a singular Hessian.
    iterations : int
        Newton steps.
    rank : int
        How many eigenvalues of the Hessian are not zero to rounding.
    """

    params: Params
    params_low: Params
    loss: float
    loss_low: float
    loss_error: float
    loss_digits: str
    gnorm: float
    distance: float
    status: Status
    message: str
    iterations: int
    rank: int

    @property
    def converged(self) -> bool:
        """The tolerance on the gradient norm was met."""
        return bool(self.status == "gradient_tolerance")

    def __repr__(self) -> str:
        return (
            f"PolishResult({self.status}: loss {self.loss_digits}, gradient {self.gnorm:.2e}, "
            f"rank {self.rank} of {len(self.params)}, {self.iterations} iterations)"
        )

    def __str__(self) -> str:
        return format_rows("PolishResult", self._rows())

    def _repr_html_(self) -> str:
        return format_html("PolishResult", self._rows())

    def _rows(self) -> list[Row]:
        known = "not bounded" if np.isnan(self.loss_error) else f"within {self.loss_error:.1e}"
        return [
            ("loss", f"{self.loss_digits} ({known})"),
            ("gradient", f"{self.gnorm:.2e}"),
            ("status", f"{self.status}: {self.message}"),
            ("moved by", f"{self.distance:.2e} in {self.iterations} iterations"),
            ("Hessian", f"rank {self.rank} of {len(self.params)} to rounding"),
        ]


def polish(
    net: LossNetwork,
    p: Any,
    *,
    maxnorm: float = np.inf,
    merge: Merge | None = None,
    min_gnorm: float = 1e-20,
    maxiterations: int = 30,
) -> PolishResult:
    """Take a point near a critical point to a gradient norm of 1e-20 and below.

    Newton's method with parameters, loss and gradient in double-double arithmetic (32 digits). The
    loss is taken as the mathematical function of inputs, targets and weights, the numbers that
    they are in Float64; for an `InfiniteNet`, of the teacher, mean and covariance. Train first: a
    step is taken only when the gradient norm falls, so that this never leaves for another valley.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`.
    min_gnorm : float
        Stop when the infinity norm of the gradient is at most this; 0 goes on to the rounding
        level of double-double arithmetic, about 1e-30.
    maxiterations : int
        The largest number of Newton steps.

    Returns
    -------
    PolishResult

    Raises
    ------
    EngineError
        When an activation of your own calls a function that has no method for double-double
        numbers (those with one: arithmetic, powers, sqrt, exp, expm1, log, log1p, tanh, sin, cos
        and the activations of this package), or when an activation of an `InfiniteNet` has no
        closed form (relu, sigmoid2, normal_cdf, exp and polynomials have).

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> x = np.array([[1.0], [2.0], [3.0]])
    >>> net = mf.Net([(1, "identity", False)], x, np.array([1.0, 2.0, 2.0]))
    >>> result = mf.polish(net, [0.7857142857142857])
    >>> result.loss_digits  # 5/42
    '1.19047619047619047619047619048e-1'
    """
    answer = evaluate(
        "polish",
        net,
        p,
        maxnorm,
        merge,
        min_gnorm=as_number(min_gnorm, "min_gnorm", low=0.0),
        maxiterations=as_whole(maxiterations, "maxiterations"),
    )
    answer["params"] = net._params(answer.pop("x"))
    answer["params_low"] = net._params(answer.pop("low"))
    answer["status"] = Status(answer["status"])
    return PolishResult(**answer)
