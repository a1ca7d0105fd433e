"""Pickles: torch reads what we write, we read what torch writes, and nothing is ever run."""

import io
import os
import pickle as standard_pickle
import pickletools
import subprocess
import zipfile

import numpy as np
import pytest
import torch

import mlpflow as mf
from mlpflow.engine.discovery import engine_root, find_julia
from mlpflow.engine.environment import worker_environment
from mlpflow.engine.image import find_image
from mlpflow.pickler import STORAGES
from mlpflow.unpickler import PickleError, Unpickler

PLAIN = {
    "none": None,
    "truth": (True, False),
    "integers": [0, 255, 256, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)],
    "floats": (1.5, -0.0, float("inf")),
    "text": "äöü\n",
    "empty": [(), [], {}, ""],
    "nested": {0.0: {"w1": [1, {"x": 2}]}, 2.5: "later", 3: 4},
}


def arrays():
    rng = np.random.default_rng(3)
    table = rng.standard_normal((3, 4))
    yield from (table, table.T, table[:, 1:3], table[::2], np.full((), 2.5))
    yield from (np.zeros((0, 4)), np.zeros(0), rng.standard_normal((2, 3, 4)).transpose(2, 0, 1))
    yield from ((9 * table).astype(dtype) for dtype in STORAGES)


@pytest.mark.parametrize("array", list(arrays()), ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_come_back_and_are_tensors_for_torch(array, tmp_path):
    file = tmp_path / "a.pt"
    mf.pickle(file, [array])
    (back,) = mf.unpickle(file)
    assert back.dtype == array.dtype and back.shape == array.shape
    assert np.array_equal(back, array)
    (tensor,) = torch.load(file, weights_only=True)
    assert np.array_equal(tensor.numpy(), array)
    assert torch.load(file, weights_only=True, mmap=True)[0].shape == array.shape


def test_plain_data_comes_back_and_is_the_same_for_torch(tmp_path):
    file = tmp_path / "plain.pt"
    mf.pickle(file, [PLAIN])
    assert mf.unpickle(file) == [PLAIN]
    assert torch.load(file, weights_only=True) == [PLAIN]
    mf.pickle(file, (np.float32(0.5), np.int16(3), np.arange(3, dtype="u2"), torch.ones(2)))
    number, whole, short, tensor = mf.unpickle(file)
    assert (number, whole, short.tolist(), tensor.tolist()) == (0.5, 3, [0, 1, 2], [1, 1])
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        pickletools.dis(archive.read("archive/data.pkl"), io.StringIO())


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "one after another"])
def test_what_torch_writes(zipped, tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)).double()
    shared = torch.arange(12.0).reshape(3, 4)
    value = {
        "state": module.state_dict(),
        "tensors": [torch.tensor(t) for t in ([True, False], [1, 2], 3.5)],
        "shared": (shared, shared.T, shared[:, 2], torch.empty(0, 2)),
        "plain": PLAIN,
        "half": torch.ones(2, dtype=torch.float16),
    }
    file = tmp_path / "torch.pt"
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    back = mf.unpickle(file)
    assert back["plain"] == PLAIN
    assert list(back["state"]) == list(value["state"])
    for found, tensor in [
        *((back["state"][key], tensor) for key, tensor in value["state"].items()),
        *zip(back["tensors"], value["tensors"], strict=True),
        *zip(back["shared"], value["shared"], strict=True),
        (back["half"], value["half"]),
    ]:
        assert found.dtype == tensor.numpy().dtype
        assert np.array_equal(found, tensor.numpy())


@pytest.fixture
def result(small_net, small_params):
    budgets = {"maxiterations_ode": 8, "maxiterations_optim": 4, "n_samples_trajectory": 5}
    return mf.train(small_net, small_params, **budgets)


def test_a_result_has_the_reference_keys(result, tmp_path):
    file = tmp_path / "run.pt"
    mf.pickle(file, result, exclude=["weights"])
    for back in (mf.unpickle(file), torch.load(file, weights_only=True)):
        assert {"loss", "ode_loss", "x", "ode_x", "trajectory", "layerspec"} <= set(back)
        assert back["loss"] == result.loss
        assert back["layerspec"] == ((3, "tanh", True), (1, "identity", True))
        assert np.array_equal(np.asarray(back["input"]), result.net.inputs.T)
        assert np.asarray(back["target"]).shape == (1, 20)
        assert list(back["trajectory"]) == result.trajectory.t.tolist()
        assert np.array_equal(np.asarray(back["x"]["w1"]), result["x"]["w1"])
        assert np.asarray(back["loss_curve"]).size == len(result.trajectory) + len(
            result.optim.loss_curve
        )


