"""Quadrature nets and integrals against SciPy, mpmath, PyTorch and closed forms."""

import pickle
import subprocess
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from scipy.special import roots_hermitenorm
from scipy.stats import qmc

import mlpflow as mf
from mlpflow.engine.discovery import find_julia

ROOT = Path(__file__).parents[2]
PROGRAM = """
using MLPFlow
folder = ARGS[1]
for n in (1, 2, 5, 20, 100, 370, 1000)
    x, w = MLPFlow.gauss_hermite(n)
    write(joinpath(folder, "gauss$n"), vcat(x, w))
end
write(joinpath(folder, "sobol"), MLPFlow.sobol_points(256, 1024))
for name in ("vnormal_quantile", "verfinv", "verfcinv")
    x = collect(reinterpret(Float64, read(joinpath(folder, name * ".in"))))
    write(joinpath(folder, name * ".out"), map(getfield(MLPFlow, Symbol(name)), x))
end
"""
# Units in the last place: 2 measured over 10^4 arguments.
ULP = 4
ONE_NEURON = [(1, "sigmoid2", False), (1, "identity", False)]


def erfcinv(c):
    """The inverse of erfc, from a start good to five digits."""
    c = mp.mpf(c)
    if c > mp.mpf(1) / 2:
        return mp.erfinv(1 - c)
    t = mp.sqrt(-2 * mp.log(c / 2))
    start = (t - mp.log(t * mp.sqrt(2 * mp.pi)) / t) / mp.sqrt(2)
    return mp.findroot(lambda x: mp.log(mp.erfc(x) / c), start, tol=1e-60, verify=False)


EXACT = {
    "vnormal_quantile": lambda p: -mp.sqrt(2) * erfcinv(2 * mp.mpf(p)),
    "verfinv": lambda y: mp.erfinv(mp.mpf(y)),
    "verfcinv": erfcinv,
}


@pytest.fixture(scope="module")
def engine_output(tmp_path_factory):
    """A folder with what the engine's functions give."""
    folder, rng = tmp_path_factory.mktemp("quadrature"), np.random.default_rng(0)
    x = np.concatenate(
        [rng.random(80), 10.0 ** (-300 * rng.random(40)), 1 - 2.0 ** -np.arange(1, 53)]
    )
    for name in EXACT:
        x.tofile(folder / f"{name}.in")
    command = [find_julia().path, "--startup-file=no", f"--project={ROOT}", "-e", PROGRAM]
    subprocess.run([*command, str(folder)], check=True, timeout=300)
    return folder


@pytest.mark.parametrize("name", EXACT)
def test_inverse_functions_against_mpmath(engine_output, name):
    x = np.fromfile(engine_output / f"{name}.in")
    y = np.fromfile(engine_output / f"{name}.out")
    with mp.workdps(40):
        for argument, value in zip(x, y, strict=True):
            exact = EXACT[name](argument)
            unit = mp.ldexp(1, int(mp.frexp(exact)[1]) - 53) if exact else mp.mpf(2) ** -1074
            error = float(abs(mp.mpf(value) - exact) / unit)
            assert error <= ULP, f"{name}({argument!r}) = {value!r} is off by {error:.1f} ulp"


@pytest.mark.parametrize("n", [1, 2, 5, 20, 100, 370, 1000])
def test_gauss_hermite_against_scipy(engine_output, n):
    """SciPy's weights have 12 digits; the Julia tests take ours further by their moments."""
    x, w = np.fromfile(engine_output / f"gauss{n}").reshape(2, n)
    nodes, weights = roots_hermitenorm(n)
    np.testing.assert_allclose(x, nodes, rtol=0, atol=1e-13)
    np.testing.assert_allclose(w, weights / weights.sum(), rtol=2e-11, atol=1e-25)


