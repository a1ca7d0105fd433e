"""Steps: damping, acceptance, bounds, robust losses, acceleration, Gauss-Newton, truncation."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from mlpflow import lsq
from mlpflow.lsq.criteria import ROBUST, SumSquares
from mlpflow.lsq.damping import DAMPING


def rosenbrock(p):
    return torch.stack([1 - p[0], 10 * (p[1] - p[0] ** 2)])


def start():
    return torch.tensor([-1.1, 2.5], requires_grad=True)


def run(optimizer, residuals, steps):
    number = 0
    while number < steps:
        step = optimizer.step(residuals)
        number += 1
        if step.status is not None:
            break
    return step, number


def test_rosenbrock_within_ten_steps():
    p = start()
    step, number = run(lsq.LevenbergMarquardt([p]), lambda: rosenbrock(p), 10)
    assert step.loss == 0.0 and step.status == "gradient", (step, number)


@pytest.mark.parametrize("damping", sorted(DAMPING))
@pytest.mark.parametrize("scaling", ["identity", "diagonal"])
@pytest.mark.parametrize("acceptance", ["gain", "descent", "uphill"])
def test_every_damping_scaling_and_acceptance(damping, scaling, acceptance):
    p = start()
    opt = lsq.LevenbergMarquardt([p], damping=damping, scaling=scaling, acceptance=acceptance)
    step, number = run(opt, lambda: rosenbrock(p), 200)
    assert step.loss < 1e-24, (step, number)


def test_uphill_steps_are_taken_and_descent_steps_are_not():
    rising = {}
    for acceptance in ("descent", "uphill"):
        p = start()
        opt = lsq.LevenbergMarquardt([p], damping="marquardt", acceptance=acceptance)
        steps = [opt.step(lambda p=p: rosenbrock(p)) for _ in range(12)]
        rising[acceptance] = any(step.loss > step.previous_loss for step in steps)
    assert rising == {"descent": False, "uphill": True}


def test_geodesic_acceleration_saves_steps_in_a_curved_valley():
    counts = {}
    for geodesic in (False, True):
        p = torch.tensor([-1.2, 1.0], requires_grad=True)
        opt = lsq.LevenbergMarquardt([p], damping="nielsen", geodesic=geodesic)
        step, counts[geodesic] = run(
            opt, lambda p=p: torch.stack([1 - p[0], 100 * (p[1] - p[0] ** 3)]), 300
        )
        assert step.loss < 1e-20, step
    assert counts[True] < 0.7 * counts[False], counts


@pytest.mark.parametrize("solver", ["qr", "normal", "dual"])
@pytest.mark.parametrize("scaling", ["identity", "diagonal"])
def test_a_step_is_the_damped_normal_equations(mlp, slow_jacobian, solver, scaling):
    """Against the definition, with more and with fewer residuals than parameters."""
    for samples in (5, 40):
        model, x, y = mlp(2, 4, 2), torch.randn(samples, 2), torch.randn(samples, 2)
        p = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        J = slow_jacobian(model.parameters(), model(x) - y) / math.sqrt(samples)
        r = (model(x) - y).detach().reshape(-1) / math.sqrt(samples)
        D = torch.ones(len(p)) if scaling == "identity" else J.square().sum(dim=0).sqrt()
        d = -torch.linalg.solve(J.T @ J + 0.3 * torch.diag(D**2), J.T @ r)
        damping = lsq.Nielsen(value=0.3)
        opt = lsq.LevenbergMarquardt(model, damping=damping, scaling=scaling, solver=solver)
        step = opt.step(lsq.Residual(lambda x, y, m=model: m(x) - y, x, y))
        assert step.accepted and step.trials == 1
        moved = torch.nn.utils.parameters_to_vector(model.parameters()) - p
        torch.testing.assert_close(moved.detach(), d, rtol=1e-9, atol=1e-12)
        assert step.loss == pytest.approx((model(x) - y).square().sum().item() / samples)
        assert step.gradient_norm == pytest.approx(float((2 * J.T @ r).abs().max()))


def test_the_gain_ratio_of_a_linear_problem_is_one():
    A, b = torch.randn(30, 4), torch.randn(30)
    p = torch.zeros(4, requires_grad=True)
    step = lsq.LevenbergMarquardt([p], damping="nielsen").step(lambda: A @ p - b)
    assert step.gain_ratio == pytest.approx(1.0, abs=1e-9)


def exponential(p, t):
    return p[0] * torch.exp(-p[1] * t) + p[2]


T = np.linspace(0, 4, 30)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.02 * np.sin(37 * T)
Y[::7] += 1.5  # outliers


def scipy_solution(**keywords):
    def residuals(p):
        return p[0] * np.exp(-p[1] * T) + p[2] - Y

    return least_squares(
        residuals, [1.0, 1.0, 0.6], xtol=1e-15, ftol=1e-15, gtol=1e-15, **keywords
    ).x


@pytest.mark.parametrize("loss", sorted(ROBUST))
def test_robust_losses_have_scipys_minimum(loss):
    p = torch.tensor([2.0, 1.0, 0.4], requires_grad=True)  # arctan has other minima far away
    t, y = torch.tensor(T), torch.tensor(Y)
    residual = lsq.Residual(lambda t, y: exponential(p, t) - y, t, y, robust=loss, robust_scale=0.1)
    result = lsq.fit([p], residual, max_steps=300)
    expected = scipy_solution(loss=loss, f_scale=0.1)
    # SciPy's numerical Jacobian leaves about 1e-7.
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=2e-6, err_msg=repr(result))


@pytest.mark.parametrize("loss", sorted(set(ROBUST) - {"linear"}))
def test_robust_derivatives(loss):
    t = torch.linspace(0.01, 9, 50, requires_grad=True)
    rho, first, second = ROBUST[loss](t)
    (slope,) = torch.autograd.grad(rho.sum(), t, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), t, allow_unused=True)
    torch.testing.assert_close(first, slope)
    torch.testing.assert_close(second, curvature)
    z = torch.randn(6, 1)
    assert float(SumSquares(loss, 0.5).loss(z)) == pytest.approx(
        0.25 * float(ROBUST[loss]((z / 0.5) ** 2)[0].sum())
    )


def test_bounds_hold_and_lead_to_scipys_minimum():
    low, high = [0.0, 0.0, 0.55], [2.0, 5.0, 3.0]
    expected = scipy_solution(bounds=(low, high))
    p = torch.tensor([1.0, 1.0, 0.0], requires_grad=True)
    t, y = torch.tensor(T), torch.tensor(Y)
    bounds = (torch.tensor(low), torch.tensor(high))
    seen = []
    result = lsq.fit(
        {"p": p}, lambda: exponential(p, t) - y, bounds={"p": bounds},
        callback=lambda number, step: seen.append(p.detach().clone()) and None,
    )  # fmt: skip
    assert all(bool((q >= bounds[0]).all() and (q <= bounds[1]).all()) for q in seen)
    assert result.status in ("step", "gradient"), result
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-6)
    assert p[0].item() == 2.0


@pytest.mark.parametrize("globalization", ["line_search", "dogleg"])
def test_gauss_newton(globalization):
    p = start()
    opt = lsq.GaussNewton([p], globalization=globalization)
    step, number = run(opt, lambda: rosenbrock(p), 100)
    assert step.loss < 1e-24, (step, number)


def test_truncated_gauss_newton_reaches_the_same_minimum(mlp):
    x = torch.linspace(-1, 1, 60).reshape(-1, 1)
    y = torch.sin(3 * x)
    model = mlp(1, 6, 1)
    result = lsq.fit(model, (x, y), optimizer="truncated", max_steps=300, minloss=1e-6)
    assert result.status == "minloss", result


def test_truncated_solves_a_linear_problem_like_lstsq():
    A, b = torch.randn(40, 6), torch.randn(40)
    p = torch.zeros(6, requires_grad=True)
    result = lsq.fit([p], lambda: A @ p - b, optimizer="truncated", max_steps=60)
    expected = torch.linalg.lstsq(A, b.unsqueeze(1)).solution.squeeze(1)
    torch.testing.assert_close(p.detach(), expected, rtol=1e-7, atol=1e-8, msg=repr(result))


def test_rank_deficient_jacobians_never_make_nan():
    p = torch.tensor([1.0, 1.0, 3.0], requires_grad=True)
    for optimizer in (lsq.LevenbergMarquardt, lsq.GaussNewton, lsq.TruncatedGaussNewton):
        opt = optimizer([p])
        step, _ = run(opt, lambda: torch.stack([p[0] + p[1] - 4, p[0] + p[1] - 6]), 20)
        assert bool(torch.isfinite(p).all()) and step.loss == pytest.approx(1.0)


def test_float32_models_accumulate_in_float64(mlp):
    x = torch.linspace(-1, 1, 300).reshape(-1, 1).float()
    y = torch.sin(4 * x)
    model = mlp(1, 12, 1).float()
    result = lsq.fit(model, (x, y), max_steps=60)
    assert next(model.parameters()).dtype == torch.float32
    assert result.loss < 1e-6, result


def test_state_dict_continues_the_same_run():
    def three(optimizer, p, n):
        return [optimizer.step(lambda: rosenbrock(p)).loss for _ in range(n)]

    p = start()
    whole = three(lsq.LevenbergMarquardt([p]), p, 4)
    q = start()
    first = lsq.LevenbergMarquardt([q])
    head = three(first, q, 2)
    second = lsq.LevenbergMarquardt([q])
    second.load_state_dict(first.state_dict())
    assert head + three(second, q, 2) == whole


def test_weights_and_means():
    p = torch.tensor([0.0], requires_grad=True)
    a, b = torch.ones(4), 3 * torch.ones(2)
    terms = [
        lsq.Residual(lambda a: p - a, a, weight=3.0),
        lsq.Residual(lambda b, shift: p - b - shift, b, shift=1.0),
    ]
    result = lsq.fit([p], terms)
    assert p.item() == pytest.approx((3 * 1 + 4) / 4)
    loss = lsq.SumOfSquares(terms, [p])
    assert loss().item() == pytest.approx(result.loss)
    p.data.zero_()
    torch.optim.LBFGS([p], max_iter=20).step(loss.closure)
    assert p.item() == pytest.approx(7 / 4, abs=1e-6)
