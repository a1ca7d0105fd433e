"""Training, its options, callbacks and results."""

import html.parser
import re

import numpy as np
import pytest

import mlpflow as mf
from mlpflow import options
from mlpflow.engine.discovery import engine_root
from mlpflow.solvers import SOLVERS


@pytest.fixture(scope="module")
def problem():
    """A teacher-student problem whose minimum is known: the loss is 0."""
    x = np.random.default_rng(5).standard_normal((200, 2))
    layers = [(2, "sigmoid", False), (1, "identity", False)]
    teacher = mf.TeacherNet(layers, inputs=2, rng=4)
    net = mf.Net(layers, x, teacher(x))
    return net, mf.random_params(net, rng=7)


BUDGET = {"maxT": 10.0, "maxtime_ode": 100.0, "maxtime_optim": 100.0, "maxiterations_optim": 300}


@pytest.fixture(scope="module")
def result(problem):
    return mf.train(*problem, min_gnorm=1e-12, **BUDGET)


def test_to_a_minimum(problem, result):
    net, p = problem
    assert result.converged
    assert result.status in ("gradient_tolerance", "loss_tolerance")
    assert result.message == result.status.message
    assert result.loss == pytest.approx(mf.loss(net, result.params), rel=1e-9, abs=1e-30)
    assert result.gnorm == pytest.approx(np.abs(mf.gradient(net, result.params)).max(), abs=1e-14)
    assert np.array_equal(result.init, p)
    assert result.options["maxT"] == 10.0
    assert result.options["abstol"] == 1e-6


def test_flow_and_trajectory(problem, result):
    net, p = problem
    flow, trajectory = result.flow, result.trajectory
    assert flow.status is mf.Status.maxT
    assert flow.t == 10.0
    assert flow.iterations == flow.accepted + flow.rejected
    assert trajectory.t[0] == 0.0
    assert trajectory.t[-1] == 10.0
    assert trajectory.params.shape == (len(trajectory.t), net.nparams)
    assert np.array_equal(trajectory.params[0], p.flat)
    assert np.array_equal(trajectory.params[-1], flow.params.flat)
    for row, value in zip(trajectory.params[::20], trajectory.loss[::20], strict=True):
        assert mf.loss(net, row) == pytest.approx(value, rel=1e-9)


def test_optimizer(result):
    optim = result.optim
    assert optim.converged
    assert optim.loss_curve.shape == optim.gnorm_curve.shape == optim.iteration_curve.shape
    assert np.array_equal(result.loss_curve, optim.loss_curve)
    assert optim.iterations <= 300


def test_reference_keys(problem, result):
    net, _ = problem
    assert set(result.keys()) == set(result)
    for key in result:
        result[key]
    assert result["loss"] == result.loss
    assert np.array_equal(result["x"]["w1"], result.params["w1"])
    assert result["ode_stopped_by"] == "maxT"
    assert result["input"] is net.inputs
    assert list(result["trajectory"])[-1] == 10.0
    with pytest.raises(KeyError, match="did you mean"):
        result["los"]


def test_reference_keys_join_the_bias():
    net = mf.Net([(2, "tanh", True), (1, "identity", False)], np.eye(3), np.ones(3))
    r = mf.train(net, np.arange(10.0) / 10, maxiterations_ode=1, maxtime_optim=0)
    assert r["init"]["w1"].tolist() == [[0.0, 0.1, 0.2, 0.6], [0.3, 0.4, 0.5, 0.7]]


def test_reproducible(problem, result):
    again = mf.train(*problem, min_gnorm=1e-12, **BUDGET)
    assert np.array_equal(again.params, result.params)
    assert np.array_equal(again.trajectory.params, result.trajectory.params)


