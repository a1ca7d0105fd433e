"""The engine inside this process, through juliacall.

The frames and the dispatcher are those of the worker. A frame is handed over as an address; what
Julia sends back, in the middle of a call and at its end, comes through one C callback. The call
runs without the interpreter's lock, which the callback takes. Julia calls back every 50 ms with
nothing: Python acts on signals then, and a cancel request goes out.
"""

from __future__ import annotations

import collections
import ctypes
import itertools
import os
import threading
from collections.abc import Sequence
from typing import Any

from .base import Engine, Event, Question, Remote, creations
from .embedding import Embedding, start_julia
from .errors import EngineError
from .pendingcall import PendingCall
from .wire import Wire

__all__ = ["JuliacallEngine"]

_Deliver = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)


class JuliacallEngine(Engine):
    """Calls into Julia in this process; from several threads they queue."""

    name = "juliacall"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._julia: Embedding | None = None
        self._serve: Any = None
        self._deliver = _Deliver(self._take)
        self._wire = Wire()
        self._known: set[int] = set()
        self._gone: collections.deque[int] = collections.deque()
        self._numbers = itertools.count(1)
        self._calls: list[PendingCall] = []  # the innermost last

    @property
    def module(self) -> Any:
        """The live Julia module MLPFlow."""
        with self._lock:
            self._start()
            assert self._julia is not None
            return self._julia.module

    @property
    def pid(self) -> int:
        """The number of the process in which Julia runs: this one."""
        return os.getpid()

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
        with self._lock:
            self._start()
            for creation, description in creations(remotes, self._known):
                self._run(PendingCall(creation), description)
            return self._run(PendingCall(function, on_event, on_question, cancellable), arguments)

    def forget(self, key: int) -> None:
        self._gone.append(key)

    def cancel(self) -> None:
        for call in tuple(self._calls):
            call.to_cancel = call.cancellable

    def shutdown(self) -> None:
        """Forget the networks. Julia itself stays as long as this process."""
        with self._lock:
            self._serve = None
            self._known.clear()
            self._gone.clear()

    def terminate(self) -> None:
        self._serve = None  # Julia ends with the process, by juliacall's own hook

    def abandon(self) -> None:
        self._serve = None

    def _start(self) -> None:
        if self._serve is None:
            self._julia = start_julia()
            address = ctypes.cast(self._deliver, ctypes.c_void_p).value
            self._serve = self._julia.module.serve_in_process(address)

    def _run(self, call: PendingCall, arguments: dict[str, Any]) -> Any:
        call.number = next(self._numbers)
        message = {"id": call.number, "call": call.function, "arguments": arguments}
        gone = [self._gone.popleft() for _ in range(len(self._gone))]
        self._known.difference_update(gone)
        payload = self._wire.pack({**message, "drop": gone})
        self._calls.append(call)
        try:
            with call.guard:
                self._hand_over(self._serve._jl_call_nogil, payload)
        finally:
            self._calls.pop()
        return call.outcome()

    def _hand_over(self, serve: Any, payload: bytes) -> None:
        """Julia copies the frame before anything else."""
        address = ctypes.cast(ctypes.c_char_p(payload), ctypes.c_void_p).value
        try:
            serve(address, len(payload))
        except Exception as error:
            if type(error).__name__ != "JuliaError":
                raise
            text = str(error)
            raise EngineError(text.partition("\n")[0], kind="juliacall", trace=text) from None

    def _take(self, address: int | None, size: int) -> None:
        """What Julia calls. No exception may leave it: ctypes would print and lose it."""
        call = self._calls[-1]
        try:
            message = self._wire.unpack(ctypes.string_at(address, size)) if address else {}
            if "question" in message:
                answer = {"id": message["id"], "answer": call.ask(message["question"])}
                self._hand_over(self._serve, self._wire.pack(answer))
            elif message:
                call.take(message)
        except BaseException as error:
            call.fail(error)
        if call.to_cancel:
            call.to_cancel = False
            self._hand_over(self._serve, self._wire.pack({"cancel": call.number}))
