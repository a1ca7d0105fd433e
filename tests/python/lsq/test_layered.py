"""B^T B of layered networks without B, against one backward pass a residual."""

import pytest
import torch

from mlpflow import lsq
from mlpflow.lsq.jacobian import recorded
from mlpflow.lsq.objective import Objective
from mlpflow.lsq.parameters import ParameterVector
from mlpflow.lsq.systems import layered
from mlpflow.lsq.systems.layered import LayerPlace, layered_gain
from mlpflow.lsq.systems.normal import NormalSystem

TIGHT = {"rtol": 1e-11, "atol": 1e-11}  # sums in another order


@pytest.fixture(autouse=True)
def taken(monkeypatch):
    """Always the layered way where it applies; counts how often it was taken."""
    monkeypatch.setattr(recorded, "_LEAST_GAIN", 0.0)
    calls = []
    add = NormalSystem.add_layered
    monkeypatch.setattr(NormalSystem, "add_layered", lambda *args: calls.append(args) or add(*args))
    return calls


def system(model, residuals, **keywords):
    keywords = {"jacobian": "recorded", "solver": "normal"} | keywords
    objective = Objective(ParameterVector(model), residuals, **keywords)
    return objective.linearize().system


def no_bias(mlp):
    model = mlp(2, 7, 5, 3)
    model[2].bias = None
    return model


def frozen_bias(mlp):
    model = mlp(2, 7, 5, 3)
    model[0].bias.requires_grad_(False)
    return model


def frozen_weight(mlp):
    model = mlp(2, 9, 9, 3)
    model[0].weight.requires_grad_(False)
    model[0].bias.requires_grad_(False)
    return model


MODELS = {
    "one layer": lambda mlp: mlp(2, 3),
    "three layers": lambda mlp: mlp(2, 7, 5, 3),
    "five layers": lambda mlp: mlp(2, 4, 6, 1, 4, 3),
    "no bias": no_bias,
    "frozen bias": frozen_bias,
    "frozen layer": frozen_weight,
}


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("pieces", ["whole", "samples", "outputs"])
def test_is_the_matrix_of_the_jacobian(mlp, slow_jacobian, monkeypatch, taken, name, pieces):
    model, x, y = MODELS[name](mlp), torch.randn(60, 2), torch.randn(60, 3)
    keywords = {}
    if pieces == "samples":
        monkeypatch.setattr(layered, "_SAMPLES", 17)
    elif pieces == "outputs":  # one output at a time
        monkeypatch.setattr(recorded, "_output_bytes", lambda *_: 1e6)
        keywords["memory"] = 1.5e6
    got = system(model, [lsq.Residual(lambda x, y: model(x) - y, x, y)], **keywords)
    J = slow_jacobian([p for p in model.parameters() if p.requires_grad], model(x))
    r = (model(x) - y).detach().reshape(-1)
    torch.testing.assert_close(got.matrix, J.T @ J / 60, **TIGHT)
    torch.testing.assert_close(got.gradient, J.T @ r / 60, **TIGHT)
    assert len(taken) == (3 if pieces == "outputs" else 1)


@pytest.mark.parametrize("robust", ["huber", "cauchy"])
def test_robust_rows(mlp, robust):
    model, x, y = mlp(2, 9, 2), torch.randn(40, 2), 3 * torch.randn(40, 2)
    residual = lsq.Residual(lambda x, y: model(x) - y, x, y, robust=robust)
    B = lsq.jacobian(model, residual)
    torch.testing.assert_close(lsq.gauss_newton_matrix(model, residual), B.T @ B, **TIGHT)


def test_cross_entropy_rows(mlp, taken):
    model, x, labels = mlp(2, 6, 4), torch.randn(40, 2), torch.randint(4, (40,))
    residual = lsq.Residual(lambda x, y: (model(x), y), x, labels, criterion="cross_entropy")
    B = lsq.jacobian(model, residual)
    torch.testing.assert_close(lsq.gauss_newton_matrix(model, residual), B.T @ B, **TIGHT)
    assert taken


def test_beside_rows_of_another_residual(mlp, slow_jacobian, taken):
    """Derivatives in the inputs have no such form: their rows are added as rows."""
    model, x, edge = mlp(2, 25, 1), torch.randn(50, 2), torch.randn(30, 2)

    def slope(x):
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return gradient[:, :1]

    terms = [lsq.Residual(slope, x), lsq.Residual(lambda x: model(x), edge, weight=2.5)]
    got = system(model, terms)
    first = slow_jacobian(model.parameters(), slope(x))
    second = slow_jacobian(model.parameters(), model(edge))
    want = first.T @ first / 50 + 2.5 * second.T @ second / 30
    torch.testing.assert_close(got.matrix, want, **TIGHT)
    assert len(taken) == 1


def test_two_blocks_of_one_network(mlp, slow_jacobian, taken):
    model, x = mlp(2, 9, 2), torch.randn(30, 2)

    def both():
        z = model(x)
        return [z, torch.sin(z)]

    got = system(model, [lsq.Residual(both)])
    J = torch.cat([slow_jacobian(model.parameters(), z) for z in both()])
    torch.testing.assert_close(got.matrix, J.T @ J / 30, **TIGHT)
    assert len(taken) == 2


class Twice(torch.nn.Module):
    """One weight in two layers: its rows are sums of outer products."""

    def __init__(self):
        super().__init__()
        self.first, self.middle = torch.nn.Linear(2, 6), torch.nn.Linear(6, 6)

    def forward(self, x):
        return self.middle(torch.tanh(self.middle(torch.tanh(self.first(x)))))


def test_weights_used_twice_are_added_as_rows(slow_jacobian, taken):
    model, x = Twice(), torch.randn(30, 2)
    J = slow_jacobian(model.parameters(), model(x))
    got = lsq.gauss_newton_matrix(model, lsq.Residual(lambda x: model(x), x))
    torch.testing.assert_close(got, J.T @ J, **TIGHT)
    assert not taken


def test_float32_models_sum_in_float64(mlp, slow_jacobian):
    model, x = mlp(2, 8, 3).float(), torch.randn(50, 2).float()
    got = lsq.gauss_newton_matrix(model, lsq.Residual(lambda x: model(x), x))
    model.double()
    J = slow_jacobian(model.parameters(), model(x.double()))
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, J.T @ J, rtol=1e-4, atol=1e-4)


def test_it_pays_for_wide_layers_and_many_outputs():
    wide = [LayerPlace(0, 456, 57, 8), LayerPlace(513, 4902, 77, 57), LayerPlace(4979, 5210, 3, 77)]
    assert layered_gain(wide, 5213, 10_000, 3) > 3
    narrow = [LayerPlace(0, 100, 25, 4), LayerPlace(125, 150, 1, 25)]
    assert layered_gain(narrow, 151, 10_000, 1) < 1.1
