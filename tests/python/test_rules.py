"""Rules and schedules as options of `train`: checks, minibatches, progress, saving."""

import dataclasses
import re

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.engine.discovery import engine_root
from mlpflow.rules import RULES

WARM = mf.WarmUp(3, start=0.5, after=mf.WarmUp(2, after=mf.StepDecay(4, factor=0.5)))
CHOICES = [
    mf.GradientDescent(learning_rate=0.1, schedule=mf.Cosine(100, final=0.1)),
    mf.HeavyBall(learning_rate=0.05, dampening=0.1, schedule=WARM),
    mf.Nesterov(learning_rate=0.05, weight_decay=1e-3),
    mf.Adam(amsgrad=True, schedule=mf.Cosine(50)),
    mf.AdamW(beta1=0.5),
    mf.RMSprop(centered=True, momentum=0.5),
]


def run(net, p, alg, **keywords):
    keywords = {"maxiterations_ode": 20, "maxtime_optim": 0} | keywords
    return mf.train(net, p, alg=alg, **keywords)


def test_the_defaults_are_the_engine_s():
    """Each default is written once on each side; here they meet."""
    for rule in RULES.values():
        name = rule.__name__
        file = {"Adam": "adam", "AdamW": "adam", "RMSprop": "rmsprop"}.get(name, "sgd")
        source = (engine_root() / "julia" / "dynamics" / f"{file}.jl").read_text()
        head = re.search(rf"\n    function {name}\(; (.*?)\)\n", source, re.S)[1]
        written = dict(re.findall(r"(\w+)(?:::\w+)?(?: = ([^,]+))?(?:,|$)", head))
        fields = {field.name: field.default for field in dataclasses.fields(rule)}
        assert set(written) == set(fields), name
        for option, text in written.items():
            if option == "schedule":
                assert text == "Constant()" == repr(fields[option])
            elif text in ("true", "false"):
                assert fields[option] == (text == "true")
            elif text:
                assert fields[option] == float(text)
            else:
                assert fields[option] is dataclasses.MISSING


def test_a_rule_by_name_has_its_defaults(small_net, small_params):
    named = run(small_net, small_params, "Adam")
    assert named.options["alg"] == mf.Adam()
    assert named.flow.algorithm == "Adam"
    assert np.array_equal(named.params, run(small_net, small_params, mf.Adam()).params)


@pytest.mark.parametrize("rule", CHOICES, ids=lambda rule: type(rule).__name__)
def test_saved_with_its_result(rule, small_net, small_params, tmp_path):
    result = run(small_net, small_params, rule, batchsize=6, batchseed=2, replacement=True)
    assert result.flow.algorithm == type(rule).__name__
    assert result.flow.iterations == result.flow.accepted == 20
    result.save(tmp_path / "result.npz")
    back = mf.load(tmp_path / "result.npz")
    assert back.options == result.options
    assert back.options["alg"] == rule
    assert repr(back) == repr(result)
    assert np.array_equal(back.trajectory.params, result.trajectory.params)


def test_time_is_the_sum_of_the_rates(small_net, small_params):
    result = run(small_net, small_params, mf.GradientDescent(learning_rate=0.1))
    assert result.flow.t == 2.0
    assert result.trajectory.t.tolist() == pytest.approx([0.1 * k for k in range(21)], abs=1e-15)
    assert result.trajectory.loss[0] == mf.loss(small_net, small_params)
    assert result.trajectory.loss[-1] == pytest.approx(result.loss)
    to_the_end = run(small_net, small_params, mf.GradientDescent(learning_rate=0.1), maxT=1)
    assert to_the_end.status == "maxT"
    assert to_the_end.flow.iterations == 10


def test_an_optimizer_goes_on_from_the_best_point(small_net, small_params):
    result = mf.train(
        small_net,
        small_params,
        alg=mf.HeavyBall(learning_rate=0.05),
        batchsize=5,
        maxiterations_ode=100,
        maxiterations_optim=50,
    )
    assert result.flow.status == "maxiterations"
    assert result.optim.loss_curve[0] == pytest.approx(result.flow.best_loss, rel=1e-12)
    assert result.loss <= result.flow.best_loss


def test_a_finished_schedule_ends_the_run(small_net, small_params):
    rule = mf.Adam(schedule=mf.WarmUp(5, after=mf.Cosine(10)))
    result = run(small_net, small_params, rule, maxiterations_ode=10**9)
    assert result.status is mf.Status.schedule_finished
    assert result.flow.iterations == 15
    assert not result.converged


def test_divergence_is_a_status(small_net, small_params):
    result = run(small_net, small_params, mf.GradientDescent(learning_rate=1e50))
    assert result.status == "diverged"
    assert np.isfinite(result.params).all()
    assert result.loss <= mf.loss(small_net, small_params)


@pytest.mark.parametrize("batchsize", [None, 7])
def test_callback_and_progress(small_net, small_params, batchsize):
    records, shown = [], []
    run(
        small_net,
        small_params,
        mf.Adam(schedule=mf.StepDecay(5)),
        batchsize=batchsize,
        callback=records.append,
        progress=shown.append,
    )
    assert [record.iteration for record in records] == list(range(1, 21))
    assert [record.stepsize for record in records[3:7]] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    assert {record.phase for record in records} == {"flow"}
    assert shown
    # With minibatches (7, 7, 6 of 20) the loss is that of all samples at the end of the last epoch.
    for record in records:
        seen = record.iteration if batchsize is None else record.iteration - record.iteration % 3
        p = records[seen - 1].params if seen else small_params
        assert record.loss == pytest.approx(mf.loss(small_net, p), rel=1e-12)
    stopped = run(
        small_net, small_params, "Adam", batchsize=batchsize, callback=lambda r: r.iteration == 4
    )
    assert stopped.status == "callback"
    assert stopped.flow.iterations == 4
    assert stopped.flow.loss == pytest.approx(mf.loss(small_net, stopped.flow.params), rel=1e-12)


def test_minibatches_cover_an_epoch(small_net):
    first, again, second, other = (
        mf.minibatches(small_net, 6, epoch=epoch, batchseed=seed)
        for epoch, seed in ((0, 0), (0, 0), (1, 0), (0, 1))
    )
    assert [len(batch) for batch in first] == [6, 6, 6, 2]
    assert sorted(np.concatenate(first)) == list(range(20))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], other[0])
    drawn = np.concatenate(mf.minibatches(small_net, 6, replacement=True))
    assert len(drawn) == 24
    assert drawn.min() >= 0
    assert drawn.max() < 20


def test_rules_are_values():
    assert mf.Adam() == mf.Adam(learning_rate=0.001)
    assert mf.Adam() != mf.AdamW(weight_decay=0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mf.Adam().learning_rate = 1.0
    assert mf.Adam(learning_rate=np.float32(0.5)).learning_rate == 0.5
    assert type(mf.Cosine(1e3).steps) is int
