"""One Julia process: started, spoken to in frames, and its death explained."""

from __future__ import annotations

import collections
import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .discovery import Julia, engine_root
from .environment import julia_command, worker_environment
from .errors import EngineError
from .wire import Exchange, frame

__all__ = ["WorkerDied", "WorkerProcess"]

# Arrays of at least so many bytes go through the exchange files. Measured with Julia 1.5.3, there
# and back: 64 KiB take 0.05 ms and 0.11 ms through the pipe, 256 KiB 0.10 ms and 0.88 ms, 1 MiB
# 0.30 ms and 2.8 ms.
EXCHANGE_THRESHOLD = 1 << 16

_READ_SIZE = 1 << 16
_LAST_LINES = 30
_HEADER = 8

# Nanoseconds of looking for a reply before the process goes to sleep.
_LINGER = 100_000

# Not every Unix has it in Python.
_let_others_run: Callable[[], object] = getattr(os, "sched_yield", lambda: None)

# Seconds that a worker may take to end by itself.
_PATIENCE = 1.0


class WorkerDied(Exception):  # noqa: N818 - an event that the engine handles, never shown
    """The process has gone."""


class WorkerProcess:
    """A running worker.

    Parameters
    ----------
    julia : Julia
        Which Julia to run.
    image : Path, optional
        The system image to start from.
    """

    def __init__(self, julia: Julia, image: Path | None = None) -> None:
        self.exchange = Exchange(EXCHANGE_THRESHOLD)
        self._buffer = bytearray()
        self._lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        lifeline, self._lifeline = os.pipe()
        descriptors = (self.exchange.outbox, self.exchange.inbox, lifeline)
        arguments = [*descriptors[:2], EXCHANGE_THRESHOLD, lifeline]
        try:
            self._process = subprocess.Popen(
                julia_command(julia, image) + [str(a) for a in arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=descriptors,
                start_new_session=True,
                env=worker_environment(julia, engine_root()),
            )
        except BaseException as error:
            os.close(self._lifeline)
            self.exchange.close()
            if isinstance(error, OSError):
                raise EngineError(
                    f"{julia.path} cannot be started: {error}", kind="worker"
                ) from None
            raise
        finally:
            os.close(lifeline)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin = self._process.stdin.fileno()
        self._stdout = self._process.stdout.fileno()
        self._readable = select.poll()
        self._readable.register(self._stdout, select.POLLIN)
        self._relay = threading.Thread(
            target=_relay, args=(self._process.stderr.fileno(), self._lines), daemon=True
        )
        self._relay.start()

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def send(self, payload: bytes) -> None:
        """Send one message."""
        view = memoryview(frame(payload))
        try:
            while view:
                view = view[os.write(self._stdin, view) :]
        except (BrokenPipeError, ValueError, OSError) as error:
            raise WorkerDied from error

    def receive(self) -> bytes | bytearray:
        """The next message; WorkerDied when there is none any more."""
        buffer = self._buffer
        if not buffer:
            self._linger()
        while len(buffer) < _HEADER:
            self._read_into(buffer)
        end = _HEADER + struct.unpack_from("<Q", buffer)[0]
        while len(buffer) < end:
            self._read_into(buffer)
        payload = buffer[_HEADER:end]
        del buffer[:end]
        return payload

    def _linger(self) -> None:
        """Wait a moment without going to sleep: a small call is answered within microseconds, and
        waking up on another core takes 20 to 60."""
        deadline = time.perf_counter_ns() + _LINGER
        while not self._readable.poll(0) and time.perf_counter_ns() < deadline:
            _let_others_run()

    def _read_into(self, buffer: bytearray) -> None:
        data = os.read(self._stdout, _READ_SIZE)
        if not data:
            raise WorkerDied
        buffer += data

    def kill(self) -> None:
        """End the process at once; safe in a signal handler."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> str:
        """Wait for the end, give everything back, and say how the process ended."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        try:
            code = self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        os.close(self._lifeline)  # not before: it would end the process in the middle of a print
        self._relay.join(timeout=1)
        assert self._process.stderr is not None
        if not self._relay.is_alive():
            self._process.stderr.close()
        self.exchange.close()
        return _describe_exit(code)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's worker without touching it."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        os.close(self._lifeline)
        self.exchange.close()
        self._process.returncode = 0  # not our child: Popen must not wait for it

    @property
    def exit_code(self) -> int | None:
        """The exit code, minus the signal that ended the process, None while it runs."""
        return self._process.returncode

    @property
    def last_words(self) -> str:
        """The last lines that the process wrote to standard error."""
        return "\n".join(self._lines)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"


def _relay(descriptor: int, lines: collections.deque[str]) -> None:
    """Copy the worker's standard error to ours, line by line, and remember the last ones."""
    rest = b""
    while True:
        try:
            data = os.read(descriptor, _READ_SIZE)
        except OSError:
            return
        *complete, rest = (rest + data).split(b"\n")
        if not data and rest:
            complete, rest = [*complete, rest], b""
        for line in complete:
            text = line.decode("utf-8", "replace")
            lines.append(text)
            with contextlib.suppress(Exception):  # a closed or replaced stream is no reason to stop
                print(text, file=sys.stderr, flush=True)
        if not data:
            return
