"""Checkpoints: runs that are interrupted, cancelled or killed go on to the same bits."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mlpflow as mf
from mlpflow import training
from mlpflow.engine import current_engine
from mlpflow.engine.discovery import engine_root, find_julia
from mlpflow.engine.environment import worker_environment
from mlpflow.engine.image import find_image
from mlpflow.engine.wire import Wire

# Flow and optimizer both use up their iterations.
BUDGET = {
    "maxtime_ode": np.inf,
    "maxtime_optim": np.inf,
    "maxiterations_ode": 80,
    "maxiterations_optim": 40,
    "min_gnorm": 0.0,
    "minloss": -np.inf,
}


@pytest.fixture
def problem(rng):
    x = rng.standard_normal((40, 2))
    net = mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(2 * x.sum(axis=1)))
    return net, mf.random_params(net, rng=3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.ckpt"


def parts(result):
    """Everything in a result but seconds."""
    for part in (result.flow, result.optim):
        if part is not None:
            yield from (value for name, value in vars(part).items() if name != "time")
    trajectory = result.trajectory
    yield from (trajectory.t, trajectory.params, trajectory.loss)
    yield from (result.params, result.init, result.loss, result.gnorm, result.status)


def assert_same_run(a, b):
    pairs = list(zip(parts(a), parts(b), strict=True))
    assert len(pairs) > 30
    for left, right in pairs:
        if isinstance(left, mf.Params | np.ndarray):
            assert np.asarray(left).tobytes() == np.asarray(right).tobytes()
        elif not hasattr(left, "t"):
            assert left == right


def stop_after(steps):
    """A callback that ends the run after so many steps."""
    seen = []

    def callback(progress):
        seen.append(progress.elapsed)
        return len(seen) == steps

    return callback


def test_interrupted_again_and_again(problem, path):
    net, p = problem
    tauinv = np.linspace(0, 2, net.nparams)  # the first parameter is frozen
    keywords = {"tauinv": tauinv, "maxnorm": 0.5, "merge": (0, (0, 2), 0.1), **BUDGET}
    whole = mf.train(net, p, **keywords)
    part = mf.train(net, p, checkpoint=path, callback=stop_after(7), **keywords)
    assert part.status == "callback"
    assert part.flow.iterations == 7
    for steps in (1, 33, 41, 5):  # the last two are the optimizer's
        part = mf.train(net, resume=path, callback=stop_after(steps))
        assert part.status == "callback"
    assert part.optim.iterations == 7
    end = mf.train(net, resume=path)
    assert_same_run(whole, end)
    assert np.array_equal(end.options["tauinv"], tauinv)
    given = {k: v for k, v in end.options.items() if k in keywords and k != "tauinv"}
    assert given == {k: v for k, v in keywords.items() if k != "tauinv"}
    assert end.options["checkpoint"] == str(path)
    assert os.listdir(path.parent) == [path.name]


def test_ctrl_c_leaves_a_checkpoint(problem, path):
    net, p = problem
    keywords = {
        **BUDGET,
        "alg": "DP5",
        "maxiterations_ode": 10**5,
        "abstol": 1e-12,
        "reltol": 1e-12,
    }
    pressed = []

    def press(progress):
        if not pressed:
            pressed.append(progress.iteration)
            signal.raise_signal(signal.SIGINT)

    part = mf.train(net, p, checkpoint=path, progress=press, **keywords)
    assert part.status == "interrupted"
    done = part.flow.iterations
    end = mf.train(net, resume=path, maxiterations_ode=done + 50)
    assert end.flow.iterations == done + 50
    assert_same_run(end, mf.train(net, p, **{**keywords, "maxiterations_ode": done + 50}))


def test_the_worker_is_killed(problem, path):
    net, p = problem
    whole = mf.train(net, p, **BUDGET)
    steps = stop_after(50)

    def kill(progress):
        if steps(progress):
            os.kill(current_engine().pid, signal.SIGKILL)

    with pytest.raises(mf.EngineError, match="killed by SIGKILL during train"):
        mf.train(net, p, checkpoint=path, checkpoint_interval=0, callback=kill, **BUDGET)
    assert_same_run(whole, mf.train(net, p, checkpoint=path, resume=True, **BUDGET))


class Recorder:
    """Instead of an engine: notes what it is asked to do."""

    def call(self, function, arguments, **_):
        self.message = {"id": 1, "call": function, "arguments": arguments, "alone": True}
        return {"refused": "only recorded"}

    def frame(self, net, p, **keywords):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "current_engine", lambda: self)
            with pytest.raises(ValueError, match="only recorded"):
                mf.train(net, p, **keywords)
        return Wire().pack(self.message)


def test_killed_at_thirty_random_moments(problem, tmp_path):
    """See killed_runs.jl: a process that has everything compiled forks a child for each run.

    The checkpoint after every step lies in memory where that can be had: a disk takes so long to be
    sure of a file that hardly a kill would hit anything but this wait.
    """
    net, p = problem
    budget = {
        **BUDGET,
        "maxiterations_ode": 600,
        "maxiterations_optim": 200,
        "optim_solver": "bfgs",
    }
    whole = mf.train(net, p, **budget)
    assert whole.flow.iterations == 600
    memory = Path("/dev/shm")
    folder = (memory if memory.is_dir() else tmp_path) / f"mlpflow-test-{os.getpid()}"
    folder.mkdir()
    try:
        output = kill_and_resume(net, p, folder / "run.ckpt", tmp_path, budget)
    finally:
        shutil.rmtree(folder)
    children = [line.split() for line in output.splitlines()]
    steps = whole.flow.iterations + whole.optim.iterations
    assert children.pop(0) == ["warm", str(steps), "0"]
    kills = [int(steps) for how, steps, _ in children if how == "killed"]
    assert len(kills) == 30
    assert len(set(kills)) > 15  # all over the run
    # What a killed process was writing goes when the next one starts.
    assert max(int(leftovers) for _, _, leftovers in children) <= 1
    replies = sorted(tmp_path.glob("reply*"))
    assert len(replies) == sum(how == "finished" for how, _, _ in children) > 3
    for reply in replies:
        message = Wire().unpack(reply.read_bytes())
        end = training.result_from_engine(message["result"], net, {})
        assert_same_run(whole, end)
        assert not end.warnings
    from_julia = Wire().unpack((tmp_path / "julia").read_bytes())
    assert np.array_equal(from_julia, whole.params.flat)


def kill_and_resume(net, p, checkpoint, folder, budget):
    keywords = {"checkpoint": checkpoint, "checkpoint_interval": 0, **budget}
    creation, description = net._creation()
    frames = {
        "net": Wire().pack(
            {
                "id": 1,
                "call": creation,
                "arguments": {"key": net._key, **description},
                "alone": True,
            }
        ),
        "fresh": Recorder().frame(net, p, **keywords),
    }
    checkpoint.touch()
    frames["again"] = Recorder().frame(net, p, resume=True, **keywords)
    checkpoint.unlink()
    for name, frame in frames.items():
        (folder / name).write_bytes(frame)
    # Short lives: it takes several to get through a run, and few are through before the kill.
    times = np.random.default_rng(8).uniform(0, 0.35, 80)
    julia, root = find_julia(), engine_root()
    image = find_image(julia, root)
    run = subprocess.run(
        [julia.path, "--startup-file=no"]
        + ([] if image is None else [f"--sysimage={image.path}"])
        + [Path(__file__).with_name("killed_runs.jl")]
        + [folder / name for name in frames]
        + [checkpoint, folder],
        input="\n".join(map(str, times)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        # Without the threads of newer Julias that a fork would lose.
        env=worker_environment(julia, root)
        | {"JULIA_NUM_THREADS": "1" if julia.version < (1, 9) else "1,0"},
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_resume_true(problem, path):
    net, p = problem
    keywords = {"checkpoint": path, "resume": True, **BUDGET}
    whole = mf.train(net, p, **BUDGET)
    assert mf.train(net, p, callback=stop_after(10), **keywords).flow.iterations == 10
    assert mf.train(net, p, callback=stop_after(10), **keywords).flow.iterations == 20
    assert_same_run(whole, mf.train(net, p, **keywords))
    again = mf.train(net, p, **keywords)  # the end again
    assert_same_run(whole, again)
    assert again.optim.time >= whole.optim.time / 10


def test_more_budget(problem, path):
    net, p = problem
    mf.train(net, p, checkpoint=path, **BUDGET)
    more = mf.train(net, p, **{**BUDGET, "maxiterations_optim": 60})
    assert_same_run(more, mf.train(net, resume=path, maxiterations_optim=60))
    longer = {**BUDGET, "maxiterations_ode": 120, "maxiterations_optim": 60}
    assert_same_run(mf.train(net, p, **longer), mf.train(net, resume=path, maxiterations_ode=120))
    mf.train(net, p, checkpoint=path, maxT=2.0, **{**BUDGET, "maxiterations_ode": 10**5})
    end = mf.train(net, resume=path, maxT=4.0)
    assert end.flow.t == 4.0
    assert end.flow.status == "maxT"


def test_another_place_or_none(problem, path):
    net, p = problem
    mf.train(net, p, checkpoint=path, callback=stop_after(5), **BUDGET)
    before = path.read_bytes()
    other = path.with_name("other.ckpt")
    end = mf.train(net, resume=path, checkpoint=other)
    assert path.read_bytes() == before
    assert_same_run(end, mf.train(net, resume=other, checkpoint=None))
    assert_same_run(end, mf.train(net, resume=path))
    assert path.read_bytes() != before


def test_a_relative_path_is_of_this_folder(problem, path, monkeypatch):
    net, p = problem
    monkeypatch.chdir(path.parent)
    mf.train(net, p, checkpoint="run.ckpt", callback=stop_after(5), **BUDGET)
    assert path.exists()
    assert mf.train(net, resume="run.ckpt", callback=stop_after(5)).flow.iterations == 10


def test_a_write_that_fails_is_a_warning(problem, path, tmp_path):
    net, p = problem
    folder = tmp_path / "gone"
    folder.mkdir()
    steps = stop_after(9)

    def remove(progress):
        if steps(progress):
            shutil.rmtree(folder)

    checkpoint = folder / "run.ckpt"
    with pytest.warns(RuntimeWarning, match=r"checkpoints could not be written to .*run\.ckpt"):
        result = mf.train(
            net, p, checkpoint=checkpoint, checkpoint_interval=0, callback=remove, **BUDGET
        )
    assert_same_run(mf.train(net, p, **BUDGET), result)
    assert "8 could be" in result.warnings[0]
    result.save(tmp_path / "result.npz")
    assert mf.load(tmp_path / "result.npz").warnings == result.warnings


def test_damage_is_one_clear_error(problem, path):
    net, p = problem
    mf.train(net, p, checkpoint=path, callback=stop_after(5), **BUDGET)
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    for trial in range(20):
        damaged = bytearray(whole)
        if trial % 2:
            damaged[rng.integers(len(whole))] ^= rng.integers(1, 256)
        else:
            del damaged[rng.integers(len(whole)) :]
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^expected .*run\.ckpt$"):
            mf.train(net, resume=path)


def test_another_problem_is_refused(problem, path):
    net, p = problem
    mf.train(net, p, checkpoint=path, callback=stop_after(5), **BUDGET)
    before = path.read_bytes()
    targets = net.targets.copy()
    targets[3] += 1e-9
    layers = list(net.layers)
    others = [
        (mf.Net(layers, net.inputs, targets), {}, "other numbers in target"),
        (mf.Net(layers, net.inputs[:30], net.targets[:30]), {}, "samples is 30 instead of 40"),
        (mf.Net(layers, net.inputs, net.targets, weights=np.full(40, 2.0)), {}, "in weights"),
        (mf.Net([(4, "tanh", True), *layers[1:]], net.inputs, net.targets), {}, "4 tanh"),
        (net, {"maxnorm": 1.0}, "maxnorm is 1.0 instead of Inf"),
        (net, {"abstol": 1e-7}, "expected abstol = 1.0e-6.*got 1.0e-7"),
        (net, {"alg": "DP5"}, "expected alg = auto.*got DP5"),
        (net, {"tauinv": 2.0}, "expected tauinv = none.*got 2.0"),
        (net, {"p": p + 1e-12}, "expected the start of the run"),
    ]
    for other, keywords, message in others:
        with pytest.raises(ValueError, match=message):
            mf.train(other, resume=path, **keywords)
    assert path.read_bytes() == before
    assert mf.train(net, p, resume=path, alg="auto", maxnorm=np.inf).flow.iterations == 80


def test_places_that_cannot_be(problem, path):
    net, p = problem
    for error, message, keywords in (
        (FileNotFoundError, "expected a folder that exists", {"checkpoint": path / "x" / "y"}),
        (IsADirectoryError, "expected the name of a file", {"checkpoint": path.parent}),
        (FileNotFoundError, "expected a checkpoint, got no file", {"resume": path}),
        (ValueError, "together with checkpoint", {"resume": True}),
        (TypeError, "checkpoint: expected the path of a file, got 3", {"checkpoint": 3}),
        (ValueError, "got an empty text", {"checkpoint": ""}),
        (ValueError, "checkpoint_interval", {"checkpoint": path, "checkpoint_interval": -1}),
    ):
        with pytest.raises(error, match=message):
            mf.train(net, p, **keywords)
    with pytest.raises(TypeError, match="expected a start p"):
        mf.train(net)
    with pytest.raises(TypeError, match="expected a start p"):
        mf.train(net, checkpoint=path, resume=True)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="expected a new file or an old checkpoint"):
        mf.train(net, p, checkpoint=path)
    with pytest.raises(ValueError, match='begins with "mlpflow checkpoint 1", got another'):
        mf.train(net, resume=path)
    assert path.read_text() == "a,b\n1,2\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(problem, path):
    path.parent.chmod(0o500)
    with pytest.raises(PermissionError, match="expected a folder in which files can be made"):
        mf.train(*problem, checkpoint=path)


def test_the_default_interval_is_the_engine_s():
    source = (engine_root() / "julia" / "checkpoint.jl").read_text()
    assert f"CHECKPOINT_INTERVAL = {mf.TrainOptions().checkpoint_interval} " in source
