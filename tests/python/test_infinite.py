"""Infinite data from Python, against a million quasi-random samples."""

import pickle
import re

import numpy as np
import pytest
from scipy import special, stats

import mlpflow as mf

LAYERS = [(3, "tanh", True), (2, "identity", True)]


@pytest.fixture
def teacher():
    return mf.TeacherNet([(2, "softplus", True), (2, "identity", True)], inputs=3, rng=1)


@pytest.fixture
def net(teacher):
    root = np.array([[1.0, 0, 0], [0.4, 0.7, 0], [-0.2, 0.1, 0.5]])
    return mf.InfiniteNet(teacher, LAYERS, mean=[0.1, -0.3, 0.2], covariance=root @ root.T)


@pytest.fixture
def p(net):
    return mf.random_params(net, rng=2)  # biases 0


def sobol_nets(layers, teacher, mean, root, scrambles=4, log2=18):
    """Nets of scrambled Sobol points: a million together, an estimate of the error apart."""
    for seed in range(scrambles):
        points = stats.qmc.Sobol(teacher.Din, rng=seed).random_base2(log2)
        x = mean + special.ndtri(np.clip(points, 1e-16, 1 - 1e-16)) @ root.T
        yield mf.Net(layers, x, teacher(x))


@pytest.mark.parametrize("names", [("relu", "relu"), ("softplus", ["relu", "selu", "sigmoid2"])])
def test_a_million_quasi_random_samples(names):
    teacher = mf.TeacherNet([(2, names[0], True), (2, "identity", True)], inputs=3, rng=1)
    layers = [(3, names[1], True), (2, "identity", True)]
    root = np.array([[1.0, 0, 0], [0.4, 0.7, 0], [-0.2, 0.1, 0.5]])
    mean = np.array([0.1, -0.3, 0.2])
    net = mf.InfiniteNet(teacher, layers, mean=mean, covariance=root @ root.T)
    p = mf.random_params(net, rng=2)  # both output biases 0
    functions = (mf.loss, lambda n, q: mf.gradient(n, q).flat, mf.hessian)
    if "relu" in np.ravel(names[1]):  # samples do not see the jumps of the slope
        functions = functions[:2]
    exact = [np.asarray(function(net, p)) for function in functions]
    samples = [[] for _ in functions]
    for finite in sobol_nets(layers, teacher, mean, root):
        for values, function in zip(samples, functions, strict=True):
            values.append(np.asarray(function(finite, p)))
    for values, expected in zip(samples, exact, strict=True):
        error = np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
        assert (np.abs(np.mean(values, axis=0) - expected) <= 12 * error + 1e-12).all()
        assert np.max(error) < 1e-4


def test_derivatives_are_those_of_the_loss(net, p, rng):
    direction = rng.standard_normal(net.nparams)
    h = 1e-5
    q = p.flat + 0.3 * rng.standard_normal(net.nparams)
    up, down = (mf.value_and_gradient(net, q + sign * h * direction) for sign in (1, -1))
    slope = mf.gradient(net, q).flat @ direction
    assert np.isclose((up[0] - down[0]) / (2 * h), slope, rtol=1e-7)
    product = mf.hvp(net, q, direction)
    assert np.allclose((up[1].flat - down[1].flat) / (2 * h), product, rtol=1e-6, atol=1e-7)
    hessian = mf.hessian(net, q)
    assert np.allclose(hessian @ direction, product, rtol=1e-12)
    assert np.allclose(mf.hessian_spectrum(net, q).values, np.linalg.eigvalsh(hessian))
    assert mf.loss(net, q, maxnorm=0.01, merge=(0, (0, 1), 0.5)) > mf.loss(net, q)


