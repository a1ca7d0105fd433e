"""Ctrl-C while Julia works.

The worker does not get the signal: it lives in a session of its own. Raising KeyboardInterrupt in
the middle of reading a frame would lose our place in the stream, so for the time of a call a
handler takes the signal and acts on the worker instead.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

__all__ = ["InterruptGuard"]


class InterruptGuard:
    """Takes SIGINT for the time of one call, in the main thread.

    Parameters
    ----------
    first, second : callable
        What the first and the second Ctrl-C do. A third one goes to the handler that was there
        before, which usually raises KeyboardInterrupt.

    Attributes
    ----------
    count : int
        How often Ctrl-C was pressed.
    """

    def __init__(self, first: Callable[[], None], second: Callable[[], None]) -> None:
        self.count = 0
        self._actions = (first, second)
        self._previous: Callable[[int, FrameType | None], object] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):  # neither ignored by the user nor set by foreign code
                self._previous = previous
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count <= len(self._actions):
            self._actions[self.count - 1]()
        else:
            self.pass_on()

    def pass_on(self) -> None:
        """Do what Ctrl-C would have done without the guard; usually raises KeyboardInterrupt."""
        if self._previous is not None:
            self._previous(signal.SIGINT, None)
        raise KeyboardInterrupt
