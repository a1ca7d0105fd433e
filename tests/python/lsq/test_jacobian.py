"""Every way to a Jacobian against one backward pass a residual, and what is chosen when."""

import gc

import pytest
import torch

from mlpflow import lsq
from mlpflow.lsq.jacobian.choice import METHODS
from mlpflow.lsq.jacobian.recorded import _Use
from mlpflow.lsq.objective import Objective
from mlpflow.lsq.parameters import ParameterVector

TIGHT = {"rtol": 1e-11, "atol": 1e-13}  # sums in another order


def laplacian(model, x):
    """A physics-informed residual by plain autograd: it differentiates twice in the inputs."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    second = [
        torch.autograd.grad(gradient[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2)
    ]
    return sum(second) + torch.sin(x.detach()).sum(dim=1)


def chosen(model, residual):
    objective = Objective(ParameterVector(model), [residual])
    (method,) = objective.linearize().methods.values()
    return method.split(":")[0]


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("samples", [1, 7, 40])
@pytest.mark.parametrize("activation", [torch.nn.Tanh, torch.nn.ReLU, torch.nn.Softplus])
def test_mlp(mlp, slow_jacobian, method, samples, activation):
    model = mlp(2, 5, 4, 3, activation=activation)
    x, y = torch.randn(samples, 2), torch.randn(samples, 3)
    residual = lsq.Residual(lambda x, y: model(x) - y, x, y)
    J = lsq.jacobian(model, residual, method=method)
    torch.testing.assert_close(J, slow_jacobian(model.parameters(), model(x) - y), **TIGHT)


@pytest.mark.parametrize("method", ["recorded", "reverse"])
def test_derivatives_in_the_inputs(mlp, slow_jacobian, method):
    model = mlp(2, 6, 5, 1)
    x = torch.randn(20, 2)
    J = lsq.jacobian(model, lsq.Residual(lambda x: laplacian(model, x), x), method=method)
    torch.testing.assert_close(J, slow_jacobian(model.parameters(), laplacian(model, x)), **TIGHT)


def test_derivatives_in_the_inputs_use_outer_products(mlp):
    model = mlp(2, 20, 1)
    assert chosen(model, lsq.Residual(lambda x: laplacian(model, x), torch.randn(20, 2))) == (
        "recorded"
    )


def test_several_losses_in_one_closure(mlp, slow_jacobian):
    model = mlp(2, 9, 8, 1)
    inside, edge = torch.randn(30, 2), torch.randn(5, 2)

    def residuals():
        return [laplacian(model, inside), model(edge)]

    J = lsq.jacobian(model, residuals)
    expected = torch.cat([slow_jacobian(model.parameters(), r) for r in residuals()])
    torch.testing.assert_close(J, expected, **TIGHT)


class Scaled(torch.nn.Module):
    """Linear layers, one used twice, and a number outside of them."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(2, 10)
        self.middle = torch.nn.Linear(10, 10, bias=False)
        self.last = torch.nn.Linear(10, 1)
        self.rate = torch.nn.Parameter(torch.tensor([0.3, -0.2]))

    def forward(self, x):
        h = torch.tanh(self.first(x))
        h = torch.tanh(self.middle(torch.tanh(self.middle(h))))
        return self.last(h) * torch.exp(self.rate[0] * x[:, :1]) + self.rate[1]


def test_shared_layers_and_numbers_outside(slow_jacobian):
    model, x = Scaled(), torch.randn(40, 2)
    residual = lsq.Residual(lambda x: model(x), x)
    assert chosen(model, residual) == "recorded"
    expected = slow_jacobian(model.parameters(), model(x))
    torch.testing.assert_close(lsq.jacobian(model, residual), expected, **TIGHT)


def test_extra_axes_between_samples_and_features(slow_jacobian):
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4))
    x = torch.randn(6, 5, 3)
    residual = lsq.Residual(lambda x: model(x).sum(dim=1), x)
    assert chosen(model, residual) == "recorded"
    expected = slow_jacobian(model.parameters(), model(x).sum(dim=1))
    torch.testing.assert_close(lsq.jacobian(model, residual), expected, **TIGHT)


