"""The optimizers from Python: their options, what they need, and what they report."""

import dataclasses
import re

import numpy as np
import pytest

import mlpflow as mf
from mlpflow import solvers
from mlpflow.engine.discovery import engine_root

ALL = [
    *solvers.SOLVERS,
    mf.LevenbergMarquardt(damping="radius", geodesic=False, scaling="more"),
    mf.LevenbergMarquardt(damping="radius"),
    mf.LevenbergMarquardt(geodesic=False, scaling="limited"),
    mf.GaussNewton(scaling="more"),
]


def name_of(solver):
    return solver if isinstance(solver, str) else repr(solver)


@pytest.fixture(scope="module")
def problem():
    """A teacher and noise: with a penalty on large weights, an isolated minimum with residuals."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((50, 2))
    layers = [(2, "tanh", True), (1, "identity", True)]
    teacher = mf.TeacherNet(layers, inputs=2, rng=1)
    net = mf.Net(layers, x, teacher(x) + 0.3 * rng.standard_normal((50, 1)))
    return net, mf.random_params(net, rng=11)


@pytest.mark.parametrize("solver", ALL, ids=name_of)
def test_every_solver_finds_a_critical_point(problem, solver):
    net, p = problem
    r = mf.train(net, p, maxtime_ode=0, optim_solver=solver, min_gnorm=1e-9, maxtime_optim=np.inf,
                 maxiterations_optim=20_000, maxnorm=1.0)  # fmt: skip
    assert r.converged and r.status == "gradient_tolerance", r.message
    assert np.abs(mf.gradient(net, r.params, maxnorm=1.0)).max() <= 1.1e-9
    if solver != "auto":
        assert r.optim.algorithm == (solver if isinstance(solver, str) else solver.name)
    assert r.options["optim_solver"] == solver
    assert r.optim.handovers[0] == (0, r.optim.algorithm)
    if r.optim.algorithm in ("levenberg_marquardt", "gauss_newton"):
        # The Gauss-Newton model alone converges linearly here.
        assert [name for _, name in r.optim.handovers] == [r.optim.algorithm, "newton"]


@pytest.mark.parametrize("solver", ALL, ids=name_of)
def test_a_resumed_run_is_the_run(problem, solver, tmp_path):
    net, p = problem
    path = tmp_path / "run.ckpt"
    keywords = {"maxtime_ode": 0, "optim_solver": solver, "min_gnorm": 0.0, "minloss": -np.inf,
                "maxiterations_optim": 45, "maxtime_optim": np.inf}  # fmt: skip
    whole = mf.train(net, p, **keywords)
    mf.train(net, p, checkpoint=path, **{**keywords, "maxiterations_optim": 1})
    for iterations in (2, 9, 10, 21, 33):
        part = mf.train(net, resume=path, maxiterations_optim=iterations)
        assert part.optim.iterations == min(iterations, whole.optim.iterations)
        assert part.options["optim_solver"] == solver
    end = mf.train(net, resume=path, maxiterations_optim=45)
    for field in dataclasses.fields(end.optim):
        if field.name != "time":
            a, b = getattr(whole.optim, field.name), getattr(end.optim, field.name)
            assert np.array_equal(np.asarray(a), np.asarray(b)), field.name
    other = "lbfgs" if solver != "lbfgs" else "bfgs"
    with pytest.raises(ValueError, match="resume: expected optim_solver = "):
        mf.train(net, resume=path, optim_solver=other)


def test_a_result_with_options_is_saved(problem, tmp_path):
    net, p = problem
    solver = mf.LevenbergMarquardt(geodesic=False)
    r = mf.train(net, p, maxtime_ode=0, optim_solver=solver, maxiterations_optim=3)
    r.save(tmp_path / "run.npz")
    back = mf.load(tmp_path / "run.npz")
    assert back.options["optim_solver"] == solver
    assert back.optim.handovers == r.optim.handovers


def test_least_squares_needs_squares():
    x = np.random.default_rng(0).standard_normal((20, 2))
    net = mf.Net([(2, "identity", True)], x, (x[:, 0] > 0).astype(int), losstype="cross_entropy")
    p = mf.random_params(net, rng=0)
    for solver in ("levenberg_marquardt", "gauss_newton"):
        with pytest.raises(ValueError, match=f"solver = :{solver}: expected a sum of squares"):
            mf.train(net, p, maxtime_ode=0, optim_solver=solver)
    assert mf.train(net, p, maxtime_ode=0, maxiterations_optim=3).optim.algorithm == "newton"


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: mf.LevenbergMarquardt(damping="nilsen"), ValueError, 'did you mean "nielsen"'),
        (lambda: mf.LevenbergMarquardt(scaling=2), ValueError, "scaling: expected one of auto"),
        (lambda: mf.LevenbergMarquardt(geodesic=1), TypeError, "expected True or False, got 1"),
        (lambda: mf.GaussNewton(scaling="less"), ValueError, "got 'less'"),
        (lambda: mf.TrainOptions(optim_solver="newtn"), ValueError, 'did you mean "newton"'),
        (lambda: mf.TrainOptions(optim_solver=mf.GaussNewton), ValueError, "expected one of auto"),
    ],
)
def test_wrong_options(make, error, said):
    with pytest.raises(error, match=said):
        make()


@pytest.mark.parametrize("kind", solvers.SOLVERS_WITH_OPTIONS.values())
def test_options_and_defaults_are_the_engine_s(kind):
    file = {"gauss_newton": "dogleg"}.get(kind.name, kind.name)
    source = (engine_root() / "julia" / "optimize" / f"{file}.jl").read_text()
    written = re.search(
        rf"    function {kind.__name__}\((.*)\)\n|    {kind.__name__}\((.*)\) = new", source
    )
    text = (written[1] or written[2]).lstrip("; ").replace(" ", "")
    defaults = dict(entry.split("=") for entry in text.split(","))
    meaning = {"true": True, "false": False}
    engine = {n: meaning.get(v, v.lstrip(":")) for n, v in defaults.items()}
    assert engine == dataclasses.asdict(kind())
