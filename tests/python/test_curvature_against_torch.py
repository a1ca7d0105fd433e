"""Products, Jacobian and Gauss-Newton matrix against PyTorch in Float64, and their bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

import mlpflow as mf

# PyTorch's own: torch.func scripts a function when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

LAYERS = [(4, "tanh", True), (3, "softplus", False), (2, "identity", True)]


class Problem:
    """2 -> 4 tanh -> 3 softplus -> 2 with weights, and the same in PyTorch."""

    def __init__(self, losstype, samples=70):
        rng = np.random.default_rng(5)
        self.losstype = losstype
        self.x = rng.standard_normal((samples, 2))
        self.y = (
            rng.standard_normal((samples, 2)) if losstype == "mse" else rng.integers(0, 2, samples)
        )
        self.w = 0.5 + rng.random(samples)
        self.net = mf.Net(LAYERS, self.x, self.y, weights=self.w, losstype=losstype)
        self.p = 0.5 * rng.standard_normal(self.net.nparams)
        self.v = rng.standard_normal((self.net.nparams, 3))

    def outputs(self, p):
        w1, b1, w2, w3, b3 = torch.split(p, [8, 4, 12, 6, 2])
        a = torch.tanh(torch.from_numpy(self.x) @ w1.reshape(4, 2).T + b1)
        a = torch.nn.functional.softplus(a @ w2.reshape(3, 4).T)
        return a @ w3.reshape(2, 3).T + b3

    def loss_of_outputs(self, f):
        y = torch.from_numpy(self.y)
        if self.losstype == "mse":
            each = ((f - y) ** 2).sum(dim=1)
        else:
            each = torch.nn.functional.cross_entropy(f, y, reduction="none")
        return (each * torch.from_numpy(self.w)).mean()

    def reference(self):
        p = torch.from_numpy(self.p)
        jacobian = torch.func.jacrev(self.outputs)(p)
        hessian = torch.func.hessian(lambda q: self.loss_of_outputs(self.outputs(q)))(p)
        Q = torch.func.hessian(self.loss_of_outputs)(self.outputs(p))  # (N, 2, N, 2)
        gauss_newton = torch.einsum("nip,nimj,mjq->pq", jacobian, Q, jacobian)
        return jacobian.numpy(), hessian.numpy(), gauss_newton.numpy()


@pytest.fixture(params=["mse", "cross_entropy"], scope="module")
def problem(request):
    return Problem(request.param)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_against_torch(problem):
    net, p, v = problem.net, problem.p, problem.v
    jacobian, hessian, gauss_newton = problem.reference()
    close(mf.jacobian(net, p), jacobian)
    close(mf.gauss_newton(net, p), gauss_newton)
    close(mf.hvp(net, p, v), hessian @ v)
    close(mf.hvp(net, p, v[:, 0]), hessian @ v[:, 0])
    close(mf.gauss_newton_product(net, p, v), gauss_newton @ v)
    close(mf.gauss_newton_product(net, p, v[:, 1]), gauss_newton @ v[:, 1])


def test_value_and_gradient(problem):
    value, gradient = mf.value_and_gradient(problem.net, problem.p)
    assert value == pytest.approx(mf.loss(problem.net, problem.p), rel=1e-14)
    close(gradient.flat, mf.gradient(problem.net, problem.p).flat)
    assert isinstance(gradient, mf.Params)


def test_residuals(problem):
    expected = problem.net(problem.p)
    if problem.losstype == "mse":
        expected = expected - problem.y
        r = mf.residuals(problem.net, problem.p)
        total = (problem.w[:, None] * r**2).sum() / len(problem.x)
        assert total == pytest.approx(mf.loss(problem.net, problem.p), rel=1e-13)
    else:
        expected = expected - np.eye(2)[problem.y]
    close(mf.residuals(problem.net, problem.p), expected)


def test_penalties_are_included(problem):
    options = {"maxnorm": 0.01, "merge": (0, (1, 3), 0.5)}
    net, p, v = problem.net, problem.p, problem.v
    close(mf.hvp(net, p, v, **options), mf.hessian(net, p, **options) @ v)
    penalty = mf.hessian(net, p, **options) - mf.hessian(net, p)
    close(mf.gauss_newton(net, p, **options), mf.gauss_newton(net, p) + penalty)
    close(mf.gauss_newton_product(net, p, v, **options), mf.gauss_newton(net, p, **options) @ v)


def test_directions_may_be_parameters_or_tensors(problem):
    v = problem.v[:, 0]
    expected = mf.hvp(problem.net, problem.p, v)
    as_params = mf.Params.from_flat(LAYERS, 2, v)
    np.testing.assert_array_equal(mf.hvp(problem.net, problem.p, as_params), expected)
    np.testing.assert_array_equal(mf.hvp(problem.net, problem.p, torch.from_numpy(v)), expected)


def test_single_precision():
    problem = Problem("mse")
    data = (problem.x, problem.y, problem.w)
    single = mf.Net(LAYERS, *data, precision="float32")
    assert (single.precision, problem.net.precision) == ("float32", "float64")
    assert "float32" in repr(single)
    for function in (mf.loss, mf.hessian, mf.gauss_newton, mf.jacobian, mf.residuals):
        expected = np.asarray(function(problem.net, problem.p))
        actual = np.asarray(function(single, problem.p))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
        assert np.abs(actual - expected).max() > 0
    product = mf.hvp(single, problem.p, problem.v)
    expected = mf.hvp(problem.net, problem.p, problem.v)
    np.testing.assert_allclose(product, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert product.dtype == np.float64
    with pytest.raises(ValueError, match="precision: expected one of float64, float32, got 'half'"):
        mf.Net(LAYERS, *data, precision="half")


def test_single_precision_is_saved(tmp_path):
    problem = Problem("cross_entropy")
    single = mf.Net(LAYERS, problem.x, problem.y, losstype="cross_entropy", precision="float32")
    mf.save(tmp_path / "net.npz", single)
    assert mf.load(tmp_path / "net.npz").precision == "float32"
    assert pickle.loads(pickle.dumps(single)).precision == "float32"


@pytest.mark.parametrize(
    ("v", "message"),
    [
        (np.ones(3), r"v: expected the shape \(32,\) or \(32, m\).*got \(3,\)"),
        (np.ones((3, 32)), r"v: expected the shape \(32,\) or \(32, m\).*got \(3, 32\)"),
        (np.ones((32, 0)), r"v: expected the shape"),
        (np.full(32, np.nan), r"v: expected finite numbers, got nan at index 0"),
    ],
)
def test_bad_directions(v, message):
    problem = Problem("mse")
    with pytest.raises(ValueError, match=message):
        mf.hvp(problem.net, problem.p, v)
    with pytest.raises(TypeError, match="expected a mlpflow"):
        mf.hvp("net", problem.p, v)
    assert np.isfinite(mf.loss(problem.net, problem.p))