def test_the_loss_of_samples_comes_closer_like_one_over_their_number():
    """At the minimum of N samples the infinite loss is a multiple of 1/N above its minimum."""
    teacher = mf.TeacherNet([(3, "softplus", False), (1, "identity", False)], inputs=4, rng=5)
    layers = [(1, "softplus", False), (1, "identity", False)]
    net = mf.InfiniteNet(teacher, layers)
    budget = {"maxtime_ode": np.inf, "maxtime_optim": np.inf, "maxT": 100.0, "abstol": 1e-4}
    best = mf.train(net, mf.random_params(net, rng=0), **budget)
    assert best.gnorm < 1e-14
    gaps = []
    for samples in (500, 8000):
        gap = []
        for seed in range(12):
            x = np.random.default_rng(seed).standard_normal((samples, 4))
            finite = mf.Net(layers, x, teacher(x))
            end = mf.train(finite, best.params, maxiterations_ode=0, maxtime_optim=np.inf)
            gap.append(mf.loss(net, end.params) - best.loss)
        gaps.append(np.mean(gap))
    assert 16 / 2 < gaps[0] / gaps[1] < 16 * 2


def test_training_finds_the_teacher(teacher):
    net = mf.InfiniteNet(teacher, [(2, "softplus", True), (None, "identity", True)])
    start = teacher.params.flat + 0.1 * np.random.default_rng(0).standard_normal(net.nparams)
    result = mf.train(net, start, maxtime_ode=np.inf, maxtime_optim=np.inf, maxT=10.0)
    assert result.converged and result.gnorm < 1e-13
    assert np.allclose(result.params.flat, teacher.params.flat, atol=1e-9)
    assert result["input"] is None and result["weights"] is None
    assert "InfiniteNet" in repr(result.net)


def test_predictions_evaluators_and_pickles(net, p, rng, tmp_path):
    x = rng.standard_normal((5, 3))
    assert np.allclose(net(p, x), mf.Net(LAYERS, x, np.zeros((5, 2)))(p))
    found = net.evaluators(p)
    assert sum(method["pairs"] for method in found.values()) == 12
    assert all(method["error"] < 1e-14 for method in found.values())
    mf.save(tmp_path / "net.npz", net)
    for copy in (pickle.loads(pickle.dumps(net)), mf.load(tmp_path / "net.npz")):
        assert mf.loss(copy, p) == mf.loss(net, p)
        assert np.array_equal(copy.covariance, net.covariance)


def test_an_activation_of_ones_own(teacher):
    sine = mf.Activation("sine", f="sin", deriv="cos", second_deriv="x -> -sin(x)")
    net = mf.InfiniteNet(teacher, [(1, sine, False), (2, "identity", False)])
    p = np.array([0.3, -0.2, 0.5, 0.0, 0.0])
    # E sin(w x)^2 = (1 - exp(-2 |w|^2))/2
    w2 = p[:3] @ p[:3]
    assert np.isclose(mf.hessian(net, p)[3, 3], 1 - np.exp(-2 * w2), rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda t: mf.InfiniteNet(None, LAYERS), TypeError, "expected a mlpflow.TeacherNet"),
        (lambda t: mf.InfiniteNet(t, LAYERS[1:]), ValueError, "one hidden layer"),
        (
            lambda t: mf.InfiniteNet(t, [(3, "tanh", True), (2, "tanh", True)]),
            ValueError,
            "identity outputs, got tanh",
        ),
        (
            lambda t: mf.InfiniteNet(t, [(3, "tanh", True), (1, "identity", True)]),
            ValueError,
            "expected 2 outputs",
        ),
        (lambda t: mf.InfiniteNet(t, LAYERS, mean=[1.0]), ValueError, "mean: expected the shape"),
        (lambda t: mf.InfiniteNet(t, LAYERS, mean=[1, 2, np.nan]), ValueError, "finite"),
        (lambda t: mf.InfiniteNet(t, LAYERS, covariance=[1.0]), ValueError, "shape (3, 3)"),
        (
            lambda t: mf.InfiniteNet(t, LAYERS, covariance=np.diag([1, 1, -1])),
            ValueError,
            "negative eigenvalue",
        ),
        (
            lambda t: mf.InfiniteNet(t, LAYERS, covariance=np.triu(np.ones((3, 3)))),
            ValueError,
            "symmetric",
        ),
    ],
)
def test_bad_arguments(teacher, make, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        make(teacher)


def test_what_needs_samples_says_so(net, p):
    for function in (mf.residuals, mf.jacobian, mf.gauss_newton):
        with pytest.raises(TypeError, match="whose samples it is about, got a InfiniteNet"):
            function(net, p)
    with pytest.raises(ValueError, match="batchsize: expected None for a InfiniteNet"):
        mf.train(net, p, alg="Adam", batchsize=10)
