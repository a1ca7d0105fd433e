"""Parameters as layers, as a dictionary, and as a vector."""

import pickle

import numpy as np
import pytest

import mlpflow as mf

W1, B1, W2 = np.arange(6.0).reshape(3, 2), np.array([6.0, 7.0, 8.0]), np.arange(9.0, 12.0)[None]


@pytest.fixture
def p():
    return mf.Params([(W1, B1), (W2, None)])


def test_flat_is_pytorch_order(p):
    assert p.flat.tolist() == list(range(12))
    assert len(p) == 12
    assert p.shapes == ((3, 2, True), (1, 3, False))


def test_layers_are_views(p):
    (w1, b1), (w2, b2) = p.layers
    assert b2 is None
    assert np.array_equal(w1, W1) and np.array_equal(b1, B1) and np.array_equal(w2, W2)
    w1[0, 1] = -1
    p["b1"] = 5.0
    assert p.flat[1] == -1
    assert p.flat[6:9].tolist() == [5, 5, 5]
    assert W1[0, 1] == 1


def test_names(p):
    assert p["w2"].tolist() == [[9, 10, 11]]
    assert p[3] == 3.0
    assert p[2:4].tolist() == [2, 3]
    p[0] = 7
    assert p["w1"][0, 0] == 7
    for name in ("b2", "w3", "w0", "weight"):
        with pytest.raises(KeyError, match=f"expected one of w1, b1, w2, got '{name}'"):
            p[name]


def test_dictionaries(p):
    d = p.to_dict()
    assert list(d) == ["w1", "b1", "w2"]
    assert np.array_equal(mf.Params.from_dict(d), p)
    assert np.array_equal(mf.Params.from_dict({"w2": W2, "b2": None, "b1": B1, "w1": W1}), p)
    for bad in ({}, {"w2": W2}, {"w1": W1, "c1": B1}, {"w1": W1, "b2": B1}):
        with pytest.raises(ValueError, match="expected the keys w1, b1, w2, b2"):
            mf.Params.from_dict(bad)


def test_many_layers_keep_their_order():
    d = {f"w{i}": [[float(i)]] for i in range(12, 0, -1)}
    assert mf.Params.from_dict(d).flat.tolist() == list(range(1, 13))


def test_from_flat():
    layers = [(3, "tanh", True), (1, "identity", False)]
    p = mf.Params.from_flat(layers, 2, np.arange(12))
    assert np.array_equal(p["w1"], W1)
    assert p.layer_spec == tuple(layers)
    with pytest.raises(ValueError, match=r"expected a flat vector of shape \(12,\).*got \(11,\)"):
        mf.Params.from_flat(layers, 2, np.arange(11))


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "at least one"),
        ([(W1,)], TypeError, "for layer 1, got a tuple"),
        ([W1], TypeError, r"got an array of shape \(3, 2\)"),
        ([(B1, None)], ValueError, r"w1: expected weights of shape \(out, in\), got \(3,\)"),
        ([(W1, np.zeros(2))], ValueError, r"b1: expected a bias of shape \(3,\).*got \(2,\)"),
        ([(W1, B1), (W1, None)], ValueError, r"w2: expected 3 columns.*got shape \(3, 2\)"),
        ([(W1, "b")], TypeError, "b1: expected real numbers"),
        ({"w1": W1}, TypeError, "use Params.from_dict"),
    ],
)
def test_bad_layers(layers, error, message):
    with pytest.raises(error, match=message):
        mf.Params(layers)


def test_arithmetic_keeps_parameters(p):
    q = 2 * p + 1 - p / 2
    assert isinstance(q, mf.Params)
    assert np.allclose(q.flat, 1.5 * np.arange(12) + 1)
    assert isinstance(np.sin(p), mf.Params)
    assert isinstance(p + np.ones(12), mf.Params)
    assert isinstance(-p, mf.Params)
    p += 1
    assert isinstance(p, mf.Params)
    assert p["w1"][0, 0] == 1


def test_it_is_an_array_to_numpy(p):
    assert np.linalg.norm(p) == pytest.approx(np.sqrt(506))
    assert (p @ p) == 506.0
    assert p.shape == (12,) if hasattr(p, "shape") else np.shape(p) == (12,)
    assert (p == p.flat).all()
    assert np.add.reduce(p) == 66.0
    assert np.asarray(p) is p.flat
    assert np.array(p, dtype="f4").dtype == np.float32
    assert np.array(p) is not p.flat
    assert p.copy().flat is not p.flat
    with pytest.raises(ValueError, match="same layers"):
        p + mf.Params([(np.zeros((12, 1)), None)])


def test_pickle(p, small_params):
    for original in (p, small_params):
        twin = pickle.loads(pickle.dumps(original))
        assert np.array_equal(twin, original)
        assert twin.shapes == original.shapes
        assert twin.layer_spec == original.layer_spec


def test_every_way_of_writing_parameters(small_net, small_params):
    value = mf.loss(small_net, small_params)
    ways = [
        small_params.flat,
        small_params.flat.tolist(),
        small_params.layers,
        small_params.to_dict(),
        small_params.flat.astype(object).astype(float),
    ]
    assert all(mf.loss(small_net, way) == value for way in ways)


def test_repr(p):
    text = repr(p)
    assert text.startswith("Params with 12 parameters:\nw1 (3, 2)\n")
    assert "b1 (3,)" in text
    assert "b2" not in text
