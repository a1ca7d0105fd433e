"""The gradient flow against SciPy's Radau on a right-hand side written in NumPy.

The promise is an error of at most ten times the tolerance asked for at t = 1, 10, 100, where the
tolerance of parameter i is max(abstol, reltol |p_i|); the reference is Radau at 1e-11.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mlpflow as mf

TIMES = (1.0, 10.0, 100.0)


def sigmoid(z):
    """Logistic function and its derivative."""
    s = 1 / (1 + np.exp(-z))
    return s, s * (1 - s)


def tanh(z):
    """Hyperbolic tangent and its derivative."""
    t = np.tanh(z)
    return t, 1 - t * t


def identity(z):
    """The linear output."""
    return z, np.ones_like(z)


FUNCTIONS = {"sigmoid": sigmoid, "tanh": tanh, "identity": identity}


def gradient(p, layers, x, y, weights):
    """Gradient of 1/N sum_n w_n |f(x_n) - y_n|^2 in PyTorch's order, by backpropagation."""
    stack, a, start = [], x, 0
    for width, name, bias in layers:
        size = width * a.shape[1]
        w = p[start : start + size].reshape(width, a.shape[1])
        b = p[start + size : start + size + width] if bias else 0.0
        start += size + (width if bias else 0)
        value, slope = FUNCTIONS[name](a @ w.T + b)
        stack.append((a, w, slope, bias))
        a = value
    delta = 2 / len(x) * weights[:, None] * (a - y)
    parts = []
    for a, w, slope, bias in reversed(stack):
        delta = delta * slope
        if bias:
            parts.append(delta.sum(axis=0))
        parts.append((delta.T @ a).ravel())
        delta = delta @ w
    return np.concatenate(parts[::-1])


def teacher_student():
    """2 -> 5 sigmoid -> 1 without biases, targets from 4 neurons: 15 parameters."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((100, 2))
    layers = [(5, "sigmoid", False), (1, "identity", False)]
    y = mf.TeacherNet([(4, "sigmoid", False), (1, "identity", False)], inputs=2, rng=8)(x)
    return layers, x, y, np.ones(100)


def deep_weighted():
    """3 -> 4 tanh -> 3 tanh -> 2 with biases and sample weights, noisy targets: 39 parameters."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((40, 3))
    layers = [(4, "tanh", True), (3, "tanh", True), (2, "identity", True)]
    return layers, x, rng.standard_normal((40, 2)), rng.uniform(0.2, 2.0, 40)


@pytest.fixture(scope="module", params=[teacher_student, deep_weighted], ids=lambda f: f.__name__)
def problem(request):
    """A network, a start, time scales and the reference at the three times."""
    layers, x, y, weights = request.param()
    net = mf.Net(layers, x, y, weights=weights)
    p = np.asarray(mf.random_params(net, rng=6))
    tauinv = np.random.default_rng(5).uniform(0.3, 1.5, net.nparams)
    reference = solve_ivp(
        lambda t, q: -tauinv * gradient(q, layers, x, y, weights),
        (0.0, TIMES[-1]),
        p,
        method="Radau",
        t_eval=TIMES,
        rtol=1e-11,
        atol=1e-12,
    )
    assert reference.success, reference.message
    return net, p, tauinv, reference.y.T, (layers, x, y, weights)


def test_right_hand_side(problem):
    net, p, _, _, data = problem
    np.testing.assert_allclose(mf.gradient(net, p), gradient(p, *data), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("alg", ["DP5", "DOP853", "Rodas5P", "auto"])
def test_flow(problem, alg, tolerance):
    net, p, tauinv, reference, _ = problem
    for t, expected in zip(TIMES, reference, strict=True):
        flow = mf.train(
            net,
            p,
            alg=alg,
            maxT=t,
            abstol=tolerance,
            reltol=tolerance,
            tauinv=tauinv,
            min_gnorm=0.0,
            maxiterations_optim=0,
            n_samples_trajectory=2,
            progress=False,
        ).flow
        assert flow.status is mf.Status.maxT
        assert flow.t == t
        found = np.asarray(flow.params)
        np.testing.assert_array_equal(found, flow.trajectory.params[-1])
        units = np.abs(found - expected) / np.maximum(tolerance, tolerance * np.abs(expected))
        worst = int(units.argmax())
        assert units[worst] <= 10, f"parameter {worst} at t = {t}: {units[worst]:.3g} tolerances"
