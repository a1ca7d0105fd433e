"""What kind of point: the door to the engine's classification, and results of training."""

import numpy as np
import pytest

import mlpflow as mf


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((150, 2))
    teacher = mf.TeacherNet([(3, "tanh", True), (1, "identity", True)], inputs=2, rng=1)
    y = teacher(x) + 0.1 * rng.standard_normal((150, 1))
    net = mf.Net([(2, "tanh", True), (1, "identity", True)], x, y)
    return mf.train(net, mf.random_params(net, rng=0), maxT=200, maxiterations_optim=500)


def split(result, part):
    """The first neuron twice, with the parts of its outgoing weight: the same function."""
    p, net = result.params, result.net
    w1, b1 = p["w1"][[0, 0, 1]], p["b1"][[0, 0, 1]]
    w2 = p["w2"][:, [0, 0, 1]] * [part, 1 - part, 1]
    larger = mf.Net([(3, "tanh", True), (1, "identity", True)], net.inputs, net.targets)
    return larger, mf.Params([(w1, b1), (w2, p["b2"])])


def test_a_minimum_with_the_eigenvalue_that_decides(trained):
    found = mf.classify(trained)
    assert (found.kind, found.index, found.flat_dimension) == ("minimum", 0, 0)
    values = np.linalg.eigvalsh(mf.hessian(trained.net, trained.params))
    assert found.eigenvalues == pytest.approx(values[:1], rel=1e-9)
    assert 0 < found.rounding[0] < 1e-10 * values[-1]
    assert found.gnorm <= found.gnorm_rounding < 1e-12
    assert found.direction is None and found.neurons == ()
    assert found.message.startswith("A minimum: ") and found.message in repr(found)
    assert "<b>minimum</b>" in found._repr_html_()
    assert mf.classify(trained.net, trained.params.flat).kind == "minimum"


def test_not_critical_says_how_large_the_gradient_is(trained):
    found = mf.classify(trained.net, trained.params + 1e-3)
    gnorm = np.abs(mf.gradient(trained.net, trained.params + 1e-3).flat).max()
    assert found.kind == "not critical"
    assert found.gnorm == pytest.approx(gnorm) and found.gnorm > 1e6 * found.gnorm_rounding
    assert "times what rounding explains" in found.message
    nearly = trained.params + 1e-9
    assert mf.classify(trained.net, nearly).kind == "not critical"
    assert mf.classify(trained.net, nearly, min_gnorm=1e-6).kind == "minimum"


def test_split_neurons(trained):
    saddle = mf.classify(*split(trained, -0.5))
    assert saddle.kind == "saddle" and saddle.flat_dimension == 1
    larger, p = split(trained, -0.5)
    curvature = saddle.direction.flat @ mf.hvp(larger, p, saddle.direction)
    assert curvature == pytest.approx(saddle.eigenvalues[0]) and curvature < 0
    boundary = mf.classify(*split(trained, 0.0))
    assert (boundary.kind, boundary.flat_dimension) == ("degenerate", 4)
    assert boundary.flat_loss == "falls" and len(boundary.eigenvalues) == 5


def test_infinity_names_the_neurons_counted_from_0(trained):
    net = mf.Net([(2, "identity", True)], [[-1.0], [1.0]], [0, 1], losstype="cross_entropy")
    result = mf.train(net, np.zeros(4), maxT=1e3, maxiterations_optim=0)
    found = mf.classify(result)
    assert found.kind == "infinity" and sorted(found.neurons) == [(0, 0), (0, 1)]
    assert np.linalg.norm(found.direction) == pytest.approx(1)
    further = result.params + 10 * found.direction
    assert mf.loss(net, further) < result.loss and found.limit < result.loss
    assert "neuron 1 of layer 0" in found.message
    # The keywords of the run come with it.
    bounded = mf.train(net, np.zeros(4), maxnorm=0.5, maxiterations_ode=100)
    assert mf.classify(bounded).kind == "minimum"
    assert mf.classify(bounded, maxnorm=np.inf).kind == "infinity"


def test_frozen_parameters(trained):
    tauinv = np.ones(trained.net.nparams)
    tauinv[0] = 0.0
    start = mf.random_params(trained.net, rng=0)
    result = mf.train(trained.net, start, tauinv=tauinv, maxT=200, maxiterations_optim=500)
    assert mf.classify(result).kind == "minimum"
    assert mf.classify(trained.net, result.params).kind == "not critical"
    assert mf.classify(trained.net, result.params, tauinv=mf.Params.from_flat(
        trained.net.layers, 2, tauinv)).kind == "minimum"  # fmt: skip


def test_saved_and_loaded(trained, tmp_path):
    found = mf.classify(*split(trained, -0.5))
    mf.save(tmp_path / "kind.npz", found)
    loaded = mf.load(tmp_path / "kind.npz")
    assert isinstance(loaded, mf.Classification) and repr(loaded) == repr(found)
    assert np.array_equal(loaded.eigenvalues, found.eigenvalues)
    assert np.array_equal(loaded.direction.flat, found.direction.flat)


def test_bad_input(trained):
    with pytest.raises(TypeError, match="expected a Net or a TrainResult, got a str"):
        mf.classify("net")
    with pytest.raises(TypeError, match="expected parameters after the network, got none"):
        mf.classify(trained.net)
    with pytest.raises(TypeError, match="a TrainResult alone"):
        mf.classify(trained, trained.params)
    with pytest.raises(ValueError, match="min_gnorm"):
        mf.classify(trained, min_gnorm=-1.0)
    with pytest.raises(ValueError, match="shape"):
        mf.classify(trained.net, np.zeros(3))
    with pytest.raises(mf.EngineError, match="not frozen"):
        mf.classify(trained, tauinv=0.0)
