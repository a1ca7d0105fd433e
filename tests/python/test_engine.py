"""What every engine has to do, the worker and juliacall alike.

``MLPFLOW_TEST_ENGINE=worker`` or ``juliacall`` selects the engine under test (default: worker).
"""

import importlib.util
import os
import signal
import threading

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.engine import current_engine
from mlpflow.engine.process import EXCHANGE_THRESHOLD
from mlpflow.engine.worker import WorkerEngine

ENGINE = os.environ["MLPFLOW_ENGINE"]  # conftest.py has set it

several_threads = pytest.mark.skipif(
    ENGINE == "juliacall" and "embedded" in str(importlib.util.find_spec("juliacall")),
    reason="Julia before 1.9, which the stand-in embeds, takes calls from one thread alone",
)

# An explicit method at a tight tolerance: small steps, and no tolerance that could be met.
ENDLESS = {
    "alg": "DP5",
    "abstol": 1e-12,
    "reltol": 1e-12,
    "min_gnorm": 0.0,
    "minloss": -np.inf,
    "maxtime_ode": 20.0,
    "maxtime_optim": 20.0,
    "maxiterations_ode": 10**12,
    "maxiterations_optim": 10**12,
}


def echo(value):
    return current_engine().call("echo", {"value": value})


@pytest.mark.parametrize("value", [None, True, 3, -7, 2.5, "äöü", [1, [2, "x"]], {"a": {"b": 1}}])
def test_echo(value):
    assert echo(value) == value


