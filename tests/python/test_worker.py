"""The worker: values there and back, death, Ctrl-C, threads, forks, prints."""

import io
import os
import select
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.engine import current_engine, worker

# An explicit method at a tight tolerance: small steps, and no tolerance that could be met.
ENDLESS = {
    "alg": "DP5",
    "abstol": 1e-12,
    "reltol": 1e-12,
    "min_gnorm": 0.0,
    "minloss": -np.inf,
    "maxtime_ode": 100.0,
    "maxtime_optim": 100.0,
    "maxiterations_ode": 10**12,
    "maxiterations_optim": 10**12,
}


@pytest.fixture(autouse=True)
def worker_engine():
    mf.use_engine("worker")


def echo(value):
    return current_engine().call("echo", {"value": value})


def wait_for_end(pid, seconds=20):
    """Wait until a process has ended; False when it has not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def test_engine_info():
    info = mf.engine_info()
    assert info["engine"] == "worker"
    assert info["pid"] == current_engine().pid
    assert info["threads"] >= 1
    assert set(info["blas"]) >= {"library", "kernel", "threads"}


def test_the_worker_has_its_own_session():
    echo(0)
    pid = current_engine().pid
    assert os.getsid(pid) == pid != os.getsid(0)


def test_kill_while_idle_then_the_next_call_works(small_net, small_params):
    before = mf.loss(small_net, small_params)
    os.kill(current_engine().pid, signal.SIGKILL)
    with pytest.raises(mf.EngineError, match="the Julia worker was killed by SIGKILL during value"):
        mf.loss(small_net, small_params)
    assert mf.loss(small_net, small_params) == before  # a new worker, the network sent again


def test_kill_during_train(small_net, small_params):
    before = mf.loss(small_net, small_params)
    killed = []

    def kill(progress):
        if not killed:
            killed.append(time.perf_counter())
            os.kill(current_engine().pid, signal.SIGKILL)

    with pytest.raises(mf.EngineError, match="killed by SIGKILL during train"):
        mf.train(small_net, small_params, progress=kill, **ENDLESS)
    assert time.perf_counter() - killed[0] < 1
    assert mf.loss(small_net, small_params) == before


def test_the_second_ctrl_c_kills_the_worker(small_net, small_params):
    echo(0)
    pid = current_engine().pid

    def press(progress):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        mf.train(small_net, small_params, progress=press, **ENDLESS)
    assert wait_for_end(pid)
    assert np.isfinite(mf.loss(small_net, small_params))


def test_ctrl_c_ends_a_call_that_cannot_be_cancelled(monkeypatch):
    monkeypatch.setattr(worker, "GRACE", 0.01)
    echo(0)
    pid = current_engine().pid
    endless = mf.Activation("endless", "x -> (while true; end; x)", "cos", "sin")
    net = mf.Net([(1, endless, False)], [[1.0]], [1.0])
    press = after(lambda: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(worker._Conversation, "_wait_for_reply", press)
    with pytest.raises(KeyboardInterrupt):
        mf.loss(net, [1.0])
    monkeypatch.undo()
    assert wait_for_end(pid)
    assert echo(1) == 1


def after(action):
    """The waiting of a conversation, with something that happens once it has begun."""
    original = worker._Conversation._wait_for_reply

    def wait(self):
        action()
        return original(self)

    return wait


def test_ctrl_c_during_a_short_call_is_raised_after_it(monkeypatch):
    echo(0)
    pid = current_engine().pid
    press = after(lambda: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(worker._Conversation, "_wait_for_reply", press)
    with pytest.raises(KeyboardInterrupt):
        echo(2)
    monkeypatch.undo()
    assert echo(3) == 3
    assert current_engine().pid == pid


def test_what_julia_prints_goes_to_standard_error(capsys):
    loud = mf.Activation(
        "loud", 'x -> (println("spoken"); ccall(:puts, Cint, (Cstring,), "put"); x)', "one", "zero"
    )
    net = mf.Net([(1, loud, False)], [[2.0]], [1.0])
    assert mf.loss(net, [1.0]) == 1.0
    mf.shutdown()
    captured = capsys.readouterr()
    assert "spoken" in captured.err
    assert "put" in captured.err
    assert captured.out == ""


def test_the_last_words_of_a_worker_are_told(monkeypatch, capsys):
    monkeypatch.setenv("MLPFLOW_JULIA", sys.executable)
    mf.shutdown()
    with pytest.raises(mf.EngineError, match="expected MLPFLOW_JULIA to name a Julia"):
        echo(1)
    monkeypatch.undo()
    failing = mf.Activation("failing", 'x -> (println(stderr, "farewell"); exit(3))', "a", "b")
    net = mf.Net([(1, failing, False)], [[2.0]], [1.0])
    with pytest.raises(mf.EngineError, match="ended with exit code 3 during net_create.*farewell"):
        mf.loss(net, [1.0])
    assert echo(1) == 1


def test_a_worker_that_cannot_start_says_why(monkeypatch, tmp_path):
    script = tmp_path / "julia"
    script.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) echo julia version 1.9.0; exit 0;; esac\n'
        "echo 'ERROR: no such luck' >&2; exit 7\n"
    )
    script.chmod(0o755)
    mf.shutdown()
    monkeypatch.setenv("MLPFLOW_JULIA", str(script))
    with pytest.raises(mf.EngineError, match="exit code 7 before it was ready: no such luck"):
        echo(1)
    monkeypatch.undo()
    assert echo(1) == 1


def test_a_slow_start_is_explained_at_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    told = threading.Event()
    monkeypatch.setattr(worker, "SLOW_START", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("builtins.print", lambda *args, **keywords: told.set())
    mf.shutdown()
    with worker._note_when_slow():
        assert told.wait(20)


def test_a_forked_child_starts_its_own_worker(run_python):
    code = """