def test_labels_are_one_hot_columns(rng, tmp_path):
    labels = np.array([0, 2, 1, 2])
    x = rng.standard_normal((4, 2))
    net = mf.Net([(3, "identity", True)], x, labels, losstype="cross_entropy")
    mf.pickle(tmp_path / "run.pt", mf.train(net, np.zeros(9), maxiterations_ode=2))
    assert np.array_equal(mf.unpickle(tmp_path / "run.pt")["target"], np.eye(3)[labels].T)


def test_bad_input(result, tmp_path):
    file = tmp_path / "run.pt"
    cycle = []
    cycle.append(cycle)
    for value, said in (
        (print, "got a builtin_function_or_method"),
        ({(1, 2): 3}, "keys of a dictionary"),
        (2**70, "at most 64 bits"),
        (np.array(["x"]), "expected an array of numbers"),
        (cycle, "a list in itself"),
    ):
        with pytest.raises(TypeError, match=said):
            mf.pickle(file, value)
    with pytest.raises(ValueError, match="expected some of the keys loss, .* got 'trajektory'"):
        mf.pickle(file, result, exclude=["trajektory"])
    with pytest.raises(FileNotFoundError):
        mf.unpickle(file)
    assert not list(tmp_path.iterdir())


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def archive_with(data, file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/version", "3\n")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_hostile_file_runs_nothing(protocol, tmp_path):
    trap, file = tmp_path / "trap", tmp_path / "hostile.pt"
    for value in (Hostile(trap), {"x": [Hostile(trap)]}):
        archive_with(standard_pickle.dumps(value, protocol), file)
        with pytest.raises(
            ValueError, match=r"got posix\.mkdir: nothing of this file has been run"
        ):
            mf.unpickle(file)
    file.write_bytes(standard_pickle.dumps(value, protocol))
    with pytest.raises(ValueError, match="it begins otherwise"):
        mf.unpickle(file)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        (b"ctorch._utils\n_rebuild_tensor_v2\n.", "a part of a tensor alone"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01tR.", "other arguments"),
        (b"ccollections\nOrderedDict\n(K\x01tR.", "of 1 arguments"),
        (b"}q\x00X\x01\x00\x00\x00ah\x00s.", "may hold itself"),
        (b"]q\x00h\x00a.", "may hold itself"),
        (b"}q\x00]q\x01h\x00ah\x00K\x01h\x01s.", "may hold itself"),
        (b"r\xff\xff\xff\xff.", "expected a value"),
        (b"h\x07.", "in memory at 7"),
        (b"t.", "expected a mark"),
        (b"s.", "expected a value"),
        (b"(.", "expected a value"),
        (b"K\x01K\x02.", "one value"),
        (b"i.", "operation 0x69"),
        (b"}(K\x01u.", "one key more"),
        (b"}]K\x01s.", "as keys"),
        (b"X\xff\xff\xff\xff.", "cut off"),
        (b"X\x01\x00\x00\x00\xff.", "UTF-8"),
        (b"cos", "cut off"),
    ],
)
def test_pickles_that_are_none(operations, said):
    with pytest.raises(PickleError, match=said):
        Unpickler(b"\x80\x02" + operations, 0, {}, 1000).run()


def tensor(count=6, offset=0, shape=(2, 3), steps=(3, 1)):
    content = {"0": np.arange(6.0).tobytes()}
    machine = Unpickler(b"", 0, content, 200)
    storage = machine._storage(("storage", *_storage_global(), "0", "cpu", count))
    return machine._tensor((storage, offset, shape, steps, False, {}))


