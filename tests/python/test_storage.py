"""Save and load."""

import contextlib
import zipfile

import numpy as np
import pytest

import mlpflow as mf


def round_trip(value, path):
    mf.save(path, value)
    return mf.load(path)


def test_plain_data(tmp_path):
    value = {
        "a": [1, 2.5, None, True, "äöü"],
        "b": (np.inf, -np.inf, 1e-300, 0.1 + 0.2),
        3: {"deep": [np.arange(3), np.float64(1.5)]},
    }
    back = round_trip(value, tmp_path / "v.npz")
    assert back["a"] == value["a"]
    assert back["b"] == value["b"]
    assert back[3]["deep"][0].tolist() == [0, 1, 2]
    assert back[3]["deep"][1] == 1.5


def test_networks_teachers_params(tmp_path, small_net, small_params):
    path = tmp_path / "v"
    back = round_trip(small_net, path)
    assert np.array_equal(back.inputs, small_net.inputs)
    assert mf.loss(back, small_params) == mf.loss(small_net, small_params)
    assert np.array_equal(round_trip(small_params, path), small_params)
    teacher = mf.TeacherNet([(2, ["tanh", mf.Poly(0, 1)], False)], inputs=1, rng=0)
    twin = round_trip(teacher, path)
    assert twin.layers == teacher.layers
    assert np.array_equal(twin.params, teacher.params)
    bare = mf.Params([(np.eye(2), None)])
    assert round_trip(bare, path).layer_spec is None


def test_labels_weights_and_user_activations(tmp_path):
    sine = mf.Activation("sine", "sin", "cos", "x -> -sin(x)")
    net = mf.Net(
        [(3, sine, True)], np.eye(3), [0, 1, 2], weights=[1, 2, 3], losstype="cross_entropy"
    )
    back = round_trip(net, tmp_path / "v")
    assert back.layers == net.layers
    assert back.losstype == "cross_entropy"
    assert back.targets.dtype == np.int64
    assert back.weights.tolist() == [1, 2, 3]


def test_a_spectrum(tmp_path):
    spectrum = mf.Spectrum(np.array([1.0, 2.0]), np.eye(2))
    assert round_trip(spectrum, tmp_path / "v").values.tolist() == [1, 2]


def test_other_objects_are_refused_and_leave_no_file(tmp_path):
    with pytest.raises(TypeError, match="save: expected a TrainResult.* got a object"):
        mf.save(tmp_path / "v", {"a": object()})
    with pytest.raises(TypeError):
        mf.save(tmp_path / "v", np.array([object()]))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_survives_a_failed_save(tmp_path):
    path = tmp_path / "v"
    mf.save(path, 1)
    with pytest.raises(TypeError):
        mf.save(path, object())
    assert mf.load(path) == 1


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "v"
    for content in (b"", b"hello", b"\x80\x04pickle", b"PK\x03\x04" + bytes(50)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected a file written by mlpflow.save"):
            mf.load(path)
    np.savez(path.with_suffix(".npz"), a=np.ones(2))
    with pytest.raises(ValueError, match="expected a file written by mlpflow.save"):
        mf.load(path.with_suffix(".npz"))
    with pytest.raises(FileNotFoundError):
        mf.load(tmp_path / "missing")


def test_damaged_files_end_in_one_error(tmp_path, small_params, rng):
    path = tmp_path / "v"
    mf.save(path, small_params)
    good = path.read_bytes()
    assert zipfile.is_zipfile(path)
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), 3):
            bad[place] = rng.integers(0, 256)
        path.write_bytes(bad[: rng.integers(1, len(bad) + 1)])
        with contextlib.suppress(ValueError):
            mf.load(path)
