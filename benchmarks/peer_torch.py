"""PyTorch: eager autograd, torch.func and torch.autograd.functional."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .cases import Case, Problem, split
from .timing import Contender, PythonContender

__all__ = [
    "EAGER",
    "FUNC",
    "FUNCTIONAL",
    "contenders",
    "memory",
    "product_with_hessian",
    "version",
]

EAGER = "PyTorch eager"
FUNC = "torch.func"
FUNCTIONAL = "autograd.functional"

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    # PyTorch's softplus is the identity above its threshold; 40 makes that exact in float64.
    "softplus": partial(functional.softplus, threshold=40.0),
    "tanh": torch.tanh,
    "identity": lambda z: z,
}

# torch.func takes so many tangents at once that one activation of all of them fits in here: half
# or twice as much is up to 1.5 times slower for P = 201 to 1041, all P at once 2 to 4 times.
TANGENT_BYTES = 2**24

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


def version() -> str:
    """Name, version and threads."""
    return f"PyTorch {torch.__version__} ({torch.get_num_threads()} thread)"


def _tensors(problem: Problem) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    x, y, p, v = (torch.from_numpy(a) for a in (problem.x, problem.y, problem.p, problem.v))
    return x, y, p, v


def _outputs(case: Case, pairs: list[tuple[Any, Any]], x: torch.Tensor) -> torch.Tensor:
    a = x
    for (weight, bias), (_, activation, _) in zip(pairs, case.layers, strict=True):
        a = ACTIVATIONS[activation](functional.linear(a, weight, bias))
    return a


def _loss(case: Case, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if case.losstype == "cross_entropy":
        return functional.cross_entropy(outputs, y)
    return functional.mse_loss(outputs, y, reduction="sum") / len(y)


def _flat_loss(problem: Problem) -> tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]:
    x, y, p, _ = _tensors(problem)
    case = problem.case

    def loss(flat: torch.Tensor) -> torch.Tensor:
        return _loss(case, _outputs(case, split(flat, case), x), y)

    return loss, p


def _numbers(value: Any) -> np.ndarray:
    parts = value if isinstance(value, (tuple, list)) else [value]
    return np.concatenate([part.detach().numpy().ravel() for part in parts])


def _gradient(problem: Problem) -> list[Contender]:
    x, y, p, _ = _tensors(problem)
    case = problem.case
    pairs = [
        (weight.clone().requires_grad_(), None if bias is None else bias.clone().requires_grad_())
        for weight, bias in split(p, case)
    ]
    leaves = [part for pair in pairs for part in pair if part is not None]

    def eager() -> list[torch.Tensor]:
        for leaf in leaves:
            leaf.grad = None
        loss = _loss(case, _outputs(case, pairs, x), y)
        loss.backward()
        return [loss, *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    return [PythonContender(EAGER, eager, _numbers)]


def _chunk(case: Case) -> int:
    widest = max(width for width, _, _ in case.layers)
    return max(1, min(case.nparams, TANGENT_BYTES // (8 * case.samples * widest)))


def _hessian(problem: Problem) -> list[Contender]:
    loss, p = _flat_loss(problem)
    gradient = torch.func.grad(loss)
    identity = torch.eye(len(p), dtype=p.dtype)

    def column(tangent: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.func.jvp(gradient, (p,), (tangent,))[1]
        return product

    # torch.func.hessian, jacfwd over jacrev, is this vmap with all tangents at once.
    columns = torch.func.vmap(column, chunk_size=_chunk(problem.case))
    looped = partial(torch.autograd.functional.hessian, loss, p)
    return [
        PythonContender(FUNC, lambda: columns(identity), _numbers),
        PythonContender(FUNCTIONAL, looped, _numbers),
    ]


def _hvp(problem: Problem) -> list[Contender]:
    loss, p = _flat_loss(problem)
    v = torch.from_numpy(problem.v)

    def forward_over_reverse() -> torch.Tensor:
        product: torch.Tensor = torch.func.jvp(torch.func.grad(loss), (p,), (v,))[1]
        return product

    def reverse_over_reverse() -> torch.Tensor:
        product: torch.Tensor = torch.autograd.functional.vhp(loss, p, v)[1]
        return product

    return [
        PythonContender(FUNC, forward_over_reverse, _numbers),
        PythonContender(FUNCTIONAL, reverse_over_reverse, _numbers),
    ]


def _jacobian_function(problem: Problem) -> tuple[Callable[[torch.Tensor], Any], torch.Tensor]:
    x, _, p, _ = _tensors(problem)
    case = problem.case

    def sample_outputs(flat: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
        return _outputs(case, split(flat, case), row)

    rows = torch.func.vmap(torch.func.jacrev(sample_outputs), in_dims=(None, 0))
    return lambda flat: rows(flat, x).reshape(-1, case.nparams), p


def _jacobian(problem: Problem) -> list[Contender]:
    jacobian, p = _jacobian_function(problem)
    return [PythonContender(FUNC, lambda: jacobian(p), _numbers)]


def _gauss_newton(problem: Problem) -> list[Contender]:
    jacobian, p = _jacobian_function(problem)

    def gauss_newton() -> torch.Tensor:
        J = jacobian(p)
        return J.T @ J * (2 / problem.case.samples)

    return [PythonContender(FUNC, gauss_newton, _numbers)]


_MAKERS = {
    "gradient": _gradient,
    "hessian": _hessian,
    "hvp": _hvp,
    "jacobian": _jacobian,
    "gauss_newton": _gauss_newton,
}


def contenders(quantity: str, problem: Problem) -> list[Contender]:
    """What PyTorch offers for a quantity."""
    return _MAKERS[quantity](problem)


def memory(name: str, quantity: str, case: Case) -> float:
    """Bytes that a contender takes, roughly: the arrays alive at once, by the largest."""
    if quantity == "hessian" and name == FUNC:
        return 8.0 * TANGENT_BYTES
    return 8.0 * case.samples * sum(width for width, _, _ in case.layers) * 8


def product_with_hessian(problem: Problem, v: np.ndarray) -> np.ndarray:
    """H v by differentiating twice: what a Hessian is compared with where no peer can make it."""
    loss, p = _flat_loss(problem)
    return _numbers(torch.autograd.functional.vhp(loss, p, torch.from_numpy(v))[1])
