"""Networks, teachers and outputs."""

import copy
import pickle

import numpy as np
import pytest

import mlpflow as mf


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_outputs_agree_with_numpy(small_net, small_params, rng):
    (w1, b1), (w2, b2) = small_params.layers
    x = rng.standard_normal((7, 2))
    expected = np.tanh(x @ w1.T + b1) @ w2.T + b2
    assert np.allclose(small_net(small_params, x), expected, rtol=1e-13, atol=1e-15)
    own = np.tanh(small_net.inputs @ w1.T + b1) @ w2.T + b2
    assert np.allclose(small_net(small_params), own, rtol=1e-13, atol=1e-15)
    assert mf.loss(small_net, small_params) == pytest.approx(
        np.mean((own - small_net.targets) ** 2), rel=1e-13
    )


@pytest.mark.parametrize("n", [1, 3, 8, 9, 65])
def test_awkward_sizes(n, rng):
    x, y = rng.standard_normal((n, 1)), rng.standard_normal((n, 1))
    net = mf.Net([(1, "sigmoid", False), (1, "identity", False)], x, y)
    p = [0.5, -1.5]
    assert np.allclose(net(p), -1.5 * sigmoid(0.5 * x), rtol=1e-13)
    assert mf.loss(net, p) == pytest.approx(np.mean((net(p) - y) ** 2), rel=1e-13)


def test_weights_and_several_outputs(rng):
    x, y, w = rng.standard_normal((9, 2)), rng.standard_normal((9, 3)), rng.uniform(size=9)
    net = mf.Net([(None, "identity", True)], x, y, weights=w)
    assert net.layers == ((3, "identity", True),)
    p = mf.random_params(net, rng=rng)
    error = (x @ p["w1"].T + p["b1"] - y) ** 2
    assert mf.loss(net, p) == pytest.approx((w * error.sum(axis=1)).sum() / 9, rel=1e-13)


def test_cross_entropy_with_labels_and_probabilities(rng):
    x, labels = rng.standard_normal((11, 2)), rng.integers(0, 3, 11)
    net = mf.Net([(3, "identity", True)], x, labels, losstype="cross_entropy")
    p = mf.random_params(net, rng=rng)
    z = x @ p["w1"].T + p["b1"]
    log_softmax = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    assert mf.loss(net, p) == pytest.approx(-log_softmax[np.arange(11), labels].mean(), rel=1e-12)
    rows = np.eye(3)[labels]
    same = mf.Net([(3, "identity", True)], x, rows, losstype="cross_entropy")
    assert mf.loss(same, p) == pytest.approx(mf.loss(net, p), rel=1e-14)
    assert mf.Net([(None, "identity", True)], x, labels, losstype="cross_entropy").Dout == 3


def test_activations_per_neuron_polynomials_and_user_made(rng):
    x = rng.standard_normal((5, 2))
    sine = mf.Activation("sine", "sin", "cos", "x -> -sin(x)")
    layers = [(4, ["tanh", mf.Poly(1, 0, 2), sine, "relu"], True), (1, "identity", False)]
    net = mf.Net(layers, x, np.zeros(5))
    p = mf.random_params(net, rng=rng)
    z = x @ p["w1"].T + p["b1"]
    parts = [np.tanh(z[:, 0]), 1 + 2 * z[:, 1] ** 2, np.sin(z[:, 2]), np.maximum(z[:, 3], 0)]
    assert np.allclose(net(p), np.stack(parts, axis=1) @ p["w2"].T, rtol=1e-12, atol=1e-14)
    step = 1e-6 * rng.standard_normal(net.nparams)
    slope = (mf.loss(net, p.flat + step) - mf.loss(net, p.flat - step)) / 2
    assert slope == pytest.approx(mf.gradient(net, p).flat @ step, rel=1e-7)


def test_a_broken_user_activation_is_an_engine_error_and_the_engine_stays(small_net, small_params):
    broken = mf.Activation("broken", "x -> nosuch(x)", "cos", "sin")
    net = mf.Net([(1, broken, False)], [[1.0]], [1.0])
    for _ in range(2):
        with pytest.raises(
            mf.EngineError, match='"broken": f = .* cannot be called with 0.5.*nosuch'
        ):
            mf.loss(net, [1.0])
    assert np.isfinite(mf.loss(small_net, small_params))


def test_data_is_a_read_only_copy(rng):
    x, y = rng.standard_normal((4, 2)), rng.standard_normal(4)
    net = mf.Net([(1, "identity", False)], x, y)
    before = mf.loss(net, [1.0, 1.0])
    x[:] = 0
    assert mf.loss(net, [1.0, 1.0]) == before
    assert net.targets.shape == (4, 1)
    with pytest.raises(ValueError, match="read-only"):
        net.inputs[0] = 1


@pytest.mark.parametrize("dtype", ["f4", "i8", "i2", "u1", "?"])
def test_other_numbers_are_converted(dtype):
    x = np.array([[1, 0], [0, 1]], dtype)
    net = mf.Net([(1, "identity", False)], x, [1, 2])
    assert net.inputs.dtype == np.float64
    assert mf.loss(net, np.zeros(2, "f4")) == 2.5


def test_torch_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    net = mf.Net([(1, "identity", False)], x, torch.tensor([3.0]))
    assert mf.loss(net, torch.ones(2)) == 0.0


def test_copies_and_pickles(small_net, small_params):
    for twin in (copy.deepcopy(small_net), pickle.loads(pickle.dumps(small_net))):
        assert twin._key != small_net._key
        assert mf.loss(twin, small_params) == mf.loss(small_net, small_params)
    teacher = mf.TeacherNet([(1, "tanh", True)], inputs=2, rng=0)
    twin = pickle.loads(pickle.dumps(teacher))
    assert np.array_equal(twin([[1.0, 2.0]]), teacher([[1.0, 2.0]]))


def test_teachers(rng):
    layers = [(4, "sigmoid", False), (1, "identity", False)]
    teacher = mf.TeacherNet(layers, inputs=2, rng=3)
    x = rng.standard_normal((6, 2))
    w1, w2 = teacher.params["w1"], teacher.params["w2"]
    assert np.allclose(teacher(x), sigmoid(x @ w1.T) @ w2.T, rtol=1e-13)
    again = mf.TeacherNet(layers, inputs=2, params=teacher.params)
    assert np.array_equal(again(x), teacher(x))
    assert mf.loss(mf.Net(layers, x, teacher(x)), teacher.params) == 0.0
    assert "4 sigmoid" in repr(teacher)


def test_random_params_are_reproducible_and_of_the_right_size(rng):
    x = rng.standard_normal((3, 100))
    net = mf.Net([(50, "tanh", True), (1, "identity", True)], x, np.zeros(3))
    p = mf.random_params(net, rng=5)
    assert np.array_equal(p, mf.random_params(net, rng=np.random.default_rng(5)))
    assert not p["b1"].any()
    assert p["w1"].std() == pytest.approx(np.sqrt(2 / 150), rel=0.05)
    uniform = mf.random_params(net, rng=5, distribution="glorot_uniform")["w1"]
    assert np.abs(uniform).max() <= np.sqrt(6 / 150)
    assert uniform.std() == pytest.approx(np.sqrt(2 / 150), rel=0.05)


def test_repr(small_net):
    assert repr(small_net) == (
        "Net: 2 -> 3 tanh + bias -> 1 identity + bias; 13 parameters, 20 samples, loss mse"
    )
