"""A call into Julia in this process, from its request to its reply."""

from __future__ import annotations

from typing import Any

from .base import Event, Question
from .errors import EngineError, engine_error
from .interrupts import InterruptGuard

__all__ = ["PendingCall"]


class PendingCall:
    """What happens between the request and the reply.

    Attributes
    ----------
    number : int
        Its number on the wire.
    to_cancel : bool
        Is Julia to be told, at its next look, to end the call?
    """

    def __init__(
        self,
        function: str,
        on_event: Event | None = None,
        on_question: Question | None = None,
        cancellable: bool = False,
    ) -> None:
        self.function = function
        self.cancellable = cancellable
        self.number = 0
        self.to_cancel = False
        self.guard = InterruptGuard(self._first_interrupt, self._second_interrupt)
        self._on_event = on_event
        self._on_question = on_question
        self._reply: dict[str, Any] | None = None
        self._pending: BaseException | None = None

    def take(self, message: dict[str, Any]) -> None:
        """An event, or the reply."""
        if "event" not in message:
            self._reply = message
        elif self._on_event is not None and self._pending is None:
            self._on_event(message["event"])

    def ask(self, question: dict[str, Any]) -> bool:
        """Does the client want to stop?"""
        if self._on_question is None or self._pending is not None:
            return True
        try:
            return bool(self._on_question(question))
        except BaseException as error:
            self.fail(error)
            return True

    def fail(self, error: BaseException) -> None:
        """End the call; the exception comes out after it."""
        self._pending = self._pending or error
        self.to_cancel = self.cancellable

    def outcome(self) -> Any:
        """The result, or what went wrong."""
        if self._pending is not None:
            raise self._pending
        if self.guard.count and not self.cancellable:
            self.guard.pass_on()
        if self._reply is None:
            raise EngineError(f"Julia gave no reply to {self.function}", kind="juliacall")
        if "error" in self._reply:
            raise engine_error(self.function, self._reply["error"])
        return self._reply["result"]

    def _first_interrupt(self) -> None:
        self.to_cancel = self.cancellable

    def _second_interrupt(self) -> None:
        # Julia in this process cannot be killed: the result is thrown away.
        self.fail(KeyboardInterrupt())
