"""mlpflow: multi-layer perceptrons as mathematical objects.

Exact losses, gradients and Hessians in Float64, gradient flow to known accuracy, and second-order
optimization to true minima, on a Julia engine. Importing this package starts no Julia and imports
neither torch nor matplotlib: names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import EngineError, engine_info, shutdown, use_engine

__version__ = "0.1.0"

# Public names by the module that defines them.
_MODULES = {
    "engine": ["EngineError", "engine_info", "shutdown", "use_engine"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "EngineError",
    "engine_info",
    "shutdown",
    "use_engine",
]


def __getattr__(name: str) -> object:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'mlpflow' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
