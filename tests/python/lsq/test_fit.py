"""lsq.fit: data in every form, every status, validation, snapshots, classification, statistics."""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

from mlpflow import lsq


@pytest.fixture
def data():
    x = torch.linspace(-1, 1, 90).reshape(-1, 1)
    return x, torch.sin(4 * x)


def loader(x, y, size=32, **keywords):
    dataset = torch.utils.data.TensorDataset(x, y)
    return torch.utils.data.DataLoader(dataset, batch_size=size, **keywords)


def test_every_form_of_data_gives_the_same_run(mlp, data):
    model = mlp(1, 8, 1)
    x, y = data
    losses = []
    for form in range(5):
        net = copy.deepcopy(model)
        forms = [
            (x, y),
            lambda net=net: net(x) - y,
            lsq.Residual(lambda x, y, net=net: net(x) - y, x, y),
            loader(x, y),
            loader(x, y, shuffle=True, generator=torch.Generator().manual_seed(1)),
        ]
        result = lsq.fit(net, forms[form], max_steps=10)
        losses.append(result.history.loss)
    for other in losses[1:]:
        np.testing.assert_allclose(other, losses[0], rtol=1e-6)


def test_a_result_tells(mlp, data):
    result = lsq.fit(mlp(1, 8, 1), data, max_steps=12)
    assert result.status == "max_steps" and not result.converged
    assert "raise max_steps" in result.message
    history = result.history
    assert result.steps == len(history) == len(history.damping) == 12
    assert result.loss == min(history.loss) and result.best_step == 12
    assert history.start_loss > history.loss[0]
    assert np.all(np.diff(history.time) > 0)
    assert result.linearizations == 12 and result.evaluations == sum(history.trials)
    assert next(iter(result.jacobian.values())).startswith(("forward", "recorded"))
    assert "max_steps after 12 steps" in repr(result)


def statuses(model, data):
    steps = []
    yield "minloss", {"minloss": 1e-2}
    yield "gradient", {"gradient_tolerance": 1e-1}
    yield "loss", {"loss_tolerance": 0.5}
    yield "max_steps", {"max_steps": 2}
    yield "max_steps", {"max_steps": 0}
    yield "max_time", {"max_time": 0.0}
    yield "callback", {"callback": lambda number, step: steps.append(step) or number == 3}


def test_statuses(mlp, data):
    model = mlp(1, 8, 1)
    for status, options in statuses(model, data):
        result = lsq.fit(copy.deepcopy(model), data, **options)
        assert result.status == status, (result, options)
        assert (
            result.message.endswith((".", "smooth here; try float64.")) and len(result.message) > 20
        )


def test_step_status_of_a_regression():
    x = torch.linspace(0, 3, 40)
    p = torch.tensor([1.0, 1.0], requires_grad=True)
    result = lsq.fit([p], lambda: p[0] * torch.exp(-p[1] * x) - torch.cos(x))
    assert result.status == "step" and result.converged, result


def test_interrupt_keeps_the_best(mlp, data):
    model = mlp(1, 8, 1)

    def interrupt(number, step):
        if number == 4:
            raise KeyboardInterrupt

    result = lsq.fit(model, data, callback=interrupt)
    assert result.status == "interrupted" and result.steps == 4
    assert (model(data[0]) - data[1]).square().mean().item() == pytest.approx(result.loss)


def test_stalled_where_the_loss_is_noise():
    p = torch.tensor([1.0], requires_grad=True)
    noise = torch.Generator().manual_seed(0)

    def residuals():
        return p * 1e-9 + 1 + torch.rand(50, generator=noise)

    result = lsq.fit([p], residuals, max_steps=50)
    assert result.status in ("stalled", "max_steps", "step"), result
    assert bool(torch.isfinite(p).all())


def test_nonfinite_jacobian_is_a_status():
    p = torch.tensor([0.0], requires_grad=True)
    result = lsq.fit([p], lambda: torch.sqrt(p) - 1)
    assert result.status == "nonfinite" and p.item() == 0.0


def test_validation_decides_the_best_and_patience_ends(mlp):
    x = torch.linspace(-1, 1, 16).reshape(-1, 1)
    y = torch.sin(3 * x) + 0.3 * torch.randn(16, 1)
    grid = torch.linspace(-1, 1, 101).reshape(-1, 1)
    model = mlp(1, 20, 1)
    check = (grid, torch.sin(3 * grid))
    result = lsq.fit(model, (x, y), validation=check, patience=15, max_steps=400)
    assert result.status == "patience", result
    assert len(result.history.validation_loss) == result.steps
    assert result.validation_loss <= min(result.history.validation_loss)
    got = (model(grid) - check[1]).square().mean().item()
    assert got == pytest.approx(result.validation_loss)


