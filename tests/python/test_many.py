"""Many runs: order, bits, failures, crashes, folders, executors, Ctrl-C."""

import concurrent.futures
import json
import os
import signal
import threading

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.engine import pool
from mlpflow.runs import net_digest

QUICK = {"maxT": 5, "maxiterations_ode": 200, "maxiterations_optim": 50}

# Kills the worker that evaluates it at a large number: a seed that takes its process down.
DEADLY = mf.Activation(
    "deadly",
    "x -> (x > 1e6 && ccall(:raise, Cint, (Cint,), 9); tanh(x))",
    "x -> 1 - tanh(x)^2",
    "x -> -2 * tanh(x) * (1 - tanh(x)^2)",
)


def make_net(activation="tanh", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((30, 2))
    return mf.Net([(2, activation, True), (1, "identity", True)], x, np.sin(x.sum(axis=1)))


@pytest.fixture(scope="module")
def net():
    return make_net()


@pytest.fixture(scope="module")
def alone(net):
    """The same runs one by one."""
    starts = [mf.random_params(net, rng=np.random.default_rng([7, i])) for i in range(4)]
    return [mf.train(net, start, **QUICK) for start in starts]


def assert_same_bits(runs, expected):
    assert len(runs) == len(expected)
    for run, other in zip(runs, expected, strict=True):
        assert run.init.flat.tobytes() == other.init.flat.tobytes()
        assert run.params.flat.tobytes() == other.params.flat.tobytes()
        assert (run.loss, run.gnorm, run.status) == (other.loss, other.gnorm, other.status)
        assert run.trajectory.params.tobytes() == other.trajectory.params.tobytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_bits_in_order(net, alone, workers):
    ended = []
    runs = mf.train_many(
        net, n=4, seed=7, workers=workers, progress=lambda i, run: ended.append((i, run)), **QUICK
    )
    assert_same_bits(runs, alone)
    assert all(run.net is net for run in runs)
    assert sorted(i for i, _ in ended) == [0, 1, 2, 3]
    assert all(runs[i] is run for i, run in ended)
    assert pool._idle == [] and pool._borrowed == []


def test_starting_points_of_any_form_and_number(net, alone):
    starts = np.array([run.init.flat for run in alone])
    assert_same_bits(mf.train_many(net, starts[:2], workers=1, **QUICK), alone[:2])
    assert_same_bits(mf.train_many(net, n=1, seed=7, workers=1, **QUICK), alone[:1])
    assert mf.train_many(net, [], workers=2) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_loses_nothing_else(workers, tmp_path):
    net = make_net(DEADLY)
    starts = [mf.random_params(net, rng=i) for i in range(5)]
    starts[1] = starts[1] * 1e8
    runs = mf.train_many(net, starts, workers=workers, folder=tmp_path / "runs", **QUICK)
    failed = runs[1]
    assert isinstance(failed, mf.FailedRun) and failed.status == "failed"
    assert "killed by SIGKILL" in failed.message and failed.error == "EngineError"
    assert failed.init.flat.tobytes() == starts[1].flat.tobytes()
    assert not failed.converged and np.isnan(failed.loss) and np.isnan(failed.gnorm)
    others = [i for i in range(5) if i != 1]
    expected = [mf.train(net, starts[i], **QUICK) for i in others]
    assert_same_bits([runs[i] for i in others], expected)
    names = sorted(path.name for path in (tmp_path / "runs").glob("run-*"))
    assert names == [f"run-{i:05d}.npz" for i in others]


def test_errors_of_a_run_are_its_own(net):
    def callback(progress):
        if threading.current_thread().name.endswith("_0"):
            raise RuntimeError("no luck")

    starts = [mf.random_params(net, rng=i) for i in range(3)]
    runs = mf.train_many(net, starts, workers=1, callback=callback, **QUICK)
    assert [run.status for run in runs] == ["failed"] * 3
    assert runs[2].message == "RuntimeError: no luck" and "no luck" in repr(runs[2])
    infinite = [np.full(net.nparams, 1e300), starts[0]]
    runs = mf.train_many(net, infinite, workers=1, **QUICK)
    assert runs[0].status == "nonfinite_start" and runs[1].status != "failed"


def test_a_folder_goes_on_where_it_was_left(net, alone, tmp_path):
    folder = tmp_path / "runs"
    ended = []
    take = {"folder": folder, "workers": 1, "progress": lambda i, run: ended.append(i)}
    assert_same_bits(mf.train_many(net, n=2, seed=7, **take, **QUICK), alone[:2])
    # A result in the folder is whole without the others.
    loaded = mf.load(folder / "run-00001.npz")
    assert_same_bits([loaded], alone[1:2])
    assert net_digest(loaded.net) == net_digest(net)
    stamps = [(folder / f"run-0000{i}.npz").stat().st_mtime_ns for i in range(2)]
    (folder / "run-00001.npz").write_bytes(b"half a file")
    ended.clear()
    runs = mf.train_many(net, n=4, seed=7, **take, **QUICK)
    assert_same_bits(runs, alone)
    assert ended == [0, 1, 2, 3]  # what is there first, then what was missing or damaged
    assert (folder / "run-00000.npz").stat().st_mtime_ns == stamps[0]
    # Another process with the same network finds the same.
    assert_same_bits(mf.train_many(make_net(), n=4, seed=7, **take, **QUICK), alone)


def test_a_folder_of_another_experiment_is_refused(net, tmp_path):
    folder = tmp_path / "runs"
    mf.train_many(net, n=1, seed=0, folder=folder, workers=1, **QUICK)
    with pytest.raises(ValueError, match="its network or its data differ; take another folder"):
        mf.train_many(make_net(seed=1), n=1, seed=0, folder=folder, **QUICK)
    with pytest.raises(ValueError, match="its maxT is 5.0, not 6.0"):
        mf.train_many(net, n=1, seed=0, folder=folder, **{**QUICK, "maxT": 6})
    with pytest.raises(ValueError, match="to start where run 0 starts"):
        mf.train_many(net, n=1, seed=1, folder=folder, **QUICK)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(ValueError, match="with other files"):
        mf.train_many(net, n=1, seed=0, folder=tmp_path / "letters", **QUICK)
    (folder / "experiment.json").write_text("{")
    with pytest.raises(ValueError, match="to be readable"):
        mf.train_many(net, n=1, seed=0, folder=folder, **QUICK)


def test_options_of_every_kind_can_be_kept(net, tmp_path):
    tauinv = net._params(np.linspace(0, 1, net.nparams))
    keywords = {**QUICK, "tauinv": tauinv, "merge": (0, (0, 1), 0.1), "maxnorm": 3.0}
    for _ in range(2):
        (run,) = mf.train_many(net, n=1, seed=0, folder=tmp_path, workers=1, **keywords)
    options = json.loads((tmp_path / "experiment.json").read_text())["options"]
    assert options["tauinv"] == tauinv.flat.tolist() and options["merge"] == [0, [0, 1], 0.1]
    assert run.params.flat[0] == run.init.flat[0]
    rule = mf.Adam(learning_rate=0.01, schedule=mf.Cosine(steps=100))
    keywords = {"alg": rule, "maxT": 0.1, "batchsize": 10, "maxtime_optim": 0, "workers": 1}
    for _ in range(2):
        mf.train_many(net, n=1, seed=0, folder=tmp_path / "rule", **keywords)
    with pytest.raises(ValueError, match=r"its alg is .*0\.01"):
        other = {**keywords, "alg": mf.Adam(learning_rate=0.02)}
        mf.train_many(net, n=1, seed=0, folder=tmp_path / "rule", **other)


ENDLESS = {
    "alg": "DP5", "abstol": 1e-12, "reltol": 1e-12, "min_gnorm": 0.0, "minloss": -np.inf,
    "maxtime_ode": 100.0, "maxiterations_ode": 10**12, "maxtime_optim": 100.0,
    "maxiterations_optim": 10**12,
}  # fmt: skip


def test_ctrl_c_keeps_what_is_there(net, tmp_path):
    """The first run ends by itself, Ctrl-C ends the second, the third never starts."""
    steps = []

    def callback(progress):
        steps.append(progress.iteration)
        if steps.count(1) == 1 and progress.iteration == 3:
            return True
        if steps.count(1) == 2 and progress.iteration == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    starts = [mf.random_params(net, rng=i) for i in range(3)]
    folder = tmp_path / "runs"
    runs = mf.train_many(net, starts, workers=1, callback=callback, folder=folder, **ENDLESS)
    assert [str(run.status) for run in runs] == ["callback", "interrupted", "interrupted"]
    assert isinstance(runs[1], mf.TrainResult) and runs[1].loss < mf.loss(net, starts[1])
    assert isinstance(runs[2], mf.FailedRun) and "before this run was started" in runs[2].message
    assert [path.name for path in folder.glob("run-*")] == ["run-00000.npz"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_kills_what_is_under_way(net, monkeypatch):
    """The second Ctrl-C comes while the first one is worked on, and before it has any effect."""
    pressed = []

    def press(progress=None):
        if len(pressed) < 2:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("mlpflow.crew.cancel_borrowed", press)
    starts = [mf.random_params(net, rng=i) for i in range(2)]
    runs = mf.train_many(net, starts, workers=1, callback=lambda p: pressed or press(), **ENDLESS)
    assert [str(run.status) for run in runs] == ["interrupted", "interrupted"]
    assert "pressed twice" in runs[0].message and "before" in runs[1].message
    assert np.isfinite(mf.loss(net, starts[0]))


def test_what_progress_raises_ends_everything(net):
    def progress(number, run):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        mf.train_many(net, n=3, seed=0, workers=1, progress=progress, **QUICK)
    assert pool._borrowed == []
    assert np.isfinite(mf.loss(net, np.ones(net.nparams)))


def test_a_bar_counts_the_runs(net, capsys):
    mf.train_many(net, n=2, seed=0, workers=1, progress=True, maxT=1, maxtime_optim=0)
    assert "2/2" in capsys.readouterr().err
    mf.train_many(net, n=2, seed=0, workers=1, maxT=1, maxtime_optim=0)
    assert capsys.readouterr().err == ""


def test_threads_of_the_user(net, alone):
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        assert_same_bits(mf.train_many(net, n=4, seed=7, executor=executor, **QUICK), alone)


def test_a_process_pool_and_its_breaking(net, alone):
    """A process that dies breaks the pool; the runs that were left go on with our own workers."""
    with concurrent.futures.ProcessPoolExecutor(1) as executor:
        assert_same_bits(mf.train_many(net, n=2, seed=7, executor=executor, **QUICK), alone[:2])
        with pytest.raises(TypeError, match="sent to another process"):
            mf.train_many(net, n=1, seed=7, executor=executor, callback=lambda p: False)
        (victim,) = executor._processes
        os.kill(victim, signal.SIGKILL)
        with pytest.warns(RuntimeWarning, match="the executor broke .* 4 runs"):
            runs = mf.train_many(net, n=4, seed=7, executor=executor, **QUICK)
    assert_same_bits(runs, alone)


def test_a_dask_cluster(net, alone):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    )
    deadly = make_net(DEADLY)
    starts = [mf.random_params(deadly, rng=i) for i in range(3)]
    starts[0] = starts[0] * 1e8
    with cluster, distributed.Client(cluster) as client:
        assert_same_bits(mf.train_many(net, n=4, seed=7, executor=client, **QUICK), alone)
        runs = mf.train_many(deadly, starts, executor=client.get_executor(), **QUICK)
    assert [run.status == "failed" for run in runs] == [True, False, False]
    assert "killed by SIGKILL" in runs[0].message


def test_bad_input(net):
    with pytest.raises(TypeError, match="expected a mlpflow.Net, got a str"):
        mf.train_many("net", n=1, seed=0)
    with pytest.raises(TypeError, match="their number n and a seed, got neither"):
        mf.train_many(net)
    with pytest.raises(TypeError, match="got both"):
        mf.train_many(net, [np.zeros(9)], n=1)
    with pytest.raises(TypeError, match="a seed together with n"):
        mf.train_many(net, n=3)
    with pytest.raises(TypeError, match="only together with n"):
        mf.train_many(net, [np.zeros(9)], seed=3)
    with pytest.raises(ValueError, match=r"shape \(9,\)"):
        mf.train_many(net, [np.zeros(8)])
    with pytest.raises(TypeError, match="a list of starting points"):
        mf.train_many(net, np.zeros(9))
    with pytest.raises(TypeError, match="unexpected keyword 'maxt'"):
        mf.train_many(net, n=1, seed=0, maxt=3)
    with pytest.raises(TypeError, match="checkpoint is for a single run; folder keeps"):
        mf.train_many(net, n=1, seed=0, checkpoint="run.ckpt")
    with pytest.raises(ValueError, match="batchsize: expected"):
        mf.train_many(net, n=1, seed=0, alg="Adam", batchsize=31)
    with pytest.raises(ValueError, match="workers"):
        mf.train_many(net, n=1, seed=0, workers=0)
    with pytest.raises(TypeError, match="workers or an executor, got both"):
        mf.train_many(net, n=1, seed=0, workers=1, executor=concurrent.futures.Executor())
    with pytest.raises(TypeError, match=r"expected a concurrent\.futures\.Executor"):
        mf.train_many(net, n=1, seed=0, executor="dask")
    with pytest.raises(TypeError, match="progress"):
        mf.train_many(net, n=1, seed=0, progress=3)
