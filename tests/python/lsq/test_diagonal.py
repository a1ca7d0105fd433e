"""diag(J^T J) against one backward pass a residual, by the closed formulas and without them."""

import pytest
import torch
from torch import nn

from mlpflow import lsq
from mlpflow.lsq.jacobian import layers
from mlpflow.lsq.jacobian.layers import NotLayeredError, layered_diagonal
from mlpflow.lsq.parameters import ParameterVector

TIGHT = {"rtol": 1e-11, "atol": 1e-13}  # sums in another order


class Skipping(nn.Module):
    """Layers by name, a skip connection, a scaled output, a layer without bias."""

    def __init__(self, activation=torch.tanh):
        super().__init__()
        self.first, self.second = nn.Linear(3, 6), nn.Linear(6, 6, bias=False)
        self.last = nn.Linear(6, 2)
        self.activation = activation

    def forward(self, x):
        h = self.activation(self.first(x))
        return 0.5 * self.last(h + torch.sin(self.second(h)) * h)


class Twice(Skipping):
    """One weight in two layers."""

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last(torch.tanh(self.second(torch.tanh(self.second(h)))))


class Detached(Skipping):
    """A layer whose derivative is left out."""

    def forward(self, x):
        with torch.no_grad():
            h = torch.tanh(self.first(x))
        return self.last(torch.tanh(self.second(h)))


class Centred(Skipping):
    """Every sample sees the mean of all."""

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last(h - h.mean(dim=0))


class WeightAsSample(Skipping):
    """A weight takes the place of the samples: its rows are none."""

    def forward(self, x):
        return self.last(torch.tanh(self.second.weight)) + 0 * self.last.bias


class Positive(nn.Module):
    """Of a weight, its exponential."""

    def forward(self, weight):
        return torch.exp(weight)


def parametrised(layer):
    nn.utils.parametrize.register_parametrization(layer, "weight", Positive())
    return layer


def frozen():
    model = Skipping()
    model.first.weight.requires_grad_(False)
    model.last.bias.requires_grad_(False)
    return model


def sequential(activation):
    return nn.Sequential(nn.Linear(3, 5), activation, nn.Linear(5, 4), activation, nn.Linear(4, 2))


LAYERED = {
    "names": Skipping,
    "frozen": frozen,
    "softplus": lambda: sequential(nn.Softplus()),
    "relu": lambda: sequential(nn.ReLU()),
    "gelu": lambda: sequential(nn.GELU()),
    "silu": lambda: sequential(nn.SiLU()),
    "elu": lambda: sequential(nn.ELU()),
    "sigmoid": lambda: sequential(nn.Sigmoid()),
    "linear": lambda: nn.Linear(3, 2),
}
OTHERS = {
    "twice": Twice,
    "detached": Detached,
    "in place": lambda: sequential(nn.ReLU(inplace=True)),
    "normalised": lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)),
    "parametrised": lambda: parametrised(nn.Linear(3, 2)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Tanh(), nn.Linear(4, 2)
    ),
}


def diagonal(model, x, y, **keywords):
    return lsq.gauss_newton_diagonal(model, nn.MSELoss(), x, y, **keywords)


def expected(model, x, slow_jacobian):
    trained = [p for p in model.parameters() if p.requires_grad]
    squares = slow_jacobian(trained, model(x)).square().sum(dim=0)
    pieces = squares.split([p.numel() for p in trained])
    return [piece.reshape(p.shape) for piece, p in zip(pieces, trained, strict=True)]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", sorted(LAYERED | OTHERS))
def test_is_the_sum_of_squares(slow_jacobian, name, create_graph):
    model, x, y = (LAYERED | OTHERS)[name](), torch.randn(30, 3), torch.randn(30, 2)
    parts = diagonal(model, x, y, create_graph=create_graph)
    torch.testing.assert_close(parts, expected(model, x, slow_jacobian), **TIGHT)


@pytest.mark.parametrize("name", sorted(LAYERED))
def test_layers_take_the_formulas(name):
    model, x = LAYERED[name](), torch.randn(7, 3)
    layered_diagonal(ParameterVector(model), model, x, torch.zeros(7, 2))  # raises nothing


@pytest.mark.parametrize("make", [*OTHERS.values(), Centred, WeightAsSample])
def test_others_are_refused_by_the_formulas(make):
    model, x = make(), torch.randn(6, 3)
    with pytest.raises(NotLayeredError):
        layered_diagonal(ParameterVector(model), model, x, torch.zeros(6, 2))


def test_coupled_samples_are_seen(slow_jacobian):
    model, x = Centred(), torch.randn(12, 3)
    parts = diagonal(model, x, torch.zeros(12, 2))
    torch.testing.assert_close(parts, expected(model, x, slow_jacobian), **TIGHT)


def test_many_samples_in_pieces(monkeypatch, slow_jacobian):
    monkeypatch.setattr(layers, "_MOST_SAMPLES", 7)
    model, x = Skipping(), torch.randn(30, 3)
    parts = diagonal(model, x, torch.zeros(30, 2))
    torch.testing.assert_close(parts, expected(model, x, slow_jacobian), **TIGHT)


@pytest.mark.parametrize("make", [Skipping, Twice])
def test_the_graph_leads_to_second_derivatives(slow_jacobian, make):
    """Against the derivative of the squares of a Jacobian in its graph."""
    model, x, y = make(), torch.randn(9, 3), torch.zeros(9, 2)
    trained = list(model.parameters())
    parts = diagonal(model, x, y, create_graph=True)
    got = torch.autograd.grad(sum(p.square().sum() for p in parts), trained, allow_unused=True)
    squares = [torch.zeros_like(p) for p in trained]
    for entry in model(x).reshape(-1):
        slopes = torch.autograd.grad(entry, trained, create_graph=True)
        squares = [a + b.square() for a, b in zip(squares, slopes, strict=True)]
    want = torch.autograd.grad(sum(p.square().sum() for p in squares), trained, allow_unused=True)
    for a, b in zip(got, want, strict=True):
        assert (a is None or not bool(a.any())) == (b is None or not bool(b.any()))
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_float32_models_sum_in_float64(slow_jacobian):
    model, x = Skipping().float(), torch.randn(50, 3)
    parts = diagonal(model, x.float(), torch.zeros(50, 2))
    assert {part.dtype for part in parts} == {torch.float32}
    want = expected(model.double(), x.float().double(), slow_jacobian)
    torch.testing.assert_close([part.double() for part in parts], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [Skipping, Twice])
@pytest.mark.parametrize("create_graph", [False, True])
def test_targets_of_another_shape(make, create_graph):
    with pytest.raises(ValueError, match=r"outputs' shape \(\d, 2\), got \(\d, 3\)"):
        diagonal(make(), torch.ones(4, 3), torch.ones(4, 3), create_graph=create_graph)


def test_inputs_and_targets_of_different_numbers():
    with pytest.raises(ValueError, match="same number of samples"):
        diagonal(Skipping(), torch.ones(4, 3), torch.ones(5, 2))


def test_other_losses_are_refused():
    with pytest.raises(ValueError, match="must be torch.nn.MSELoss .* got CrossEntropyLoss"):
        lsq.gauss_newton_diagonal(
            Skipping(), nn.CrossEntropyLoss(), torch.ones(2, 3), torch.ones(2, 2)
        )
