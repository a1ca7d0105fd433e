"""One call from a model and data, or residuals, to a fitted model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .._hints import did_you_mean
from .criteria import Robust
from .data_terms import Loss, data_residuals, model_function
from .gauss_newton import GaussNewton
from .history import History
from .levenberg_marquardt import LevenbergMarquardt
from .loaders import batch_tensors
from .objective import Objective
from .optimizer import LeastSquaresOptimizer, Step
from .residuals import Residual
from .result import FitResult
from .status import LsqStatus
from .truncated import TruncatedGaussNewton

__all__ = ["OPTIMIZERS", "fit"]

OPTIMIZERS: dict[str, type[LeastSquaresOptimizer]] = {
    "levenberg_marquardt": LevenbergMarquardt,
    "gauss_newton": GaussNewton,
    "truncated": TruncatedGaussNewton,
}