def _storage_global():
    from mlpflow.unpickler import _Global

    return (_Global("torch.DoubleStorage"),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 7},
        {"offset": 1},
        {"shape": (3, 3)},
        {"shape": (10**9,), "steps": (0,)},
        {"steps": (2**80, 1)},
        {"offset": -1},
        {"shape": (-1, 3)},
        {"shape": (2,)},
        {"shape": (2**62, 2), "steps": (2**62, 2**62)},
    ],
)
def test_tensors_lie_inside_their_storage(wrong):
    assert np.array_equal(tensor(), np.arange(6.0).reshape(2, 3))
    with pytest.raises(PickleError, match="expected a tensor"):
        tensor(**wrong)


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "one after another"])
def test_five_hundred_damaged_files(zipped, tmp_path):
    """Each is read, where a byte without meaning was hit, or refused in one sentence."""
    file = tmp_path / "value.pt"
    value = {"a": torch.ones(3, 4), "b": {0.0: torch.arange(2), 1.0: "text"}, "c": (1, None)}
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    whole = file.read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for number in range(500):
        content = bytearray(whole)
        if number % 2:
            for place in rng.integers(0, len(whole), rng.integers(1, 9)):
                content[place] = rng.integers(256)
        else:
            content = content[: rng.integers(0, len(whole))] + rng.bytes(rng.integers(0, 50))
        file.write_bytes(content)
        try:
            mf.unpickle(file)
        except ValueError as error:
            assert "expected a file written by pickle or torch.save" in str(error)
            assert "\n" not in str(error)
            refused += 1
    assert refused > 250


def test_the_julia_door_writes_and_reads_the_same(small_net, small_params, tmp_path):
    """One run in Python; the same in Julia from what Python wrote; each reads the other's file."""
    budgets = {"alg": "DP5", "maxiterations_ode": 8, "maxiterations_optim": 4}
    result = mf.train(small_net, small_params, n_samples_trajectory=5, **budgets)
    mf.pickle(tmp_path / "python.pt", result)
    torch.save({"x": torch.ones(2, 3)}, tmp_path / "zip.pt")
    old = {"x": torch.ones(2, 3, dtype=torch.int32), "s": torch.zeros(3)}
    torch.save(old, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    program = """
using MLPFlow, Random
r = unpickle("python.pt")
layers = ((3, tanh, true), (1, identity, true))
net = Net(; layers = layers, input = r["input"], target = r["target"])
again = train(net, params(r["init"]); alg = :DP5, maxiterations_ode = 8, maxiterations_optim = 4,
              n_samples_trajectory = 5, show_progress = false)
pickle("julia.pt", again)
@assert unpickle("zip.pt") == Dict("x" => ones(Float32, 2, 3))
@assert unpickle("old.pt") == Dict("x" => ones(Int32, 2, 3), "s" => zeros(Float32, 3))
rng, wrong = MersenneTwister(1), String[]
whole = read("old.pt")
for k in 1:500
    bytes = isodd(k) ? copy(whole) : whole[1:rand(rng, 1:end-1)]
    isodd(k) && foreach(_ -> bytes[rand(rng, 1:length(bytes))] = rand(rng, UInt8), 1:rand(rng, 1:8))
    write("damaged.pt", bytes)
    try
        unpickle("damaged.pt")
    catch e
        e isa ArgumentError || push!(wrong, string(typeof(e)))
    end
end
@assert isempty(wrong) wrong
"""
    julia, root = find_julia(), engine_root()
    image = find_image(julia, root)
    options = [] if image is None else [f"--sysimage={image.path}"]
    subprocess.run(
        [julia.path, "--startup-file=no", *options, "-e", program],
        env=worker_environment(julia, root),
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    ours, theirs = mf.unpickle(tmp_path / "python.pt"), mf.unpickle(tmp_path / "julia.pt")
    assert set(ours) == set(theirs)
    different = [key for key in ours if not _agree(ours[key], theirs[key])]
    assert different == ["ode_time_run", "optim_time_run", "total_time"]
    seen_by_torch = torch.load(tmp_path / "julia.pt", weights_only=True)
    assert np.array_equal(seen_by_torch["x"]["w1"].numpy(), theirs["x"]["w1"])


def _agree(a, b):
    if isinstance(a, dict):
        return list(a) == list(b) and all(_agree(a[key], b[key]) for key in a)
    if isinstance(a, (np.ndarray, float)):
        return np.array_equal(a, b)
    return a == b
