"""Expectations of a user's own function over normal distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._check import as_number, as_whole, to_numpy
from .nodes import Nodes, candidates

__all__ = ["NormalIntegral"]


class NormalIntegral:
    """Expectations under a normal distribution, by quadrature or quasi-Monte Carlo.

    Parameters
    ----------
    N : int, optional
        Gauss-Hermite nodes an axis; 600 for ``d`` up to 2.
    d : int
        Dimensions.
    mean : array of shape (d,), optional
        Zero when not given.
    covariance : array of shape (d, d), optional
        The identity when not given; may be singular. A number or d variances will do too.
    rule, level, points, seed, threshold
        As for `gauss_hermite_net`, but that ``"auto"`` takes quasi-Monte Carlo from 3 dimensions
        on.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> integral = mf.NormalIntegral(d=2)
    >>> print(f"{integral(lambda x: np.cos(x[:, 0] + x[:, 1])):.12f}")  # exp(-1)
    0.367879441171
    >>> print(f"{integral(lambda x: np.cos(x[:, 0] + x[:, 1]), 0.5):.12f}")  # correlation 1/2
    0.223130160148
    """

    def __init__(
        self,
        N: int | None = None,
        d: int = 1,
        *,
        mean: Any = None,
        covariance: Any = None,
        rule: str = "auto",
        level: int | None = None,
        points: int = 2**14,
        seed: int = 0,
        threshold: float | None = None,
    ) -> None:
        self._d = as_whole(d, "d", low=1)
        self._standard = mean is None and covariance is None
        wishes = {
            "rule": rule,
            "N": N,
            "level": level,
            "points": points,
            "seed": seed,
            "threshold": threshold,
        }
        self._nodes = candidates(self._d, mean, covariance, wishes)[0]
        self._points = self._nodes.points()

    @property
    def nodes(self) -> np.ndarray:
        """Nodes of shape (N, d)."""
        return self._points[0]

    @property
    def weights(self) -> np.ndarray:
        """Weights of shape (N,); they sum to 1."""
        return self._points[1]

    @property
    def rule(self) -> dict[str, Any]:
        """The rule's kind and numbers."""
        return dict(self._nodes.rule)

    def __call__(
        self, f: Callable[[np.ndarray], Any], u: float | None = None, *, error: bool = False
    ) -> Any:
        """The expectation of a function.

        Parameters
        ----------
        f : callable
            Gets all nodes at once: an array of shape (N, d), or (N,) when d = 1. Returns an array
            whose first axis has length N.
        u : float, optional
            The correlation of the two variables, when d = 2 and the distribution is the standard
            one.
        error : bool
            Return an `IntegralEstimate` instead, which tells how far the value is off.

        Returns
        -------
        float, ndarray or IntegralEstimate
        """
        nodes = self._nodes if u is None else self._correlated(u)
        if error:
            return nodes.estimate(lambda other: _mean(f, *other.points()))
        points = self._points if u is None else nodes.points()
        value = _mean(f, *points)
        return value if value.ndim else float(value)

    def _correlated(self, u: Any) -> Nodes:
        if self._d != 2 or not self._standard:
            raise ValueError(
                "u: expected a correlation for the standard normal distribution with d = 2, got "
                "another distribution"
            )
        u = as_number(u, "u", low=-1.0)
        if u > 1:
            raise ValueError(f"u: expected a correlation from -1 to 1, got {u}")
        factor = np.array([[1.0, u], [0.0, np.sqrt((1 - u) * (1 + u))]])
        return Nodes(self._nodes.mean, factor, self._nodes.rule)

    def __repr__(self) -> str:
        return f"NormalIntegral in {self._d} dimensions: {len(self.weights)} nodes, {self.rule}"


def _mean(f: Callable[[np.ndarray], Any], x: np.ndarray, w: np.ndarray) -> np.ndarray:
    values = to_numpy(f(x[:, 0] if x.shape[1] == 1 else x), "f")
    if values.ndim == 0 or len(values) != len(w):
        raise ValueError(
            f"f: expected values for {len(w)} nodes along the first axis, got the shape "
            f"{values.shape}; f gets all nodes at once"
        )
    return np.tensordot(w, values.astype(float), axes=1)
