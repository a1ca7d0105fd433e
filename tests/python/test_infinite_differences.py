"""Gradients and Hessians of infinite data against differences of the closed loss in 50 digits."""

import numpy as np
import pytest

import mlpflow as mf

mp = pytest.importorskip("mpmath").mp

MEAN = np.zeros(2)
COVARIANCE = np.array([[1.25, -0.5], [-0.5, 0.75]])
OUTPUTS = 2
WIDTH = {"student": 2, "teacher": 3}


def pair(name, s11, s12, s22):
    """E f(u) f(v) for zero means and these covariances."""
    if name == "sigmoid2":
        return 2 / mp.pi * mp.asin(s12 / mp.sqrt((1 + s11) * (1 + s22)))
    r = mp.sqrt(s11 * s22)
    c = s12 / r
    c = max(min(c, mp.mpf(1)), mp.mpf(-1))
    return r / (2 * mp.pi) * (mp.sqrt(1 - c * c) + (mp.pi - mp.acos(c)) * c)


def single(name, s11):
    return mp.mpf(0) if name == "sigmoid2" else mp.sqrt(s11 / (2 * mp.pi))


def closed_loss(name, student, teacher):
    """E |f - f*|^2: all neurons together, those of the teacher with the opposite sign."""
    (w, a, b), (wt, at, bt) = student, teacher
    rows = [*w, *wt]
    out = [[*a[o], *[-v for v in at[o]]] for o in range(OUTPUTS)]
    bias = [b[o] - bt[o] for o in range(OUTPUTS)]
    S = [[mp.mpf(COVARIANCE[i, j]) for j in range(2)] for i in range(2)]

    def covariance(u, v):
        return sum(u[i] * S[i][j] * v[j] for i in range(2) for j in range(2))

    K = len(rows)
    s = [[covariance(rows[i], rows[j]) for j in range(K)] for i in range(K)]
    E = [
        [
            # relu of one and the same neuron: half its variance
            s[i][i] / 2 if i == j and name == "relu" else pair(name, s[i][i], s[i][j], s[j][j])
            for j in range(K)
        ]
        for i in range(K)
    ]
    total = mp.mpf(0)
    for o in range(OUTPUTS):
        total += sum(out[o][i] * out[o][j] * E[i][j] for i in range(K) for j in range(K))
        total += 2 * bias[o] * sum(out[o][i] * single(name, s[i][i]) for i in range(K))
        total += bias[o] ** 2
    return total


def parts(flat, width):
    """Python's order: W, then A and b of the output layer."""
    w = [[mp.mpf(v) for v in row] for row in np.reshape(flat[: 2 * width], (width, 2))]
    a = [flat[2 * width + o * width : 2 * width + (o + 1) * width] for o in range(OUTPUTS)]
    return w, [[mp.mpf(v) for v in row] for row in a], [mp.mpf(v) for v in flat[-OUTPUTS:]]


@pytest.mark.parametrize("start", ["default", "anywhere"])
@pytest.mark.parametrize("name", ["sigmoid2", "relu"])
def test_derivatives_are_those_of_the_loss(name, start):
    def layers(k):
        return [(k, name, False), (OUTPUTS, "identity", True)]

    teacher = mf.TeacherNet(layers(WIDTH["teacher"]), inputs=2, rng=3)
    net = mf.InfiniteNet(teacher, layers(WIDTH["student"]), MEAN, COVARIANCE)
    x = np.asarray(mf.random_params(net, rng=4))
    if start == "anywhere":  # the default start has no biases: both output biases are 0
        x = x + np.random.default_rng(5).standard_normal(len(x))
    with mp.workdps(50):
        fixed = parts(np.asarray(teacher.params), WIDTH["teacher"])
        origin = [mp.mpf(v) for v in x]
        h = mp.mpf(10) ** -12

        def value(*moves):
            point = list(origin)
            for i, step in moves:
                point[i] += step
            return closed_loss(name, parts(np.array(point, dtype=object), WIDTH["student"]), fixed)

        P = range(len(x))
        gradient = [float((value((i, h)) - value((i, -h))) / (2 * h)) for i in P]
        hessian = np.zeros((len(x), len(x)))
        for i in P:
            for j in range(i + 1):
                corners = [
                    (si * sj, value((i, si * h), (j, sj * h))) for si in (1, -1) for sj in (1, -1)
                ]
                second = sum(sign * v for sign, v in corners) / (4 * h * h)
                hessian[i, j] = hessian[j, i] = float(second)
        exact = float(value())
    assert mf.loss(net, x) == pytest.approx(exact, rel=1e-13, abs=1e-14)
    np.testing.assert_allclose(mf.gradient(net, x).flat, gradient, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mf.hessian(net, x), hessian, rtol=1e-12, atol=1e-12)