def test_gauss_hermite_weights_against_mpmath(engine_output):
    n = 100
    x, w = np.fromfile(engine_output / f"gauss{n}").reshape(2, n)
    with mp.workdps(40):
        for i in range(50, n, 7):
            node = mp.mpf(x[i])
            for _ in range(3):  # Newton, on the recurrence of orthonormal polynomials
                before, h = mp.mpf(0), mp.mpf(1)
                for k in range(1, n + 1):
                    before, h = h, (node * h - mp.sqrt(k - 1) * before) / mp.sqrt(k)
                node -= h / (mp.sqrt(n) * before)
            assert abs(x[i] - node) <= 2 * np.spacing(x[i])
            assert abs(w[i] * n * before**2 - 1) < 2e-14


def test_sobol_points_are_scipys(engine_output):
    ours = np.fromfile(engine_output / "sobol").reshape(1024, 256)
    np.testing.assert_array_equal(ours, qmc.Sobol(256, scramble=False).random(1024))


def test_normal_integral():
    one, two = mf.NormalIntegral(), mf.NormalIntegral(d=2)
    assert one.nodes.shape == (600, 1) and len(two.weights) == 13448
    assert one(lambda x: x**4) == pytest.approx(3, rel=1e-14)
    assert two(lambda x: np.cos(x.sum(axis=1))) == pytest.approx(np.exp(-1), rel=1e-14)
    assert two(lambda x: np.cos(x.sum(axis=1)), 0.5) == pytest.approx(np.exp(-1.5), rel=1e-14)
    assert two(lambda x: x[:, 0] * x[:, 1], -1) == pytest.approx(-1, rel=1e-13)
    many = two(lambda x: x[:, :, None] * x[:, None, :], 0.3)
    np.testing.assert_allclose(many, [[1, 0.3], [0.3, 1]], atol=1e-13)
    mean, covariance = np.array([1.0, -1.0, 0.5]), np.array([[2.0, 1, 0], [1, 2, 0], [0, 0, 0]])
    moved = mf.NormalIntegral(d=3, mean=mean, covariance=covariance)
    assert moved.rule["kind"] == "tensor"  # the covariance has rank 2
    second = moved(lambda x: x[:, :, None] * x[:, None, :])
    np.testing.assert_allclose(second, covariance + np.outer(mean, mean), atol=1e-12)


def test_quasi_monte_carlo_and_its_error():
    """E cos(sum x / 4) over 12 dimensions is exp(-12/32)."""
    for seed in range(5):
        integral = mf.NormalIntegral(d=12, points=2**12, seed=seed)
        estimate = integral(lambda x: np.cos(x.sum(axis=1) / 4), error=True)
        assert abs(estimate.value - np.exp(-12 / 32)) <= estimate.error < 5e-3
        assert "±" in repr(estimate)


def additive(k):
    """A teacher of k orthonormal neurons with erf(x/sqrt 2) and output weights 1."""
    p = np.concatenate([np.eye(k).ravel(), np.ones(k)])
    return mf.TeacherNet([(k, "sigmoid2", False), (1, "identity", False)], inputs=k, params=p)


@pytest.mark.parametrize(
    ("k", "tolerance", "kind"), [(2, 1e-14, "tensor"), (3, 1e-11, "tensor"), (10, 1e-3, "qmc")]
)
def test_one_neuron_for_many(k, tolerance, kind):
    """The minimum is known: reference values of the project."""
    exact = 2 / np.pi * (k * np.arcsin(1 / 2) - k**2 * np.arcsin(1 / (2 * k)))
    net = mf.gauss_hermite_net(additive(k), ONE_NEURON)
    start = np.append(np.full(k, 1.1 / np.sqrt(k * (2 * k - 1))), 0.9 * k)
    result = mf.train(net, start, maxtime_ode=0, maxiterations_optim=100)
    assert net.rule["kind"] == kind
    assert result.converged
    assert abs(result.loss - exact) <= result.integration_error <= tolerance
    assert result["integration_error"] == mf.integration_error(net, result.params)
    assert "integration error" in repr(result)


def deep_net(**keywords):
    teacher = mf.TeacherNet(
        [(4, "tanh", True), (3, "sigmoid", True), (2, "identity", True)], inputs=4, rng=3
    )
    layers = [(3, "softplus", True), (3, "tanh", True), (2, "identity", True)]
    covariance = np.diag([1.0, 0.5, 0.5, 0.2]) + 0.1
    mean = [0.1, 0, -0.3, 0]
    return mf.gauss_hermite_net(teacher, layers, mean=mean, covariance=covariance, **keywords)


