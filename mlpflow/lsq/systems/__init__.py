"""Least-squares systems min |u + B d|^2: made from rows, then asked for steps."""

from .base import System
from .normal import NormalSystem
from .rows import RowSystem
from .triangular import TriangularSystem

__all__ = ["NormalSystem", "RowSystem", "System", "TriangularSystem"]
