"""The engine as a Julia child process, started at the first call and kept."""

from __future__ import annotations

import collections
import contextlib
import itertools
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from .base import Engine, Event, Question, Remote, creations
from .discovery import Julia, engine_root, find_julia
from .errors import EngineError, engine_error
from .firststart import one_at_a_time
from .image import ImagePlace, find_image
from .interrupts import InterruptGuard
from .mending import mend_of_start
from .process import WorkerDied, WorkerProcess
from .wire import Wire

__all__ = ["WorkerEngine"]

PROTOCOL = 1  # the number in the greeting of julia/bridge/worker.jl

# Seconds that a call which cannot be cancelled may still take after Ctrl-C before its worker ends.
GRACE = 2.0

# Seconds after which a start is explained.
SLOW_START = 4.0


class WorkerEngine(Engine):
    """Calls to a worker; from several threads they queue.

    A call made from inside a callback of another one is answered while that one waits.
    """

    name = "worker"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: WorkerProcess | None = None
        self._wire = Wire()
        self._known: set[int] = set()
        self._gone: collections.deque[int] = collections.deque()
        self._numbers = itertools.count(1)
        self._depth = 0
        self._replies: dict[int, dict[str, Any]] = {}
        self._conversations: list[_Conversation] = []

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
            process = self._process or self._start()
            for creation, description in creations(remotes, self._known):
                self._run(process, creation, description)
            return self._run(process, function, arguments, on_event, on_question, cancellable)

    def forget(self, key: int) -> None:
        self._gone.append(key)

    def cancel(self) -> None:
        for conversation in tuple(self._conversations):
            conversation.cancel()

    def shutdown(self) -> None:
        with self._lock:
            if self._process is not None:
                self._let_go().close()

    def terminate(self) -> None:
        # A thread may be in the middle of a call, and hold the lock, for minutes.
        if self._lock.acquire(timeout=0.1):
            try:
                self.shutdown()
            finally:
                self._lock.release()
        elif self._process is not None:
            self._process.kill()

    def abandon(self) -> None:
        if self._process is not None:
            self._process.abandon()
            self._process = None

    @property
    def pid(self) -> int | None:
        """The worker's process number, or None when there is none."""
        return self._process.pid if self._process is not None else None

    def _start(self) -> WorkerProcess:
        julia, root = find_julia(), engine_root()
        image = find_image(julia, root)
        process = _start_from_image(julia, image) if image is not None else None
        if process is None:
            with one_at_a_time(julia, root):
                process = _start_process(julia)
        self._process = process
        self._wire = Wire(process.exchange)
        return process

    def _let_go(self) -> WorkerProcess:
        """Forget the process; the next call starts a new one and sends the networks again."""
        assert self._process is not None
        process, self._process = self._process, None
        self._known.clear()
        self._gone.clear()
        self._replies.clear()
        return process

    def _run(
        self,
        process: WorkerProcess,
        function: str,
        arguments: dict[str, Any],
        on_event: Event | None = None,
        on_question: Question | None = None,
        cancellable: bool = False,
    ) -> Any:
        number = next(self._numbers)
        alone = self._depth == 0
        if alone:
            process.exchange.clear()
        message = {"id": number, "call": function, "arguments": arguments, "alone": alone}
        if self._gone:
            message["drop"] = self._take_gone()
        payload = self._wire.pack(message)
        conversation = _Conversation(self, process, number, on_event, on_question, cancellable)
        self._depth += 1
        self._conversations.append(conversation)
        try:
            reply = conversation.hold(payload)
        except WorkerDied:
            raise self._explain_death(process, function) from None
        except BaseException:
            self._end(process)
            raise
        finally:
            self._depth -= 1
            self._conversations.remove(conversation)
        if alone:
            process.exchange.clear()
        conversation.raise_pending()
        if "error" in reply:
            raise engine_error(function, reply["error"])
        return reply["result"]

    def _take_gone(self) -> list[int]:
        gone = []
        while self._gone:
            gone.append(self._gone.popleft())
        self._known.difference_update(gone)
        return gone

    def _end(self, process: WorkerProcess) -> str:
        if self._process is process:
            self._let_go()
            process.kill()
            return process.close()
        return "has ended"

    def _explain_death(self, process: WorkerProcess, function: str) -> EngineError:
        how = self._let_go().close() if self._process is process else "has ended"
        words = process.last_words
        said = f"; its last words: {_tail(words)}" if words else ""
        return EngineError(
            f"the Julia worker {how} during {function}{said}; the next call starts a new one",
            kind="worker",
            trace=words,
        )


def _start_from_image(julia: Julia, image: ImagePlace) -> WorkerProcess | None:
    """A worker that starts from the image; None, and a note, when the image is broken."""
    process = WorkerProcess(julia, image.path)
    try:
        _greet(process)
    except EngineError as error:
        ended_from_outside = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
        image.reject(remove=process.exit_code not in ended_from_outside)
        print(
            f"mlpflow: starting without the system image {image.path}: {error}; "
            "`mlpflow setup` builds a new one",
            file=sys.stderr,
            flush=True,
        )
        return None
    return process