def test_deep_networks_against_torch():
    """Loss, gradient and Hessian of two hidden layers beside autograd on SciPy's own points."""
    torch = pytest.importorskip("torch")
    net = deep_net(rule="tensor", N=22)
    p = mf.random_params(net, rng=4)
    sampler = qmc.MultivariateNormalQMC(
        [0.1, 0, -0.3, 0], np.diag([1.0, 0.5, 0.5, 0.2]) + 0.1, rng=np.random.default_rng(5)
    )
    x = torch.from_numpy(sampler.random(2**15))
    y = torch.from_numpy(net.teacher(x))
    shapes = net.shapes

    def torch_loss(flat):
        a, place = x, 0
        functions = (torch.nn.functional.softplus, torch.tanh, lambda z: z)
        for (out, n, _), f in zip(shapes, functions, strict=True):
            weight = flat[place : place + out * n].reshape(out, n)
            bias = flat[place + out * n : place + out * (n + 1)]
            a, place = f(a @ weight.T + bias), place + out * (n + 1)
        return ((a - y) ** 2).sum(dim=1).mean()

    start = torch.from_numpy(p.flat.copy()).requires_grad_()
    value = torch_loss(start)
    (slope,) = torch.autograd.grad(value, start)
    direction = torch.from_numpy(np.random.default_rng(6).standard_normal(net.nparams))
    _, curved = torch.autograd.functional.hvp(torch_loss, start.detach(), direction)
    # The error of 2^15 scrambled points is a few times 1e-5 here.
    assert mf.loss(net, p) == pytest.approx(value.item(), abs=2e-4)
    np.testing.assert_allclose(mf.gradient(net, p).flat, slope.numpy(), atol=5e-4)
    np.testing.assert_allclose(mf.hvp(net, p, direction.numpy()), curved.numpy(), atol=1e-2)
    assert mf.integration_error(net, p) < 1e-5


@pytest.mark.parametrize("rule", ["smolyak", "qmc"])
def test_errors_of_derivatives_are_honest(rule):
    exact, net = deep_net(rule="tensor", N=26), deep_net(rule=rule, points=2**11)
    p = mf.random_params(net, rng=7)
    for of in ("loss", "gradient", "hessian"):
        estimate = mf.integration_estimate(net, p, of)
        truth = mf.integration_estimate(exact, p, of)
        off = np.linalg.norm(np.asarray(estimate.value - truth.value))
        assert np.linalg.norm(np.asarray(truth.error)) < 0.1 * np.linalg.norm(
            np.asarray(estimate.error)
        )
        assert off <= np.linalg.norm(np.asarray(estimate.error)), of
    own = mf.integration_estimate(net, p, lambda n, q: n(q)[:0].sum(axis=0))
    np.testing.assert_array_equal(own.value, np.zeros(2))


def test_overfitting_to_the_nodes_shows():
    """30 parameters fit 16 points; other points tell how little that means."""
    net = mf.gauss_hermite_net(
        lambda x: np.sign(x[:, 0] * x[:, 1]), [(7, "tanh", True), (1, "identity", True)], 2,
        rule="qmc", points=16,
    )  # fmt: skip
    start = mf.random_params(net, rng=0)
    result = mf.train(net, start, maxT=200, maxtime_ode=20, maxiterations_optim=100)
    assert result.loss < 1e-2
    assert result.integration_error > 0.1


