"""Laplace u = -2 pi^2 sin(pi x) sin(pi y) on the unit square, u = 0 on its boundary, by a network.

Two residuals, each with its own points: the equation inside, the value on the boundary. `--quick`
takes fewer points and steps.
"""

import math
import sys

import torch

from mlpflow import lsq

quick = "--quick" in sys.argv
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(0)

points, side, width, steps = (200, 10, 30, 120) if quick else (1000, 25, 100, 1000)


def hypercube(number):
    """One point in each of `number` equal cells of every axis."""
    cells = torch.stack([torch.randperm(number), torch.randperm(number)], dim=1)
    return (cells + torch.rand(number, 2)) / number


def exact(z):
    return (torch.sin(math.pi * z[:, 0]) * torch.sin(math.pi * z[:, 1])).reshape(-1, 1)


net = torch.nn.Sequential(
    torch.nn.Linear(2, width), torch.nn.Sigmoid(), torch.nn.Linear(width, 1, bias=False)
)


def equation(z):
    z = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(z).sum(), z, create_graph=True)
    laplace = 0.0
    for axis in range(2):
        (second,) = torch.autograd.grad(slope[:, axis].sum(), z, create_graph=True)
        laplace = laplace + second[:, axis : axis + 1]
    return laplace + 2 * math.pi**2 * exact(z)


free = [(torch.randperm(side) + torch.rand(side)) / side for _ in range(4)]
zero, one = torch.zeros(side), torch.ones(side)
boundary = torch.cat(
    [
        torch.stack(edge, dim=1)
        for edge in ((free[0], zero), (free[1], one), (zero, free[2]), (one, free[3]))
    ]
)
terms = [
    lsq.Residual(equation, hypercube(points), name="equation"),
    lsq.Residual(net, boundary, name="boundary"),
]
result = lsq.fit(net, terms, max_steps=steps)

axis = torch.linspace(0, 1, 101)
grid = torch.cartesian_prod(axis, axis)
with torch.no_grad():
    error = (net(grid) - exact(grid)).abs().max()
print(f"{lsq.parameter_count(net)} parameters, Jacobians {result.jacobian}")
print(result)
print(f"largest error on {len(grid):,} points: {error:.1e}")
