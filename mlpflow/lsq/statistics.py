"""How well the data determine the parameters of a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .objective import Objective

__all__ = ["Statistics", "statistics"]


@dataclass(frozen=True)
class Statistics:
    """Residual statistics and the covariance of the estimate at one point.

    Attributes
    ----------
    residuals, parameters : int
        Their numbers.
    rank : int
        Of the Jacobian: directions of parameter space that the data determine.
    degrees_of_freedom : int
        residuals - rank.
    variance : float
        Of a residual: the sum of squares (weighted, if there are several terms) / degrees of
        freedom.
    covariance : Tensor of shape (P, P)
        variance (J^T J)^+ ; infinite for parameters with a part in undetermined directions.
    standard_errors : Tensor of shape (P,)
    condition : float
        Largest over smallest singular value of the Jacobian with columns of length 1.
    message : str
    """

    residuals: int
    parameters: int
    rank: int
    degrees_of_freedom: int
    variance: float
    covariance: torch.Tensor
    standard_errors: torch.Tensor
    condition: float
    message: str


def statistics(objective: Objective) -> Statistics:
    """At the present parameters; O(P^3).

    Columns are brought to length 1 before the rank is decided, so that units do not matter;
    singular values below max(rows, P) eps of the largest (its root for normal equations) count as
    zero.
    """
    now = objective.linearize()
    size = len(objective.parameters)
    lengths = now.system.column_squares().clamp(min=0).sqrt()
    unit = torch.where(lengths > 0, lengths, torch.ones_like(lengths))
    values, vectors = now.system.scaled_spectrum(unit)
    largest = float(values[-1])
    floor = largest * now.system.rank_floor(now.rows)
    keep = values > floor
    rank = int(keep.sum())
    inverse = torch.where(keep, 1 / values.clamp(min=1e-300), torch.zeros_like(values))
    matrix = (vectors * inverse) @ vectors.T / (unit * unit.unsqueeze(1))
    freedom = now.rows - rank
    # Loss and system carry the same factor 1/N, which cancels.
    scale = now.loss / freedom if freedom > 0 else math.nan
    covariance = scale * matrix
    if rank < size:
        loose = (vectors[:, ~keep].square().sum(dim=1) > 1e-12) | (lengths == 0)
        covariance[loose, :] = math.inf
        covariance[:, loose] = math.inf
    smallest = float(values[keep][0]) if rank else math.nan
    return Statistics(
        residuals=now.rows,
        parameters=size,
        rank=rank,
        degrees_of_freedom=freedom,
        variance=_variance(objective, now.loss, now.rows, freedom),
        covariance=covariance,
        standard_errors=covariance.diagonal().clamp(min=0).sqrt(),
        condition=math.sqrt(largest / smallest) if rank == size else math.inf,
        message=_sentence(size, rank, freedom),
    )


def _variance(objective: Objective, loss: float, rows: int, freedom: int) -> float:
    if freedom <= 0:
        return math.nan
    factor = 1.0
    if len(objective.residuals) == 1 and objective.reduction == "mean":
        counts = objective.sample_counts(0)
        weight = objective.residuals[0].weight
        factor = counts[0] / weight if len(counts) == 1 and weight > 0 else 1.0
    return loss * factor / freedom


def _sentence(size: int, rank: int, freedom: int) -> str:
    if freedom <= 0:
        return f"No degrees of freedom are left ({size} parameters): errors cannot be estimated."
    if rank < size:
        return (
            f"The residuals determine {rank} of {size} directions of parameter space; the standard "
            "errors of parameters with a part in the others are infinite."
        )
    return f"All {size} parameters are determined."
