"""Bad input: one sentence, before work starts; or a warning with what to do."""

import pytest
import torch

from mlpflow import lsq


@pytest.fixture
def model(mlp):
    return mlp(2, 4, 1)


X = torch.linspace(-1, 1, 20, dtype=torch.float64).reshape(10, 2)
Y = torch.sin(X.sum(dim=1, keepdim=True))


def test_a_parameter_that_nothing_depends_on_stays(model):
    idle = torch.nn.Parameter(torch.tensor([3.0]))
    named = {"idle": idle, **dict(model.named_parameters())}
    for optimizer in ("levenberg_marquardt", "gauss_newton", "truncated"):
        lsq.fit(named, lambda: model(X) - Y, optimizer=optimizer, max_steps=3)
        assert idle.item() == 3.0


def test_residuals_of_nothing():
    p = torch.tensor([1.0], requires_grad=True)
    result = lsq.fit([p], lambda: torch.ones(3))
    assert result.status == "gradient" and p.item() == 1.0


@pytest.mark.parametrize(
    ("residuals", "message"),
    [
        ([], "the list is empty"),
        (lambda: torch.ones(0), r"returned no residuals \(shape \(0,\)\)"),
        (list, "returned no residuals"),
        (lambda: 3.0, "must return a tensor, got float"),
        (lambda: torch.ones(3, dtype=torch.complex128), "complex residuals"),
        (lambda: torch.ones(3, dtype=torch.int64), "floating-point"),
        (7, "expected a residual function"),
    ],
)
def test_no_residuals(model, residuals, message):
    with pytest.raises((ValueError, TypeError), match=message):
        lsq.LevenbergMarquardt(model).step(residuals)


@pytest.mark.parametrize("optimizer", ["levenberg_marquardt", "gauss_newton", "truncated"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_numbers_in_the_data(model, optimizer, bad):
    y = Y.clone()
    y[3] = bad
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(ValueError, match="look for NaN or infinities in the data"):
        lsq.fit(model, (X, y), optimizer=optimizer)
    for p, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, old)


def test_frozen_shared_complex():
    with pytest.raises(ValueError, match="no parameter has requires_grad=True"):
        lsq.LevenbergMarquardt(torch.nn.Linear(2, 2).requires_grad_(False))
    shared = torch.nn.Parameter(torch.ones(3))
    assert len(lsq.LevenbergMarquardt([shared, shared]).parameters) == 3
    with pytest.raises(TypeError, match="is complex: optimize its real and imaginary parts"):
        lsq.LevenbergMarquardt([torch.ones(2, dtype=torch.complex128, requires_grad=True)])
    with pytest.raises(TypeError, match="put it in a list"):
        lsq.LevenbergMarquardt(torch.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="computed from other tensors"):
        lsq.LevenbergMarquardt([2 * torch.ones(2, requires_grad=True)])


def test_dropout_is_warned_of():
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    with pytest.warns(UserWarning, match=r"1 \(Dropout\) draws new numbers .* model.eval\(\)"):
        lsq.fit(model, (X, Y), max_steps=1)
    lsq.fit(model.eval(), (X, Y), max_steps=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, Y[:, 0]), r"outputs' shape \(10, 1\), got \(10,\)"),
        ((X, Y[:5]), "same number of samples"),
        ((X,), "got a tuple of length 1"),
        ((X.numpy(), Y), "must be tensors, got ndarray"),
        ((X[:0], Y[:0]), "hold no sample"),
        (3, "or a loader, got int"),
        ([(X, Y.numpy())], "must give tensors, got ndarray"),
        (iter([(X, Y)]), "read only once"),
    ],
)
def test_wrong_data(model, data, message):
    with pytest.raises((ValueError, TypeError), match=message):
        lsq.fit(model, data, max_steps=1)


def test_a_loader_that_changes(model):
    class Augmented:
        def __iter__(self):
            yield X + torch.randn(X.shape), Y

    with pytest.raises(ValueError, match="changed between passes"):
        lsq.fit(model, Augmented(), max_steps=2)


def test_rows_that_are_not_samples(model):
    residual = lsq.Residual(lambda x: model(x).sum(dim=0), X)
    with pytest.raises(ValueError, match="must return one row a sample: expected 10 rows, got 1"):
        lsq.fit(model, residual, max_steps=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": "big"}, "damping must be 'auto' or one of"),
        ({"scaling": "big"}, "scaling must be"),
        ({"acceptance": "all"}, "acceptance must be"),
        ({"solver": "lu"}, "solver must be"),
        ({"jacobian": "slow"}, "jacobian must be 'auto' or one of"),
        ({"memory": 10}, "memory must be at least 1e6 bytes, got 10"),
        ({"max_trials": 0}, "max_trials must be at least 1"),
        ({"reduction": "max"}, "reduction must be"),
        ({"max_steps": -1}, "max_steps must be >= 0, got -1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"robust": "tukey"}, "robust must be one of"),
        ({"robust_scale": 0.0}, "robust_scale must be positive"),
        ({"optimizer": "newton"}, "optimizer must be one of"),
        ({"bounds": {"weight": (0, 1)}}, "unknown parameter 'weight'"),
        ({"bounds": (1, 0)}, r"lower bound of 0.weight\[0, 0\], 1.0, is not below"),
        ({"bounds": 3}, "must be a pair"),
        ({"dampings": "nielsen"}, "no option 'dampings'; did you mean \"damping\""),
    ],
)
def test_wrong_options(model, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        lsq.fit(model, (X, Y), **options)


def test_labels_out_of_range(model):
    with pytest.raises(ValueError, match="labels must be 10 integers from 0 to 0"):
        lsq.fit(model, (X, torch.ones(10, dtype=torch.int64)), loss="cross_entropy")


def test_importing_mlpflow_does_not_import_torch(run_python):
    run_python("import sys, mlpflow; assert 'torch' not in sys.modules")
