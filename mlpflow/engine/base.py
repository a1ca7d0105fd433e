"""The one small interface through which everything reaches the engine."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

__all__ = ["Engine", "Remote"]

Event = Callable[[dict[str, Any]], None]
Question = Callable[[dict[str, Any]], bool]


class Remote(Protocol):
    """Something that Python owns and the engine keeps a copy of.

    Attributes
    ----------
    _key : int
        Its number, unique in this process.
    """

    _key: int

    def _creation(self) -> tuple[str, dict[str, Any]]:
        """The call that makes the engine's copy: a function and its arguments without the key."""


def creations(remotes: Sequence[Remote], known: set[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls that make copies of what is not `known` yet, which it is once its call is made."""
    for remote in remotes:
        if remote._key not in known:
            function, description = remote._creation()
            yield function, {"key": remote._key, **description}
            known.add(remote._key)


class Engine(abc.ABC):
    """Runs named functions of the Julia engine on plain data."""

    name: str

    @abc.abstractmethod
    def call(
        self,
        function: str,
        arguments: dict[str, Any],
        *,
        remotes: Sequence[Remote] = (),
        on_event: Event | None = None,
        on_question: Question | None = None,
        cancellable: bool = False,
    ) -> Any:
        """Run a function and return its result.

        Parameters
        ----------
        function : str
            Its name, one of those in julia/bridge.
        arguments : dict
            Plain data and NumPy arrays.
        remotes : sequence of Remote
            What the call refers to; sent first where the engine does not have it yet.
        on_event : callable, optional
            Takes the messages that the engine sends on the way.
        on_question : callable, optional
            Answers the engine's questions on the way.
        cancellable : bool
            Does the first Ctrl-C end the call with what it has reached so far?

        Raises
        ------
        EngineError
            When Julia threw, or the engine died or cannot be started.
        """

    @abc.abstractmethod
    def forget(self, key: int) -> None:
        """The object with this key is gone; may be called at any time, from any thread."""

    def cancel(self) -> None:  # noqa: B027 - an engine that cannot has nothing to do
        """End the cancellable call under way with what it has reached so far; from any thread."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """End the engine; the next call starts a new one."""

    @abc.abstractmethod
    def terminate(self) -> None:
        """Python ends: end the engine without waiting for a call of another thread."""

    @abc.abstractmethod
    def abandon(self) -> None:
        """In a forked child: let go of what belongs to the parent."""