@pytest.mark.parametrize("bytes_", [8, EXCHANGE_THRESHOLD - 8, EXCHANGE_THRESHOLD, 30_000_000])
def test_echo_arrays_of_every_way_of_travel(bytes_, rng):
    array = rng.standard_normal((bytes_ // 8, 1))
    assert np.array_equal(echo(array), array)
    mixed = echo({"large": array, "small": np.arange(3), "list": [array]})
    assert np.array_equal(mixed["large"], array)
    assert np.array_equal(mixed["list"][0], array)
    assert mixed["small"].tolist() == [0, 1, 2]


def test_julia_errors_are_sentences_with_the_trace_on_request():
    with pytest.raises(
        mf.EngineError, match="nosuch failed in Julia: expected one of the calls"
    ) as e:
        current_engine().call("nosuch", {})
    assert e.value.kind == "ArgumentError"
    assert "Stacktrace" in e.value.trace
    assert "Stacktrace" not in str(e.value)
    assert echo(1) == 1


def test_ctrl_c_gives_the_best_point_so_far(small_net, small_params):
    pressed = []

    def press(progress):
        if not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    result = mf.train(small_net, small_params, progress=press, **ENDLESS)
    assert result.status is mf.Status.interrupted
    assert not result.converged
    assert result.loss <= mf.loss(small_net, small_params)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert echo(1) == 1


def test_an_error_in_a_callback_ends_the_run_and_comes_out(small_net, small_params):
    def fail(progress):
        raise LookupError("mine")

    for keywords in ({"progress": fail}, {"callback": fail}):
        with pytest.raises(LookupError, match="mine"):
            mf.train(small_net, small_params, **keywords, **ENDLESS)
        assert echo(1) == 1


def test_calls_from_inside_callbacks(small_net, small_params):
    losses = []

    def stop_at_third(progress):
        losses.append((progress.loss, mf.loss(small_net, progress.params)))
        return len(losses) == 3

    result = mf.train(small_net, small_params, callback=stop_at_third, **ENDLESS)
    assert result.status is mf.Status.callback
    seen, computed = np.transpose(losses)
    assert np.allclose(seen, computed, rtol=1e-12)

    values = []

    def watch(progress):
        values.append(mf.loss(small_net, small_params))
        signal.raise_signal(signal.SIGINT)

    assert mf.train(small_net, small_params, progress=watch, **ENDLESS).status == "interrupted"
    assert set(values) == {mf.loss(small_net, small_params)}


@several_threads
def test_threads_queue(small_net):
    points = [mf.random_params(small_net, rng=seed) for seed in range(8)]
    expected = [mf.loss(small_net, p) for p in points]
    wrong = []

    def evaluate(p, value):
        for _ in range(50):
            if mf.loss(small_net, p) != value:
                wrong.append(p)

    threads = [
        threading.Thread(target=evaluate, args=pair) for pair in zip(points, expected, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_networks_that_are_gone_are_dropped(rng):
    engine = current_engine()
    net = mf.Net([(1, "identity", False)], [[1.0]], [1.0])
    mf.loss(net, [1.0])
    key = net._key
    assert key in engine._known
    del net
    echo(0)
    assert key not in engine._known


def test_the_engine_is_the_one_that_was_chosen():
    info = mf.engine_info()
    assert info["engine"] == current_engine().name == ENGINE
    assert info["pid"] == current_engine().pid
    assert (info["pid"] == os.getpid()) == (ENGINE == "juliacall")
    assert info["threads"] >= 1
    assert set(info["blas"]) >= {"library", "kernel", "threads"}


def test_the_second_ctrl_c_is_a_keyboard_interrupt(small_net, small_params):
    def press(progress):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        mf.train(small_net, small_params, progress=press, **ENDLESS)
    assert np.isfinite(mf.loss(small_net, small_params))


def test_ctrl_c_while_julia_computes(small_net, small_params):
    """The signal comes from outside, at a moment when no Python code of ours runs."""
    begun = threading.Event()

    def press():
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        result = mf.train(small_net, small_params, progress=lambda p: begun.set(), **ENDLESS)
    finally:
        begun.set()
        thread.join()
    assert result.status is mf.Status.interrupted


def test_other_threads_of_python_run_while_julia_computes(small_net, small_params):
    ticks, finished = [0], threading.Event()

    def tick():
        while not finished.is_set():
            ticks[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    budgets = {"maxiterations_ode": 20_000, "maxiterations_optim": 0}
    try:
        mf.train(small_net, small_params, **{**ENDLESS, **budgets})
    finally:
        finished.set()
        thread.join()
    assert ticks[0] > 1000


def test_progress_is_told_in_the_callers_thread(small_net, small_params):
    told = []

    def note(progress):
        told.append((threading.current_thread(), progress.iteration, progress.loss))
        return len(told) == 5

    mf.train(small_net, small_params, callback=note, **ENDLESS)
    assert {thread for thread, _, _ in told} == {threading.current_thread()}
    assert [iteration for _, iteration, _ in told] == list(range(told[0][1], told[0][1] + 5))


def test_a_user_activation(rng):
    cubic = mf.Activation("cubic", "x -> x^3 / 3", "x -> x^2", "x -> 2x")
    net = mf.Net([(1, cubic, False)], [[3.0]], [1.0])
    assert mf.loss(net, [1.0]) == 64.0
    with pytest.raises(mf.EngineError, match='activation "wrong": expected deriv to be the deriv'):
        wrong = mf.Activation("wrong", "x -> x^3 / 3", "x -> x", "x -> 1.0")
        mf.loss(mf.Net([(1, wrong, False)], [[3.0]], [1.0]), [1.0])


def test_after_a_shutdown_the_networks_are_sent_again(small_net, small_params):
    before = mf.loss(small_net, small_params)
    mf.shutdown()
    assert mf.loss(small_net, small_params) == before


def everything(net, p, labels):
    """Every call of the engine, as plain arrays."""
    v = np.linspace(-1, 1, len(p))
    spectrum = mf.hessian_spectrum(net, p)
    budgets = {"maxiterations_ode": 6, "maxiterations_optim": 5, "n_samples_trajectory": 4}
    runs = [
        mf.train(net, p, alg=alg, optim_solver=solver, **budgets)
        for alg, solver in (("DP5", "newton"), ("Rodas5P", "bfgs"), ("Adam", "lbfgs"))
    ]
    q = np.linspace(-1, 1, labels.nparams)
    return [
        *(net(p), mf.loss(net, p, maxnorm=0.1), mf.gradient(net, p).flat, mf.hessian(net, p)),
        *(spectrum.values, mf.hvp(net, p, v), mf.jacobian(net, p), mf.residuals(net, p)),
        *(mf.loss(labels, q), mf.gradient(labels, q).flat, mf.hessian(labels, q)),
        *(a for r in runs for a in (r.params.flat, r.trajectory.params, r.optim.loss_curve)),
        *mf.minibatches(net, 6, batchseed=1),
    ]


def test_the_results_are_those_of_the_worker(small_net, small_params, rng, monkeypatch):
    layers = [(4, "softplus", True), (3, "identity", True)]
    labels = mf.Net(layers, rng.standard_normal((9, 2)), np.arange(9) % 3, losstype="cross_entropy")
    found = everything(small_net, small_params, labels)
    here = mf.engine_info()
    other = WorkerEngine()
    monkeypatch.setattr("mlpflow.engine.selection._engine", other)
    try:
        expected = everything(small_net, small_params, labels)
        there = mf.engine_info()
    finally:
        monkeypatch.undo()
        other.shutdown()
    # Two versions of Julia compile the same sums in different orders.
    same = all(here[key] == there[key] for key in ("julia", "cpu", "threads"))
    same = same and here["blas"]["kernel"] == there["blas"]["kernel"]
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        if same:
            assert np.array_equal(a, b), f"output {number} differs"
        else:
            assert np.allclose(a, b, rtol=1e-7, atol=1e-9), f"output {number} differs"


def test_julia_the_module():
    if ENGINE == "juliacall":
        assert str(mf.julia) == "MLPFlow"
        assert mf.julia.sigmoid(0) is not None
        return
    with pytest.raises(mf.EngineError, match='worker: call mlpflow.use_engine\\("juliacall"\\)'):
        _ = mf.julia


def test_in_a_forked_child(run_python):
    """A worker is started anew; Julia inside the process says that it cannot go on."""
    code = """
import multiprocessing, warnings
import mlpflow as mf

# Python warns of a fork in a process with threads, which a worker's relay is.
warnings.filterwarnings("ignore", category=DeprecationWarning)
net = mf.Net([(1, "identity", False)], [[1.0], [2.0]], [0.0, 0.0])

def child(queue):
    try:
        queue.put(mf.loss(net, [2.0]))
    except mf.EngineError as error:
        queue.put(str(error))

if __name__ == "__main__":
    value = mf.loss(net, [2.0])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    from_child = queue.get()
    process.join()
    assert mf.loss(net, [2.0]) == value
    print(from_child == value, "does not survive a fork" in str(from_child))
"""
    done = run_python(code, env={**os.environ, "MLPFLOW_ENGINE": ENGINE})
    expected = "True False" if ENGINE == "worker" else "False True"
    assert done.stdout.strip() == expected, done.stderr