def test_parts_without_budget_do_not_run(problem):
    net, p = problem
    none = mf.train(net, p, maxtime_ode=0, maxiterations_optim=0)
    assert none.status == "not_run"
    assert none.flow is None
    assert none.optim is None
    assert np.array_equal(none.params, p)
    assert none.trajectory.params.shape == (1, net.nparams)
    assert none.loss_curve.shape == (0,)
    flow_only = mf.train(net, p, maxT=1.0, maxtime_optim=0)
    assert flow_only.optim is None
    assert flow_only.status == "maxT"
    optim_only = mf.train(net, p, maxiterations_ode=0, maxiterations_optim=2)
    assert optim_only.flow is None
    assert optim_only.optim.iterations <= 2


def test_frozen_parameters_in_python_order(problem):
    net, p = problem
    tauinv = mf.Params([(np.zeros((2, 2)), None), (np.ones((1, 2)), None)])
    r = mf.train(net, p, tauinv=tauinv, maxT=5.0, maxiterations_optim=20)
    assert np.array_equal(r.params["w1"], p["w1"])
    assert not np.array_equal(r.params["w2"], p["w2"])


def test_penalties_and_both_gradient_norms(problem):
    net, p = problem
    r = mf.train(net, p, maxnorm=0.05, maxT=1.0, maxiterations_optim=50)
    regularized = np.abs(mf.gradient(net, r.params, maxnorm=0.05)).max()
    assert r["gnorm_regularized"] == r.gnorm == pytest.approx(regularized, abs=1e-14)
    assert r["gnorm"] == pytest.approx(np.abs(mf.gradient(net, r.params)).max(), rel=1e-9)


def test_progress_records(problem):
    records = []
    mf.train(*problem, progress=records.append, **BUDGET)
    assert isinstance(records[0], mf.Progress)
    assert records[0].phase == "flow"
    assert records[0].params is None
    assert "loss" in str(records[0])


def test_callback_sees_every_step_and_can_stop(problem):
    net, p = problem
    records = []

    def callback(record):
        records.append(record)
        return len(records) == 5

    r = mf.train(net, p, callback=callback, **BUDGET)
    assert r.status is mf.Status.callback
    assert not r.converged
    assert len(records) == 5
    assert np.array_equal(records[0].params.shapes, net.shapes)
    assert [record.iteration for record in records] == sorted(r.iteration for r in records)


def test_a_callback_must_return_true_to_stop(problem):
    r = mf.train(*problem, callback=lambda record: record, maxT=0.1, maxiterations_optim=1)
    assert r.status != "callback"


def test_the_bar_is_shown_when_asked_for(problem, capsys):
    mf.train(*problem, progress=True, **BUDGET)
    assert "flow: t =" in capsys.readouterr().err
    mf.train(*problem, progress=False, **BUDGET)
    assert capsys.readouterr().err == ""
    mf.train(*problem, **BUDGET)  # no terminal here
    assert capsys.readouterr().err == ""


def test_saved_and_loaded_exactly(result, tmp_path):
    path = tmp_path / "result.npz"
    result.save(path)
    back = mf.load(path)
    assert back.status is result.status
    assert back.options == result.options
    for name in ("params", "init"):
        assert np.array_equal(getattr(back, name), getattr(result, name))
        assert getattr(back, name).layer_spec == getattr(result, name).layer_spec
    for name in ("t", "params", "loss"):
        assert np.array_equal(getattr(back.trajectory, name), getattr(result.trajectory, name))
    assert repr(back) == repr(result)
    assert back.flow.time == result.flow.time
    assert np.array_equal(back.optim.gnorm_curve, result.optim.gnorm_curve)
    assert mf.loss(back.net, back.params) == mf.loss(result.net, result.params)


class Checker(html.parser.HTMLParser):
    """Counts open tags."""

    open = 0

    def handle_starttag(self, tag, attrs):
        self.open += 1

    def handle_endtag(self, tag):
        self.open -= 1


def test_repr_and_html(result):
    text = repr(result)
    assert text.startswith("TrainResult\n")
    assert "gradient norm" in text
    page = result._repr_html_()
    checker = Checker()
    checker.feed(page)
    assert checker.open == 0
    assert "2 -&gt; 2 sigmoid" in page
    assert "FlowResult(maxT" in repr(result.flow)
    assert "OptimResult(" in repr(result.optim)
    assert "Trajectory of" in repr(result.trajectory)