def test_batch_normalisation_is_seen_and_done_in_reverse(slow_jacobian):
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 12), torch.nn.BatchNorm1d(12, track_running_stats=False),
        torch.nn.Tanh(), torch.nn.Linear(12, 1),
    )  # fmt: skip
    x = torch.randn(15, 2)
    residual = lsq.Residual(lambda x: model(x), x, coupled=True)
    assert chosen(model, residual) == "reverse"
    J = lsq.jacobian(model, lambda: model(x))
    torch.testing.assert_close(J, slow_jacobian(model.parameters(), model(x)), **TIGHT)


def test_convolutions_are_done_sample_by_sample(slow_jacobian):
    model = torch.nn.Sequential(
        torch.nn.Conv1d(1, 9, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(54, 2)
    )
    x = torch.randn(9, 1, 8)
    residual = lsq.Residual(lambda x: model(x), x)
    assert chosen(model, residual) == "per_sample"
    expected = slow_jacobian(model.parameters(), model(x))
    torch.testing.assert_close(lsq.jacobian(model, residual), expected, **TIGHT)


def test_in_place_operations_still_work(slow_jacobian):
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 30), torch.nn.ReLU(inplace=True), torch.nn.Linear(30, 1, bias=False)
    )
    x = torch.randn(11, 2)
    J = lsq.jacobian(model, lsq.Residual(lambda x: model(x), x))
    torch.testing.assert_close(J, slow_jacobian(model.parameters(), model(x)), **TIGHT)


def test_frozen_parameters_have_no_columns(mlp, slow_jacobian):
    model, x = mlp(2, 12, 8, 1), torch.randn(12, 2)
    model[0].weight.requires_grad_(False)
    J = lsq.jacobian(model, lsq.Residual(lambda x: model(x), x))
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert J.shape[1] == lsq.parameter_count(model) == lsq.parameter_count(model, False) - 24
    torch.testing.assert_close(J, slow_jacobian(trainable, model(x)), **TIGHT)


def test_chunks_do_not_change_the_system(mlp):
    model, x = mlp(2, 7, 3), torch.randn(700, 2)
    A = lsq.gauss_newton_matrix(model, lsq.Residual(lambda x: model(x), x))
    parts = [
        lsq.gauss_newton_matrix(model, lsq.Residual(lambda x: model(x), piece))
        for piece in x.split(97)
    ]
    torch.testing.assert_close(A, sum(parts), rtol=1e-11, atol=1e-10)


def test_large_matrices_are_symmetric(mlp, slow_jacobian):
    """From 128 parameters the blocks above the diagonal are computed alone."""
    model, x = mlp(3, 20, 10, 1), torch.randn(60, 3)
    assert lsq.parameter_count(model) > 256
    A = lsq.gauss_newton_matrix(model, lsq.Residual(lambda x: model(x), x))
    J = slow_jacobian(model.parameters(), model(x))
    torch.testing.assert_close(A, J.T @ J, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("second", [False, True])
def test_no_graph_outlives_its_pass(mlp, second):
    """Recorded outputs and their graph must not hold each other: nothing would ever free them."""
    model, x = mlp(2, 12, 8, 1), torch.randn(20, 2)
    residual = lsq.Residual(lambda x: laplacian(model, x) if second else model(x), x)
    objective = Objective(ParameterVector(model), [residual])
    objective.linearize()
    objective.dense()
    gc.collect()
    kept = [entry for entry in gc.get_objects() if type(entry) is _Use]
    assert not kept, f"{len(kept)} recorded products are still there"


def test_products(mlp, slow_jacobian):
    model, x = mlp(2, 7, 3), torch.randn(30, 2)
    v = torch.randn(lsq.parameter_count(model))
    J = slow_jacobian(model.parameters(), model(x))
    torch.testing.assert_close(lsq.gnvp(model, lambda: model(x), v), J.T @ (J @ v), **TIGHT)
    with pytest.raises(ValueError, match=r"v must have shape \(45,\), got \(3,\)"):
        lsq.gnvp(model, lambda: model(x), torch.ones(3))


def test_an_insisted_method_that_does_not_fit_says_why(mlp):
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4, track_running_stats=False)
    )
    residual = lsq.Residual(lambda x: model(x), torch.randn(8, 2))
    with pytest.raises(ValueError, match="jacobian='per_sample' does not fit"):
        lsq.jacobian(model, residual, method="per_sample")
