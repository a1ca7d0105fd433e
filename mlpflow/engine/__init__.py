"""The way from Python to Julia: which Julia, which engine, and the calls."""

from .errors import EngineError
from .selection import current_engine, engine_info, shutdown, use_engine

__all__ = ["EngineError", "current_engine", "engine_info", "shutdown", "use_engine"]
