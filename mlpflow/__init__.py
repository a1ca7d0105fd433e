"""mlpflow: multi-layer perceptrons as mathematical objects.

Exact losses, gradients and Hessians in Float64, gradient flow to known accuracy, and second-order
optimization to true minima, on a Julia engine. Importing this package starts no Julia and imports
neither torch nor matplotlib: names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .activations import ACTIVATIONS, Activation, Poly
    from .batches import minibatches
    from .certificate import Certificate, certify
    from .classification import Classification, classify
    from .curvature import (
        gauss_newton,
        gauss_newton_product,
        hvp,
        jacobian,
        residuals,
        value_and_gradient,
    )
    from .engine import EngineError, engine_info, shutdown, use_engine
    from .grid import sweep
    from .infinite import InfiniteNet
    from .initialization import random_params
    from .integral import NormalIntegral
    from .many import train_many
    from .matching import NeuronMatching
    from .net import Net
    from .neurons import match_neurons
    from .nodes import IntegralEstimate
    from .objective import Spectrum, gradient, hessian, hessian_spectrum, loss
    from .options import TrainOptions
    from .params import Params
    from .picklefile import pickle, unpickle
    from .polishing import PolishResult, polish
    from .progress import Progress
    from .quadrature import (
        QuadratureNet,
        gauss_hermite_net,
        integration_error,
        integration_estimate,
    )
    from .result import FlowResult, OptimResult, TrainResult, Trajectory
    from .rules import Adam, AdamW, GradientDescent, HeavyBall, Nesterov, RMSprop, Rule
    from .runs import FailedRun
    from .schedules import Constant, Cosine, Schedule, StepDecay, WarmUp
    from .solvers import GaussNewton, LevenbergMarquardt
    from .status import Status
    from .storage import load, save
    from .teacher import TeacherNet
    from .training import train
    from .trajectories import TrajectoryDistance, trajectory_distance

__version__ = "0.1.0"

# Public names by the module that defines them.
_MODULES = {
    "activations": ["ACTIVATIONS", "Activation", "Poly"],
    "batches": ["minibatches"],
    "classification": ["Classification", "classify"],
    "certificate": ["Certificate", "certify"],
    "curvature": [
        "gauss_newton",
        "gauss_newton_product",
        "hvp",
        "jacobian",
        "residuals",
        "value_and_gradient",
    ],
    "engine": ["EngineError", "engine_info", "shutdown", "use_engine"],
    "many": ["train_many"],
    "infinite": ["InfiniteNet"],
    "net": ["Net"],
    "matching": ["NeuronMatching"],
    "neurons": ["match_neurons"],
    "integral": ["NormalIntegral"],
    "nodes": ["IntegralEstimate"],
    "objective": ["Spectrum", "gradient", "hessian", "hessian_spectrum", "loss"],
    "options": ["TrainOptions"],
    "params": ["Params"],
    "polishing": ["PolishResult", "polish"],
    "picklefile": ["pickle", "unpickle"],
    "progress": ["Progress"],
    "initialization": ["random_params"],
    "quadrature": [
        "QuadratureNet",
        "gauss_hermite_net",
        "integration_error",
        "integration_estimate",
    ],
    "result": ["FlowResult", "OptimResult", "TrainResult", "Trajectory"],
    "rules": ["Adam", "AdamW", "GradientDescent", "HeavyBall", "Nesterov", "RMSprop", "Rule"],
    "schedules": ["Constant", "Cosine", "Schedule", "StepDecay", "WarmUp"],
    "runs": ["FailedRun"],
    "status": ["Status"],
    "solvers": ["GaussNewton", "LevenbergMarquardt"],
    "storage": ["load", "save"],
    "grid": ["sweep"],
    "teacher": ["TeacherNet"],
    "training": ["train"],
    "trajectories": ["TrajectoryDistance", "trajectory_distance"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Adam",
    "AdamW",
    "Certificate",
    "Classification",
    "Constant",
    "Cosine",
    "EngineError",
    "FailedRun",
    "FlowResult",
    "GaussNewton",
    "GradientDescent",
    "HeavyBall",
    "InfiniteNet",
    "IntegralEstimate",
    "LevenbergMarquardt",
    "Nesterov",
    "Net",
    "NeuronMatching",
    "NormalIntegral",
    "OptimResult",
    "Params",
    "PolishResult",
    "Poly",
    "Progress",
    "QuadratureNet",
    "RMSprop",
    "Rule",
    "Schedule",
    "Spectrum",
    "Status",
    "StepDecay",
    "TeacherNet",
    "TrainOptions",
    "TrainResult",
    "Trajectory",
    "TrajectoryDistance",
    "WarmUp",
    "certify",
    "classify",
    "engine_info",
    "gauss_hermite_net",
    "gauss_newton",
    "gauss_newton_product",
    "gradient",
    "hessian",
    "hessian_spectrum",
    "hvp",
    "integration_error",
    "integration_estimate",
    "jacobian",
    "load",
    "loss",
    "match_neurons",
    "minibatches",
    "pickle",
    "polish",
    "random_params",
    "residuals",
    "save",
    "shutdown",
    "sweep",
    "train",
    "train_many",
    "trajectory_distance",
    "unpickle",
    "use_engine",
    "value_and_gradient",
]


def __getattr__(name: str) -> object:
    module = _HOME.get(name)
    if module is not None:
        value: object = getattr(importlib.import_module(f".{module}", __name__), name)
    elif name == "julia":  # of the engine that runs now: not to be remembered
        return importlib.import_module(".engine.selection", __name__).julia_module()
    elif name == "plot":
        value = importlib.import_module(".plot", __name__)
    else:
        raise AttributeError(f"module 'mlpflow' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