def test_plot(result):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = result.plot()
    assert len(axes) == 3
    pyplot.close("all")


def test_statuses_are_the_table_that_julia_reads():
    lines = (engine_root() / "julia" / "statuses.tsv").read_text().splitlines()
    assert {f"{s}\t{s.message}" for s in mf.Status} == set(lines)
    assert mf.Status("maxT") is mf.Status.maxT
    assert str(mf.Status.maxT) == "maxT" == mf.Status.maxT


def test_defaults_are_the_engine_s(problem):
    """Each default is written once on each side; here they meet."""
    source = (engine_root() / "julia" / "train.jl").read_text()
    table = re.search(r"TRAINING_DEFAULTS = \((.*?)\)\n", source, re.S)[1]
    written = dict(re.findall(r"(\w+) = ([^,\n]+)", table))
    defaults = mf.TrainOptions()
    meaning = {
        "Inf": np.inf,
        ":auto": "auto",
        "nothing": None,
        "false": False,
        "10^6": 10**6,
        "10^5": 10**5,
        "typemax(Int)": 2**63 - 1,
    }
    assert written
    for name, text in written.items():
        value = meaning[text] if text in meaning else float(text)
        assert getattr(defaults, name) == value, name


def test_the_choices_are_the_engine_s():
    flow = engine_root() / "julia" / "flow"
    steppers = [
        name
        for file in flow.glob("*.jl")
        for name in re.findall(r"^STEPPERS\[:(\w+)\]", file.read_text(), re.MULTILINE)
    ]
    assert sorted([*steppers, "auto"]) == sorted(options.ALGORITHMS)
    written = [
        name
        for file in (engine_root() / "julia" / "optimize").glob("*.jl")
        for name in re.findall(r"^SOLVERS\[:(\w+)\]", file.read_text(), re.MULTILINE)
    ]
    assert sorted(written) == sorted(SOLVERS)


def test_the_method_of_every_stretch_is_told(problem):
    r = mf.train(*problem, maxT=1000.0, abstol=1e-8, reltol=1e-8, maxtime_optim=0)
    assert r.flow.handovers[0] == (0.0, "DOP853")
    assert r.flow.handovers[-1][1] == r.flow.algorithm
    assert [t for t, _ in r.flow.handovers] == sorted(t for t, _ in r.flow.handovers)
    assert r.flow.growth is None
    assert r.message == r.status.message


def test_parameters_that_run_away_are_named():
    # Two classes that a line separates: the weights grow without end, the second one fastest.
    x = np.array([[0.1, 1.0], [-0.1, 2.0], [0.0, -1.0], [0.1, -2.0]])
    net = mf.Net([(2, "identity", False)], x, np.array([1, 1, 0, 0]), losstype="cross_entropy")
    r = mf.train(net, np.zeros(4), maxiterations_ode=400, maxtime_optim=0, minloss=0.0, min_gnorm=0)
    assert r.status == "diverged"
    growth = r.flow.growth
    assert np.linalg.norm(growth) == pytest.approx(1)
    assert growth["w1"][1, 1] > 0.6 > -0.6 > growth["w1"][0, 1]
    assert "w1[1, 1] (+0.7" in r.message
    assert r.flow.message == r.message


def test_budget_of_evaluations(problem):
    flow = mf.train(*problem, maxevaluations_ode=40, maxtime_optim=0).flow
    spent = flow.gradient_evaluations + flow.hessian_evaluations + flow.product_evaluations
    assert flow.status == "maxevaluations"
    assert 20 < spent <= 40
    assert mf.train(*problem, maxevaluations_ode=0, maxtime_optim=0).flow is None


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alg", options.ALGORITHMS)
def test_every_choice_runs(problem, alg, solver):
    net, p = problem
    r = mf.train(net, p, alg=alg, optim_solver=solver, maxT=1.0, maxiterations_optim=5)
    assert r.loss < mf.loss(net, p)
