"""What the defaults choose, that networks reach the rounding, and that their stops are true."""

import copy

import pytest
import torch

from mlpflow import lsq
from mlpflow.lsq.damping import Marquardt, Nielsen, Radius
from mlpflow.lsq.valley import Valley


def wave(samples=300):
    x = 2 * torch.rand(samples, 2) - 1
    return x, torch.sin(3 * x[:, :1]) * torch.cos(2 * x[:, 1:])


def test_the_number_of_parameters_decides(mlp):
    few, many = lsq.LevenbergMarquardt(mlp(1, 8, 1)), lsq.LevenbergMarquardt(mlp(2, 40, 1))
    assert isinstance(few.damping, Radius) and few.acceptance == "gain"
    assert isinstance(many.damping, Marquardt) and many.acceptance == "uphill"
    assert (many.damping.divide, many.damping.multiply, many.scaling) == (3.0, 2.0, "identity")
    chosen = lsq.LevenbergMarquardt(mlp(2, 40, 1), acceptance="gain", damping="nielsen")
    assert isinstance(chosen.damping, Nielsen) and chosen.acceptance == "gain"


def test_a_network_reaches_the_rounding_of_its_system(mlp):
    """And Nielsen's rule without uphill steps is far from it after as many evaluations."""
    x, y = wave()
    torch.manual_seed(3)
    model = mlp(2, 30, 1)
    old = copy.deepcopy(model)
    result = lsq.fit(model, (x, y))
    assert result.status == "rounding" and result.converged, result
    assert result.loss < 1e-13, result
    assert result.loss == min(result.history.loss)
    # The last steps before the end found nothing: not half of what was there before.
    assert min(result.history.loss[:-60]) <= 2 * result.loss
    other = lsq.fit(old, (x, y), acceptance="gain", damping="nielsen", max_steps=result.evaluations)
    assert other.loss > 1e3 * result.loss, (other, result)


def test_labels_and_batches_never_go_uphill(mlp):
    x, y = wave()
    labels = (x[:, 0] > 0).long()
    opt = lsq.LevenbergMarquardt(mlp(2, 40, 2))
    lsq.fit(opt.parameters.module, (x, labels), loss="cross_entropy", optimizer=opt, max_steps=2)
    assert isinstance(opt.damping, Nielsen) and opt.acceptance == "gain"
    model = mlp(2, 40, 1)
    opt = lsq.LevenbergMarquardt(model)
    batches = [(x[:150], y[:150]), (x[150:], y[150:])]
    for number, batch in enumerate(2 * batches):
        step = opt.step(lsq.Residual(lambda x, y: model(x) - y, *batch))
        assert opt.acceptance == ("uphill" if number == 0 else "gain")
        assert step.loss < step.previous_loss


@pytest.mark.parametrize("width", [8, 40])
def test_bounds_that_turn_a_step_are_no_convergence(mlp, width):
    """At the end the gradient vanishes in every direction that the bounds leave open."""
    x, y = wave()
    model = mlp(2, width, 1)
    result = lsq.fit(model, (x, y), bounds=(-2.0, 2.0), max_steps=60)
    p = torch.nn.utils.parameters_to_vector(model.parameters())
    loss = (model(x) - y).square().mean()
    grads = torch.autograd.grad(loss, list(model.parameters()))
    g = torch.cat([part.reshape(-1) for part in grads])
    blocked = ((p <= -2.0) & (g > 0)) | ((p >= 2.0) & (g < 0))
    largest = float(g[~blocked].abs().max())
    assert result.status == "max_steps" or largest < 1e-6, (result, largest)
    assert result.loss < 2e-3, result


def test_a_valley_is_left_after_sixty_steps_without_half_the_loss():
    valley = Valley()
    assert not any(valley.exhausted(0.5**n, False) for n in range(20))
    assert not any(valley.exhausted(1e-4, False) for _ in range(500))  # no bottom: no end
    assert not valley.exhausted(1e-9, True)
    ends = [valley.exhausted(1e-3, False) for _ in range(200)]
    assert ends.index(True) + 1 == 131  # a quarter of the 521 steps before
    fresh = Valley()
    assert not fresh.exhausted(1.0, True)
    assert [fresh.exhausted(0.9, True) for _ in range(60)].index(True) + 1 == 60


def test_a_continued_run_keeps_the_choice(mlp, tmp_path):
    x, y = wave(100)
    start = mlp(2, 40, 1).state_dict()
    losses = []
    for resume in (False, True):
        model = mlp(2, 40, 1)
        model.load_state_dict(start)
        if resume:
            lsq.fit(model, (x, y), max_steps=20, snapshots=tmp_path, snapshot_every=20)
            result = lsq.fit(model, (x, y), max_steps=40, resume=tmp_path / "step_000020.pt")
        else:
            result = lsq.fit(model, (x, y), max_steps=40)
        losses.append(result.history.loss)
    assert losses[0] == losses[1]
