"""Polish and certificates, from Python: against fractions and against the engine's Float64."""

from fractions import Fraction

import numpy as np
import pytest

import mlpflow as mf


@pytest.fixture(scope="module")
def student():
    """A student of two tanh neurons at the minimum next to its teacher, with noisy targets."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, 2))
    layers = [(2, "tanh", True), (1, "identity", True)]
    w, b, a = np.array([[1.0, -0.6], [0.3, 1.2]]), np.array([0.4, -0.3]), np.array([1.0, -0.8])
    teacher = np.concatenate([w.ravel(), b, a, [0.2]])
    y = np.tanh(x @ w.T + b) @ a + 0.2 + 0.02 * rng.standard_normal(60)
    net = mf.Net(layers, x, y)
    return net, mf.train(net, teacher, maxtime_ode=0).params


def exact(result, entry=0):
    """A parameter of a polished point, as a fraction."""
    return Fraction(result.params.flat[entry]) + Fraction(result.params_low.flat[entry])


def test_polish_finds_the_fractions_of_a_regression():
    x, y, weights = [3, -1, 4, 1], [2, 7, -1, 8], [1, 2, 1, 3]
    net = mf.Net([(1, "identity", False)], np.array(x, float)[:, None], np.array(y, float), weights)
    slope = Fraction(
        sum(w * a * b for w, a, b in zip(weights, x, y, strict=True)),
        sum(w * a * a for w, a in zip(weights, x, strict=True)),
    )
    least = sum(w * (slope * a - b) ** 2 for w, a, b in zip(weights, x, y, strict=True)) / len(x)
    result = mf.polish(net, [float(slope) + 1e-3], min_gnorm=0)
    assert abs(exact(result) - slope) < Fraction(1, 10**30)
    assert abs(Fraction(result.loss) + Fraction(result.loss_low) - least) <= result.loss_error
    assert result.loss_error < 1e-28
    assert abs(Fraction(result.loss_digits) - least) < Fraction(1, 10**27)


def test_polish_goes_beyond_float64(student):
    net, p = student
    result = mf.polish(net, p)
    assert result.converged and result.status == "gradient_tolerance" and result.gnorm <= 1e-20
    assert np.abs(mf.gradient(net, result.params).flat).max() > 1e-19  # what Float64 can do
    assert result.loss == pytest.approx(mf.loss(net, result.params), rel=1e-13)
    assert result.rank == net.nparams and result.distance < 1e-8
    assert (np.abs(result.params_low.flat) <= np.spacing(np.abs(result.params.flat))).all()
    assert not mf.polish(net, p, maxiterations=0, min_gnorm=0).converged


def test_parameters_come_back_in_the_order_of_python(student):
    net, p = student
    assert np.abs(mf.polish(net, p).params.flat - p.flat).max() < 1e-8
    certificate = mf.certify(net, p)
    assert np.abs(certificate.params.flat - p.flat).max() <= certificate.distance + 1e-15


def test_certificate_of_a_minimum(student):
    net, p = student
    certificate = mf.certify(net, p)
    assert certificate and certificate.proved, certificate.reason
    assert certificate.kind == "minimum" and certificate.index == 0
    assert 0 <= certificate.error < 1e-20 < certificate.radius and 0 < certificate.contraction < 1
    values = mf.hessian_spectrum(net, p).values
    lower, upper = certificate.eigenvalue_bounds.T
    slack = 1e-12 * values[-1]
    assert ((lower - slack <= values) & (values <= upper + slack)).all()
    assert certificate.smallest_eigenvalue == pytest.approx(values[0], rel=1e-6)


def test_certificate_with_penalties(student):
    net, p = student
    penalties = {"maxnorm": 0.1, "merge": (0, (0, 1), 0.01)}
    run = mf.train(net, p, maxtime_ode=0, **penalties)
    assert mf.certify(net, run.params, **penalties).kind == "minimum"
    assert not mf.certify(net, run.params)


def test_certificate_of_a_saddle():
    net = mf.Net([(1, "tanh", False), (1, "identity", False)], np.array([[1.0], [2.0]]), [1.0, 0.5])
    certificate = mf.certify(net, [0.0, 0.0])
    assert certificate.kind == "saddle" and certificate.index == 1
    assert (certificate.eigenvalue_bounds[0] < 0).all()


def test_nothing_is_proved_off_critical_points(student):
    net, p = student
    moved = mf.certify(net, p.flat + 1e-3 * np.eye(net.nparams)[0])
    assert not moved and "not a critical point" in moved.reason
    assert moved.index is None and moved.kind is None and np.isnan(moved.radius)
    assert moved.eigenvalue_bounds.shape == (0, 2)
    kinked = mf.Net([(2, "relu", True), (1, "identity", True)], net.inputs, net.targets)
    assert "relu is not analytic" in mf.certify(kinked, p).reason
    twins = mf.Net([(2, "tanh", True), (1, "identity", True)], [[0.0, 1.0]], [0.5])
    assert "singular" in mf.certify(twins, mf.polish(twins, [0.1] * 9).params).reason


@pytest.mark.parametrize("k", [2, 5])
def test_infinite_data(k):
    """One neuron against k orthonormal ones: the minimum is known."""
    one_layer = [(1, "identity", False)]
    unit = np.concatenate([np.eye(k).ravel(), np.ones(k)])
    teacher = mf.TeacherNet([(k, "sigmoid2", False), *one_layer], inputs=k, params=unit)
    net = mf.InfiniteNet(teacher, [(1, "sigmoid2", False), *one_layer])
    weight = 1 / np.sqrt(k * (2 * k - 1))
    start = np.append(weight * (1 + 0.05 * np.arange(k) / k), 0.95 * k)
    p = mf.train(net, start, maxtime_ode=0).params
    result, certificate = mf.polish(net, p, min_gnorm=0), mf.certify(net, p)
    assert result.gnorm < 1e-28 and result.loss_error < 1e-27
    assert result.loss == pytest.approx(
        2 / np.pi * (k * np.arcsin(0.5) - k**2 * np.arcsin(0.5 / k)), rel=1e-13
    )
    assert certificate.kind == "minimum", certificate.reason
    assert certificate.params.flat == pytest.approx(np.append(np.full(k, weight), k), abs=1e-14)
    moved = mf.certify(net, p.flat + 1e-3)
    assert not moved and "not a critical point" in moved.reason


def test_infinite_data_without_closed_forms():
    layers = [(2, "softplus", False), (1, "identity", False)]
    net = mf.InfiniteNet(mf.TeacherNet(layers, inputs=2, rng=0), layers)
    p = mf.random_params(net, rng=1)
    assert "softplus under Gaussian inputs have no closed form" in mf.certify(net, p).reason
    with pytest.raises(mf.EngineError, match="softplus"):
        mf.polish(net, p)


def test_texts(student):
    net, p = student
    certificate, refusal, result = (
        mf.certify(net, p),
        mf.certify(net, 2 * p.flat),
        mf.polish(net, p),
    )
    assert repr(certificate).startswith("Certificate(proved: Exactly one critical point")
    assert "minimum, index 0 of 9" in str(certificate) and "radius" in str(certificate)
    assert "not proved" in str(refusal) and "radius" not in str(refusal)
    assert repr(result).startswith("PolishResult(gradient_tolerance: loss ")
    assert result.loss_digits in str(result) and "rank 9 of 9" in str(result)
    for each in (certificate, refusal, result):
        table = each._repr_html_()
        assert table.startswith("<table>") and table.count("<tr>") == table.count("</tr>") > 0
    assert "|grad| =" in refusal.reason and "<th" in refusal._repr_html_()


@pytest.mark.parametrize(
    ("keywords", "match"),
    [({"min_gnorm": -1}, "min_gnorm"), ({"maxiterations": 1.5}, "maxiterations")],
)
def test_bad_arguments(student, keywords, match):
    net, p = student
    with pytest.raises((ValueError, TypeError), match=match):
        mf.polish(net, p, **keywords)


def test_bad_shapes(student):
    net, p = student
    with pytest.raises(ValueError, match="8"):
        mf.certify(net, p.flat[:8])
    with pytest.raises(TypeError, match="Net"):
        mf.certify(p, net)