def _start_process(julia: Julia) -> WorkerProcess:
    process = WorkerProcess(julia)
    _greet(process)
    return process


def _greet(process: WorkerProcess) -> None:
    """Wait until the process is ready; it is ended when it is not what it should be."""
    try:
        with _note_when_slow():
            greeting = Wire().unpack(process.receive())
    except WorkerDied:
        how = process.close()
        said = _tail(process.last_words)
        mend = mend_of_start(f"{how}\n{process.last_words}")
        raise EngineError(
            f"the Julia worker {how} before it was ready: {said}; {mend}",
            kind="worker",
            trace=process.last_words,
        ) from None
    except BaseException:
        process.kill()
        process.close()
        raise
    if greeting.get("protocol") != PROTOCOL:
        process.kill()
        process.close()
        raise EngineError(
            f"expected engine files that speak protocol {PROTOCOL}, got {greeting}: Python and "
            "Julia files of different versions are mixed, install mlpflow again",
            kind="worker",
        )


class _Conversation:
    """One call from its request to its reply, with what happens in between."""

    def __init__(
        self,
        engine: WorkerEngine,
        process: WorkerProcess,
        number: int,
        on_event: Event | None,
        on_question: Question | None,
        cancellable: bool,
    ) -> None:
        self._engine = engine
        self._process = process
        self._number = number
        self._on_event = on_event
        self._on_question = on_question
        self._cancellable = cancellable
        self._pending: BaseException | None = None
        self._guard = InterruptGuard(self._first_interrupt, self._second_interrupt)
        self._timer: threading.Timer | None = None
        self._sent = False
        self._to_cancel = False

    def hold(self, payload: bytes) -> dict[str, Any]:
        with self._guard:
            try:
                self._process.send(payload)
                self._sent = True
                if self._to_cancel:
                    self._cancel()
                return self._wait_for_reply()
            except WorkerDied:
                if self._guard.count:  # we have killed it ourselves
                    self._engine._end(self._process)
                    self._guard.pass_on()
                raise
            finally:
                if self._timer is not None:
                    self._timer.cancel()

    def cancel(self) -> None:
        """From another thread, which must not write into the middle of the request."""
        if self._cancellable:
            self._to_cancel = True
            if self._sent:
                with contextlib.suppress(WorkerDied):  # the reading side finds out
                    self._cancel()

    def raise_pending(self) -> None:
        """After the reply: what a callback raised, or the Ctrl-C that a short call ran through."""
        if self._pending is not None:
            raise self._pending
        if self._guard.count and not self._cancellable:
            self._guard.pass_on()

    def _wait_for_reply(self) -> dict[str, Any]:
        replies = self._engine._replies
        while True:
            if replies and self._number in replies:
                return replies.pop(self._number)
            message: dict[str, Any] = self._engine._wire.unpack(self._process.receive())
            if "result" in message or "error" in message:
                if message["id"] == self._number:
                    return message
                replies[message["id"]] = message  # of the call whose callback we are in
            elif message["id"] == self._number:
                self._take_message(message)

    def _take_message(self, message: dict[str, Any]) -> None:
        if "question" in message:
            answer = self._ask(message["question"])
            self._send({"id": self._number, "answer": answer})
        elif self._on_event is not None and self._pending is None:
            try:
                self._on_event(message["event"])
            except BaseException as error:
                self._pending = error
                self._cancel()

    def _ask(self, question: dict[str, Any]) -> bool:
        if self._on_question is None or self._pending is not None:
            return True
        try:
            return bool(self._on_question(question))
        except BaseException as error:
            self._pending = error
            return True

    def _send(self, message: dict[str, Any]) -> None:
        self._process.send(Wire().pack(message))

    def _cancel(self) -> None:
        self._send({"cancel": self._number})

    def _first_interrupt(self) -> None:
        if self._cancellable:
            try:
                self._cancel()
            except WorkerDied:
                return  # the reading side finds out
        else:
            self._timer = threading.Timer(GRACE, self._process.kill)
            self._timer.daemon = True
            self._timer.start()

    def _second_interrupt(self) -> None:
        self._process.kill()


@contextlib.contextmanager
def _note_when_slow() -> Iterator[None]:
    """Tell a person at a terminal what takes so long: the first start compiles the engine."""
    note = "mlpflow: starting Julia; the first start compiles the engine and takes a while ..."
    timer = threading.Timer(SLOW_START, print, [note], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tail(words: str) -> str:
    """The most telling line: Julia prints the error first and the stack trace after it."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    if errors:
        return errors[0].removeprefix("ERROR: ")
    return lines[-1] if lines else "it said nothing"