import multiprocessing
import numpy as np
import mlpflow as mf
from mlpflow.engine import current_engine

net = mf.Net([(1, "identity", False)], [[1.0], [2.0]], [0.0, 0.0])

def child(queue):
    queue.put((mf.loss(net, [2.0]), current_engine().pid))

if __name__ == "__main__":
    value, pid = mf.loss(net, [2.0]), current_engine().pid
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    child_value, child_pid = queue.get()
    process.join()
    assert child_value == value == mf.loss(net, [2.0])
    assert child_pid != pid == current_engine().pid
    print("fine")
"""
    done = run_python(code, check=False)
    assert done.stdout == "fine\n", done.stderr
    assert done.stderr == ""


def start_program(code):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_worker_ends_with_python_even_when_it_never_looks(tmp_path):
    code = """
import mlpflow as mf
from mlpflow.engine import current_engine
print(mf.engine_info()["pid"], flush=True)
busy = mf.Activation("busy", 'x -> (println("busy"); while true; end; x)', "cos", "sin")
mf.loss(mf.Net([(1, busy, False)], [[1.0]], [1.0]), [1.0])
"""
    with start_program(code) as program:
        pid = int(program.stdout.readline())
        assert program.stdout.readline() == "busy\n"
        program.kill()
    assert wait_for_end(pid)


def test_the_worker_ends_with_python_during_train():
    code = """
import os, signal
import numpy as np
import mlpflow as mf
print(mf.engine_info()["pid"], flush=True)
x = np.linspace(-1, 1, 20)[:, None]
net = mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(3 * x))
die = lambda progress: os.kill(os.getpid(), signal.SIGKILL)
mf.train(net, mf.random_params(net, rng=0), progress=die, maxtime_ode=100, min_gnorm=0, minloss=-1)
"""
    with start_program(code) as program:
        pid = int(program.stdout.readline())
        program.wait(60)
    assert program.returncode == -signal.SIGKILL
    assert wait_for_end(pid)


def test_python_can_end_while_a_thread_is_in_a_call(run_python):
    code = """
import threading
import numpy as np
import mlpflow as mf
x = np.linspace(-1, 1, 20)[:, None]
net = mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(3 * x))
p = mf.random_params(net, rng=0)
begun = threading.Event()
def run():
    try:
        mf.train(net, p, progress=lambda progress: begun.set(), alg="DP5", abstol=1e-12,
                 reltol=1e-12, min_gnorm=0, minloss=-1, maxiterations_ode=10**12)
    except mf.EngineError:
        pass
threading.Thread(target=run, daemon=True).start()
begun.wait()
print("end")
"""
    start = time.perf_counter()
    done = run_python(code)
    assert done.stdout == "end\n"
    assert time.perf_counter() - start < 60  # the run itself would take 180 s


def test_shutdown_ends_the_process_and_may_be_repeated():
    echo(0)
    pid = current_engine().pid
    mf.shutdown()
    assert wait_for_end(pid, 0)
    mf.shutdown()
    assert echo(4) == 4


def test_use_engine(monkeypatch):
    with pytest.raises(
        ValueError, match='expected one of worker, juliacall, auto, got .*mean "worker"'
    ):
        mf.use_engine("wroker")
    mf.use_engine("auto")
    assert mf.engine_info()["engine"] == "worker"
    mf.shutdown()
    from mlpflow.engine import selection

    monkeypatch.setattr(selection, "_chosen", None)
    monkeypatch.setenv("MLPFLOW_ENGINE", "nonsense")
    with pytest.raises(ValueError, match="MLPFLOW_ENGINE: expected one of"):
        echo(1)
