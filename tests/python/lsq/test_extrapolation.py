"""Anderson's extrapolation of steps that shrink linearly."""

import torch

from mlpflow.lsq.extrapolation import Extrapolation


def test_a_linear_iteration_ends_within_its_dimension():
    """d(x) = M (x - end) has its root at `end`: found after as many pairs as there are unknowns."""
    end, M = torch.tensor([2.0, -3e-4, 5e3]), torch.diag(torch.tensor([-0.9, -0.5, -0.1]))
    x, extrapolation = 1.1 * end, Extrapolation()
    sizes = []
    for _ in range(5):
        d = M @ (x - end)
        sizes.append(float((d / end).abs().max()))
        x = x + extrapolation.step(x, d)
    assert sizes[0] > 0.05 and sizes[-1] < 1e-12, sizes


def test_the_first_step_and_a_repeated_point_are_left_alone():
    extrapolation = Extrapolation()
    x, d = torch.tensor([1.0, 2.0]), torch.tensor([0.1, -0.2])
    for _ in range(2):
        assert torch.equal(extrapolation.step(x, d), d)
    extrapolation.clear()
    assert not extrapolation.points and not extrapolation.steps


def test_noise_does_not_make_it_long():
    extrapolation = Extrapolation()
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        x = 1 + 1e-15 * torch.randn(4, generator=generator)
        d = 1e-15 * torch.randn(4, generator=generator)
        step = extrapolation.step(x, d)
        assert bool(torch.isfinite(step).all()) and float(step.norm()) <= 1e-12
