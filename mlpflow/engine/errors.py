"""What goes wrong on the other side."""

from __future__ import annotations

__all__ = ["EngineError", "engine_error"]


class EngineError(RuntimeError):
    """The engine failed, was killed or cannot be started.

    Parameters
    ----------
    message : str
        One sentence, with the engine's own words.
    kind : str
        The type of the Julia error, or ``"worker"`` when the process itself is concerned.
    trace : str
        The Julia stack trace, or the last lines that the worker wrote; empty when there is none.

    Examples
    --------
    >>> import mlpflow as mf
    >>> error = mf.EngineError("the Julia worker was killed by SIGKILL", kind="worker")
    >>> error.kind
    'worker'
    """

    def __init__(self, message: str, *, kind: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.message, self.kind, self.trace)


def _rebuild(message: str, kind: str, trace: str) -> EngineError:
    return EngineError(message, kind=kind, trace=trace)


def engine_error(function: str, error: dict[str, str]) -> EngineError:
    """The exception for an error reply of Julia to the call of a function."""
    kind, message = error["kind"], error["message"]
    message = message.removeprefix(f"{kind}: ")
    return EngineError(f"{function} failed in Julia: {message}", kind=kind, trace=error["trace"])