def test_snapshots_continue_the_same_run(mlp, data, tmp_path):
    model = mlp(1, 8, 1)
    whole = lsq.fit(copy.deepcopy(model), data, max_steps=20)
    lsq.fit(copy.deepcopy(model), data, max_steps=10, snapshots=tmp_path, snapshot_every=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_000005.pt", "step_000010.pt"]
    rest = lsq.fit(copy.deepcopy(model), data, max_steps=20, resume=tmp_path / "step_000010.pt")
    assert rest.history.loss == whole.history.loss
    with pytest.raises(ValueError, match="holds 25 parameters, the model has 10"):
        lsq.fit(mlp(1, 3, 1), data, resume=tmp_path / "step_000010.pt")


def test_history_is_saved_and_drawn(mlp, data, tmp_path):
    import matplotlib as mpl

    mpl.use("Agg")
    from mlpflow.plot import training_report

    result = lsq.fit(mlp(1, 8, 1), data, validation=data, max_steps=5)
    path = result.save_history(tmp_path / "history.json")
    assert lsq.History.load(path) == result.history
    for source in (result, result.history, path):
        axes = training_report(source)
        assert axes.shape == (2, 2)
        assert len(axes[0, 0].lines) == 2 and len(axes[1, 0].lines) == 1
    mpl.pyplot.close("all")


def test_minibatches(mlp, data):
    model = mlp(1, 8, 1)
    result = lsq.fit(model, loader(*data), minibatch=True, max_steps=90, validation=data)
    assert result.validation_loss < 2e-2, result  # from 0.5


@pytest.mark.parametrize("loss", ["cross_entropy", "softmax_squares"])
def test_classification(mlp, loss):
    x = torch.randn(150, 2)
    labels = (x[:, 0] > 0).long() + (x[:, 1] > 0.3 * x[:, 0]).long()
    model = mlp(2, 6, 3)
    result = lsq.fit(model, (x, labels), loss=loss, max_steps=40)
    accuracy = float((model(x).argmax(dim=1) == labels).double().mean())
    assert accuracy > 0.97, (result, accuracy)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("solver", ["qr", "normal", "dual"])
def test_cross_entropy_step_is_the_generalised_gauss_newton_step(mlp, solver, probabilities):
    """The softmax model's Hessian for a linear module is the Gauss-Newton matrix: by autograd."""
    x, labels = torch.randn(30, 4), torch.randint(3, (30,))
    model = torch.nn.Linear(4, 3)
    target = torch.softmax(torch.randn(30, 3), dim=1) if probabilities else labels
    p = torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def value(p):
        z = x @ p[:12].reshape(3, 4).T + p[12:]
        return torch.nn.functional.cross_entropy(z, target)

    g, H = torch.func.grad(value)(p), torch.func.hessian(value)(p)
    d = -torch.linalg.solve(H / 2 + 0.1 * torch.eye(15), g / 2)
    opt = lsq.LevenbergMarquardt(model, damping=lsq.Nielsen(value=0.1), solver=solver)
    step = opt.step(lsq.Residual(lambda x, y: (model(x), y), x, target, criterion="cross_entropy"))
    assert step.previous_loss == pytest.approx(float(value(p)))
    moved = torch.nn.utils.parameters_to_vector(model.parameters()).detach() - p
    torch.testing.assert_close(moved, d, rtol=1e-8, atol=1e-10)


def test_statistics_are_those_of_scipy():
    t = np.linspace(0, 4, 40)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * np.sin(37 * t)

    def model(t, a, b, c):
        return a * np.exp(-b * t) + c

    best, covariance = curve_fit(model, t, y, [1, 1, 0], xtol=1e-14, ftol=1e-14)
    p = torch.tensor([1.0, 1.0, 0.0], requires_grad=True)
    T, Y = torch.tensor(t), torch.tensor(y)
    result = lsq.fit({"p": p}, lambda: p[0] * torch.exp(-p[1] * T) + p[2] - Y)
    np.testing.assert_allclose(result.covariance.numpy(), covariance, rtol=1e-5)
    np.testing.assert_allclose(
        result.standard_errors["p"].numpy(), np.sqrt(np.diag(covariance)), rtol=1e-5
    )
    statistics = result.statistics
    assert (statistics.rank, statistics.degrees_of_freedom) == (3, 37)
    square = float(((model(t, *best) - y) ** 2).sum())
    assert statistics.variance == pytest.approx(square / 37, rel=1e-8)
    assert "All 3 parameters are determined" in statistics.message


@pytest.mark.parametrize("solver", ["qr", "normal", "dual"])
def test_statistics_say_what_is_not_determined(solver):
    p = torch.tensor([1.0, 2.0, 0.0, 5.0], requires_grad=True)
    x = torch.linspace(0, 1, 9)
    y = torch.sin(7 * x)
    result = lsq.fit({"p": p}, lambda: (p[0] + p[1]) * x + p[2] - y, solver=solver)
    statistics = result.statistics
    assert statistics.rank == 2 and "determine 2 of 4" in statistics.message
    errors = statistics.standard_errors
    assert bool(torch.isinf(errors[[0, 1, 3]]).all()) and bool(torch.isfinite(errors[2]))
    _, covariance = np.polyfit(x.numpy(), y.numpy(), 1, cov=True)
    assert float(errors[2]) == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-6)


def test_a_table():
    x = np.arange(12.0).reshape(6, 2)
    table = lsq.TabularDataset(x, np.arange(6.0), standardize=True)
    assert table.y.shape == (6, 1) and len(table) == 6 and len(table.batches(4)) == 2
    torch.testing.assert_close(table.x.mean(dim=0), torch.zeros(2), atol=1e-12, rtol=0)
    assert table[2][0].shape == (2,)
    labels = lsq.TabularDataset(x, [0, 1, 2, 0, 1, 2])
    assert labels.y.dtype == torch.int64 and labels.y.shape == (6,)
    with pytest.raises(ValueError, match="same number of rows, got 6 and 5"):
        lsq.TabularDataset(x, np.zeros(5))
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="missing or infinite value in row 3"):
        lsq.TabularDataset(x, np.zeros(6))
