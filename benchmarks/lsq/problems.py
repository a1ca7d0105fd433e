"""Sigmoid networks on the sinc function, Poisson's equation and a system of ODEs.

Points in Latin hypercubes, no bias of the output, float64; every term of the loss is averaged by
itself. Each is written twice: as a residual of a batch for us, as one of a sample for the peer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.func import functional_call, jacfwd, jacrev

from mlpflow import lsq

from .published import Parameters, Term

__all__ = ["PROBLEMS", "Problem"]


@dataclass(frozen=True)
class Problem:
    """A network at its start, its residuals both ways, and the largest error at the end."""

    net: torch.nn.Module
    ours: list[lsq.Residual]
    theirs: list[Term]
    error: Callable[[], float]


def _network(*widths: int) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths[:-1]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.Sigmoid()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(*widths[-2:], bias=False)).double()


def _cells(number: int, axes: int) -> torch.Tensor:
    """A Latin hypercube in the unit cube."""
    cells = torch.stack([torch.randperm(number) for _ in range(axes)], dim=1)
    return (cells + torch.rand(number, axes, dtype=torch.float64)) / number


def _largest(net: torch.nn.Module, grid: torch.Tensor, exact: torch.Tensor) -> Callable[[], float]:
    def error() -> float:
        with torch.no_grad():
            return float((net(grid) - exact).abs().max())

    return error


def sinc(seed: int) -> Problem:
    """sin(10 pi x)/(10 pi x) on 1,000 points, 300 parameters."""
    torch.manual_seed(seed)
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    x = 2 * torch.cat([_cells(998, 1), ends]) - 1
    y = torch.sinc(10 * x)
    net = _network(1, 100, 1)

    def one(p: Parameters, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional_call(net, p, (x,)) - y

    grid = torch.linspace(-1, 1, 100_000, dtype=torch.float64).reshape(-1, 1)
    ours = [lsq.Residual(lambda x, y: net(x) - y, x, y)]
    return Problem(net, ours, [Term(one, (x, y))], _largest(net, grid, torch.sinc(10 * grid)))


def _wave(z: torch.Tensor) -> torch.Tensor:
    return (torch.sin(math.pi * z[..., 0]) * torch.sin(math.pi * z[..., 1])).unsqueeze(-1)


def poisson(seed: int) -> Problem:
    """Laplace u = -2 pi^2 sin(pi x) sin(pi y): 1,000 points inside, 100 around; P = 400."""
    torch.manual_seed(seed)
    inside = _cells(1000, 2)
    edge = _cells(25, 4)
    zero, one = torch.zeros_like(edge[:, 0]), torch.ones_like(edge[:, 0])
    sides = [(edge[:, 0], zero), (edge[:, 1], one), (zero, edge[:, 2]), (one, edge[:, 3])]
    boundary = torch.cat([torch.stack(side, dim=1) for side in sides])
    net = _network(2, 100, 1)

    def equation(z: torch.Tensor) -> torch.Tensor:
        z = z.clone().requires_grad_()
        (slope,) = torch.autograd.grad(net(z).sum(), z, create_graph=True)
        second = [
            torch.autograd.grad(slope[:, k].sum(), z, create_graph=True)[0][:, k] for k in range(2)
        ]
        return (second[0] + second[1]).unsqueeze(1) + 2 * math.pi**2 * _wave(z)

    def one_equation(p: Parameters, z: torch.Tensor) -> torch.Tensor:
        second = jacrev(jacrev(lambda z: functional_call(net, p, (z,))))(z)
        return second[:, 0, 0] + second[:, 1, 1] + 2 * math.pi**2 * _wave(z)

    def one_value(p: Parameters, z: torch.Tensor) -> torch.Tensor:
        return functional_call(net, p, (z,))

    axis = torch.linspace(0, 1, 201, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    ours = [lsq.Residual(equation, inside), lsq.Residual(net, boundary, name="boundary")]
    theirs = [Term(one_equation, (inside,)), Term(one_value, (boundary,))]
    return Problem(net, ours, theirs, _largest(net, grid, _wave(grid)))


def ode(seed: int) -> Problem:
    """u' = 2 v, v' = -2 u from (1, 0) on [0, 2 pi]: 512 points, 1,184 parameters."""
    torch.manual_seed(seed)
    t = 2 * math.pi * _cells(512, 1)
    net = _network(1, 32, 32, 2)
    zero, start = torch.zeros_like(t[:1]), torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    turn = torch.tensor([[0.0, 2.0], [-2.0, 0.0]], dtype=torch.float64)

    def equations(t: torch.Tensor) -> torch.Tensor:
        t = t.clone().requires_grad_()
        w = net(t)
        slopes = [torch.autograd.grad(w[:, k].sum(), t, create_graph=True)[0] for k in range(2)]
        return torch.cat(slopes, dim=1) - w @ turn.T

    def one_equation(p: Parameters, t: torch.Tensor) -> torch.Tensor:
        slope = jacfwd(lambda t: functional_call(net, p, (t,)))(t)
        return slope[:, 0] - turn @ functional_call(net, p, (t,))

    def one_start(p: Parameters, t: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return functional_call(net, p, (t,)) - w

    grid = torch.linspace(0, 2 * math.pi, 10_000, dtype=torch.float64).reshape(-1, 1)
    exact = torch.cat([torch.cos(2 * grid), -torch.sin(2 * grid)], dim=1)
    ours = [lsq.Residual(equations, t), lsq.Residual(lambda t, w: net(t) - w, zero, start)]
    theirs = [Term(one_equation, (t,)), Term(one_start, (zero, start))]
    return Problem(net, ours, theirs, _largest(net, grid, exact))


PROBLEMS: dict[str, tuple[Callable[[int], Problem], int]] = {
    "sinc": (sinc, 1000), "Poisson": (poisson, 1000), "ODE system": (ode, 2000)
}  # fmt: skip
