"""Rosenbrock's valley as two residuals, (1 - a, 10 (b - a^2)), from (-1.1, 2.5) in ten steps."""

import torch

from mlpflow import lsq

p = torch.tensor([-1.1, 2.5], dtype=torch.float64, requires_grad=True)


def residuals():
    return torch.stack([1 - p[0], 10 * (p[1] - p[0] ** 2)])


optimizer = lsq.LevenbergMarquardt([p], reduction="sum")
for number in range(1, 11):
    step = optimizer.step(residuals)
    a, b = p.tolist()
    print(f"{number:2d}  loss {step.loss:.3e}  a {a:+.12f}  b {b:+.12f}  trials {step.trials}")
    if step.status is not None:
        break
print(f"loss {step.loss:.1e} after {number} steps, {optimizer.evaluations} evaluations")
