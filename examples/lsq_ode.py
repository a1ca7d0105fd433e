"""u' = 2 v, v' = -2 u, u(0) = 1, v(0) = 0 on [0, 2 pi] by one network with two outputs.

`--quick` takes half of the interval, fewer points and steps.
"""

import math
import sys

import torch

from mlpflow import lsq

quick = "--quick" in sys.argv
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(0)

points, width, end, steps = (128, 10, math.pi, 150) if quick else (512, 32, 2 * math.pi, 2000)

net = torch.nn.Sequential(
    torch.nn.Linear(1, width),
    torch.nn.Sigmoid(),
    torch.nn.Linear(width, width),
    torch.nn.Sigmoid(),
    torch.nn.Linear(width, 2, bias=False),
)


def equations(t):
    t = t.clone().requires_grad_()
    w = net(t)
    du, dv = (torch.autograd.grad(w[:, k].sum(), t, create_graph=True)[0] for k in range(2))
    return torch.cat([du - 2 * w[:, 1:], dv + 2 * w[:, :1]], dim=1)


# A Latin hypercube: one point in each of equal cells.
t = end * ((torch.arange(points) + torch.rand(points)) / points).reshape(-1, 1)
start = torch.tensor([[1.0, 0.0]])
terms = [
    lsq.Residual(equations, t),
    lsq.Residual(lambda t, w: net(t) - w, torch.zeros(1, 1), start, name="start"),
]
result = lsq.fit(net, terms, max_steps=steps)

grid = torch.linspace(0, end, 10_000).reshape(-1, 1)
with torch.no_grad():
    solution = torch.cat([torch.cos(2 * grid), -torch.sin(2 * grid)], dim=1)
    error = (net(grid) - solution).abs().max()
print(f"{lsq.parameter_count(net)} parameters, Jacobians {result.jacobian}")
print(result)
print(f"largest error on {len(grid):,} points: {error:.1e}")
