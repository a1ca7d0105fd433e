"""Levenberg-Marquardt and Gauss-Newton for any `torch.nn.Module`.

The loss is ``sum_k weight_k / N_k sum |r|^2``: the mean over the samples and the sum over the
outputs of each residual function, without a factor 1/2. Depends on torch alone, not on the Julia
engine.
"""

from .damping import Marquardt, Nielsen, Radius, TrustRegion
from .fit import fit
from .gauss_newton import GaussNewton
from .history import History
from .levenberg_marquardt import LevenbergMarquardt
from .optimizer import Step
from .pieces import (
    gauss_newton_diagonal,
    gauss_newton_matrix,
    gnvp,
    jacobian,
    parameter_count,
)
from .residuals import Residual
from .result import FitResult
from .statistics import Statistics
from .status import LsqStatus
from .sum_of_squares import SumOfSquares
from .tabular import TabularDataset
from .truncated import TruncatedGaussNewton

__all__ = [
    "FitResult",
    "GaussNewton",
    "History",
    "LevenbergMarquardt",
    "LsqStatus",
    "Marquardt",
    "Nielsen",
    "Radius",
    "Residual",
    "Statistics",
    "Step",
    "SumOfSquares",
    "TabularDataset",
    "TruncatedGaussNewton",
    "TrustRegion",
    "fit",
    "gauss_newton_diagonal",
    "gauss_newton_matrix",
    "gnvp",
    "jacobian",
    "parameter_count",
]
