"""Proofs that a critical point exists, that it is the only one nearby, and of which kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .net import LossNetwork
from .objective import Merge, evaluate
from .params import Params
from .text import Row, format_html, format_rows

__all__ = ["Certificate", "certify"]


@dataclass(frozen=True, eq=False)
class Certificate:
    """What `certify` has proved, or why it has proved nothing. Norms are infinity norms.

    Attributes
    ----------
    proved : bool
    reason : str
        What was proved, or why nothing was, in a sentence.
    params, params_low : Params
        The centre, ``params + params_low`` exactly: the given point, polished.
    radius : float
        Exactly one critical point of the loss lies within ``radius`` of the centre.
    error : float
        It lies within ``error`` of the centre.
    distance : float
        It lies within ``distance`` of the given point.
    index : int or None
        How many eigenvalues of its Hessian are negative.
    kind : str or None
        ``"minimum"`` (index 0), ``"saddle"`` or ``"maximum"`` (index P).
    eigenvalue_bounds : ndarray of shape (P, 2)
        Between which numbers each eigenvalue of its Hessian lies, ascending.
    smallest_eigenvalue : float
        A lower bound of the smallest absolute eigenvalue.
    contraction : float
        The factor, below 1, of Newton's simplified map on the ball of that radius.
    gnorm : float
        A bound of the gradient norm at the centre.

    Where nothing is proved, numbers are nan, `index` and `kind` None and the array is empty.
    """

    proved: bool
    reason: str
    params: Params
    params_low: Params
    radius: float
    error: float
    distance: float
    index: int | None
    kind: str | None
    eigenvalue_bounds: np.ndarray
    smallest_eigenvalue: float
    contraction: float
    gnorm: float

    def __bool__(self) -> bool:
        return self.proved

    def __repr__(self) -> str:
        return f"Certificate({'proved' if self.proved else 'not proved'}: {self.reason})"

    def __str__(self) -> str:
        return format_rows("Certificate", self._rows())

    def _repr_html_(self) -> str:
        return format_html("Certificate", self._rows())

    def _rows(self) -> list[Row]:
        verdict = ("proved" if self.proved else "not proved", self.reason)
        if not self.proved:
            return [verdict]
        lower, upper = self.eigenvalue_bounds[0, 0], self.eigenvalue_bounds[-1, 1]
        size = len(self.eigenvalue_bounds)
        return [
            verdict,
            ("kind", f"{self.kind}, index {self.index} of {size}"),
            ("radius", f"{self.radius:.3g}: no other critical point is as near to the centre"),
            (
                "error",
                f"{self.error:.2e} from the centre, {self.distance:.2e} from the given point",
            ),
            (
                "Hessian",
                f"eigenvalues within [{lower:.4g}, {upper:.4g}], none below "
                f"{self.smallest_eigenvalue:.4g} in size",
            ),
            ("gradient", f"at most {self.gnorm:.2e} at the centre"),
        ]


def certify(
    net: LossNetwork, p: Any, *, maxnorm: float = np.inf, merge: Merge | None = None
) -> Certificate:
    """Prove that exactly one critical point lies near a point, and find its index.

    Every rounding error is bounded (ball arithmetic with double-double centres), so that a proof
    is one: of the loss as the mathematical function of inputs, targets and weights, the numbers
    that they are in Float64. The argument is Krawczyk's; see docs/certificates.md.

    The point must stand for a critical point: it is polished first (see `polish`) and refused when
    that moves it by more than 5e-4 in the 2-norm (or 5e-4 times its own 2-norm, if that is below
    1), or when an eigenvalue of its Hessian cannot be told from 0 in Float64. All activations must
    be analytic: relu, selu and those of your own are refused. With an `InfiniteNet` expectations
    must have closed forms: those of relu, sigmoid2, normal_cdf, exp, identity, square, cube and
    `Poly` have, other activations are refused.

    Parameters
    ----------
    net, p, maxnorm, merge
        As for `loss`. The cost grows with N P^2: about a second for P = 25 and N = 10,000.

    Returns
    -------
    Certificate
        True in a condition when it proves something.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> x = np.array([[1.0], [2.0], [3.0]])
    >>> net = mf.Net([(1, "tanh", False)], x, np.array([0.5, 0.7, 0.9]))
    >>> result = mf.train(net, [0.4])
    >>> certificate = mf.certify(net, result.params)
    >>> certificate.proved, certificate.kind, certificate.radius > 0.01, certificate.error < 1e-20
    (True, 'minimum', True, True)
    """
    answer = evaluate("certify", net, p, maxnorm, merge)
    bounds = (answer.pop("eigenvalues_lower"), answer.pop("eigenvalues_upper"))
    proved = answer["proved"]
    return Certificate(
        proved=proved,
        reason=answer["reason"],
        params=net._params(answer["x"]),
        params_low=net._params(answer["low"]),
        radius=answer["radius"],
        error=answer["error"],
        distance=answer["distance"],
        index=answer["index"] if proved else None,
        kind=answer["kind"] if proved else None,
        eigenvalue_bounds=np.column_stack(bounds),
        smallest_eigenvalue=answer["smallest"],
        contraction=answer["contraction"],
        gnorm=answer["gnorm"],
    )
