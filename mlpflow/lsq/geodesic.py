"""The second-order correction of a step: geodesic acceleration."""

from __future__ import annotations

import torch

from .objective import Linearization, Objective

__all__ = ["acceleration"]

# Of the step, for the second difference along it: truncation 1e-4, rounding 1e-12 in float64.
_DIFFERENCE = 1e-2


def acceleration(
    objective: Objective,
    now: Linearization,
    x: torch.Tensor,
    d: torch.Tensor,
    damping: float,
    scale: torch.Tensor | None,
    free: torch.Tensor | None,
) -> torch.Tensor:
    """Half the acceleration ``a`` along ``d``, or zeros where |a| > 3/4 |d|.

    (B^T B + lambda D^2) a = -B^T r'' with the second directional derivative r'' along d, by
    central differences (Transtrum, Machta & Sethna 2011, Phys. Rev. E 83, 036701, section IV).
    """
    parameters = objective.parameters
    h = _DIFFERENCE
    parameters.write(x + h * d)
    ahead = objective.residual_vector()
    parameters.write(x - h * d)
    behind = objective.residual_vector()
    parameters.write(x)
    pulled = objective.pull_second_difference(ahead, behind, h)
    a = now.system.solve_for(pulled, damping, scale, free)
    if a is None or not bool(torch.isfinite(a).all()):
        return torch.zeros_like(d)
    weight = torch.ones_like(d) if scale is None else scale
    if float((weight * a).norm()) > 0.75 * float((weight * d).norm()):
        return torch.zeros_like(d)
    return 0.5 * a