def test_copies_and_files(tmp_path):
    net = mf.gauss_hermite_net(additive(3), ONE_NEURON, rule="smolyak", level=3)
    assert net.weights.min() < 0 and isinstance(net, mf.Net)
    other = mf.gauss_hermite_net(lambda x: x[:, 0], ONE_NEURON, 3, rule="smolyak", level=3)
    p = [0.3, 0.2, 0.1, 1.5]
    for copied in (pickle.loads(pickle.dumps(net)), saved(net, tmp_path / "net.npz")):
        assert isinstance(copied, mf.QuadratureNet) and copied.rule == net.rule
        assert mf.loss(copied, p) == mf.loss(net, p)
        assert mf.integration_error(copied, p) == mf.integration_error(net, p)
    for copied in (pickle.loads(pickle.dumps(other)), saved(other, tmp_path / "other.npz")):
        assert copied.teacher is None and mf.loss(copied, p) == mf.loss(other, p)
        with pytest.raises(ValueError, match="expected a net with its teacher"):
            mf.integration_error(copied, p)
        run = mf.train(copied, p, maxiterations_ode=2, maxiterations_optim=2)
        assert run.integration_error is None
    result = mf.train(net, p, maxiterations_ode=2, maxiterations_optim=2)
    loaded = saved(result, tmp_path / "result.npz")
    assert loaded.integration_error == result.integration_error > 0
    estimate = saved(mf.integration_estimate(net, p), tmp_path / "estimate.npz")
    assert isinstance(estimate, mf.IntegralEstimate) and estimate.value == mf.loss(net, p)


def saved(value, path):
    mf.save(path, value)
    return mf.load(path)


def test_a_student_gives_its_layers(small_net):
    net = mf.gauss_hermite_net(lambda x: x[:, 0], small_net, N=30)
    assert net.layers == small_net.layers and net.Din == 2
    assert mf.loss(net, np.zeros(13)) == pytest.approx(1, rel=1e-13)
    constant = mf.gauss_hermite_net(lambda x: x, ONE_NEURON[1:], mean=[2.0], covariance=[[0.0]])
    assert constant.inputs.tolist() == [[2.0]] and mf.loss(constant, [3.0]) == 16


BAD = {
    "rule: expected one of auto, tensor, smolyak, qmc, got 'tensr'; did you": {"rule": "tensr"},
    "N: expected a whole number of at least 1, got 0": {"N": 0},
    "points: expected at most 67108864": {"points": 10**9},
    "threshold: expected a number from 0 to 1": {"threshold": 2},
    "mean: expected shape \\(2,\\), got \\(3,\\)": {"mean": [0, 0, 0]},
    "covariance: expected shape \\(2, 2\\)": {"covariance": np.eye(3)},
    "covariance: expected finite": {"covariance": [[1, np.nan], [0, 1]]},
    "expected a covariance without negative eigenvalues": {"covariance": [[1, 2], [2, 1]]},
    "expected a symmetric covariance": {"covariance": [[1, 0.2], [0.3, 1]]},
    "expected 1 to 5000 nodes an axis, got N = 6000": {"N": 6000},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    with pytest.raises(ValueError, match=message):
        mf.gauss_hermite_net(lambda x: x[:, 0], ONE_NEURON, 2, **BAD[message])


def test_other_bad_input(small_net, small_params):
    with pytest.raises(TypeError, match="teacher: expected a TeacherNet or a function"):
        mf.gauss_hermite_net(3, ONE_NEURON, 2)
    with pytest.raises(TypeError, match="expected inputs, the number of inputs, got none"):
        mf.gauss_hermite_net(lambda x: x, ONE_NEURON)
    with pytest.raises(ValueError, match="inputs: expected 2, as the teacher has, got 3"):
        mf.gauss_hermite_net(additive(2), ONE_NEURON, 3)
    with pytest.raises(TypeError, match="expected a net made by mlpflow.gauss_hermite_net"):
        mf.integration_error(small_net, small_params)
    net = mf.gauss_hermite_net(additive(2), ONE_NEURON, N=10)
    with pytest.raises(ValueError, match="of: expected loss, gradient, hessian or a function"):
        mf.integration_error(net, [1, 1, 1], "curvature")
    two = mf.NormalIntegral(d=2, N=10)
    with pytest.raises(ValueError, match="f gets all nodes at once"):
        two(lambda x: 1.0)
    with pytest.raises(ValueError, match="u: expected a correlation from -1 to 1"):
        two(lambda x: x[:, 0], 1.5)
    with pytest.raises(ValueError, match="u: expected a correlation for the standard"):
        mf.NormalIntegral()(lambda x: x, 0.5)
