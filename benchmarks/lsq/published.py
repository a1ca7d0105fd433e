"""Other systems' algorithms, written anew from what is published about them.

`dense_jacobian` and `DampedDense` are one system's Levenberg-Marquardt method: per-sample
residuals, `vmap(jacrev)`, the normal equations by `solve`, a fixed damping schedule, the Jacobian
made again after a rejection, uphill steps by the cosine rule of Transtrum and Sethna (2012).
`InverseLevenberg` is another's: the Jacobian parameter tensor by parameter tensor over the whole
batch, an explicit inverse, retries with ten times the damping. `looped_diagonal` is a third's
diagonal of J^T J: one backward pass a residual, through the graph of the whole batch;
`kind_diagonal` is a kinder variant of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.func import functional_call, jacrev, vmap

__all__ = [
    "DampedDense",
    "InverseLevenberg",
    "Term",
    "dense_jacobian",
    "kind_diagonal",
    "looped_diagonal",
]

Parameters = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Term:
    """A residual of one sample, ``function(parameters, *sample)``, a vector, and all samples."""

    function: Callable[..., torch.Tensor]
    samples: Sequence[torch.Tensor]

    def residuals(self, p: Parameters) -> torch.Tensor:
        """Of all samples, (N, outputs)."""
        return vmap(self.function, in_dims=(None, *[0] * len(self.samples)))(p, *self.samples)


def dense_jacobian(term: Term, p: Parameters) -> torch.Tensor:
    """(N outputs, P) at once, by reverse mode a sample."""
    rows = vmap(jacrev(term.function), in_dims=(None, *[0] * len(term.samples)))(p, *term.samples)
    return torch.cat([part.flatten(2).flatten(0, 1) for part in rows.values()], dim=1)


class DampedDense:
    """mu from 1e6, /3 after success, x2 after failure, within 1e-25 and 1e8.

    The loss is the sum over the terms of the mean of the squared residuals.
    """

    def __init__(self, net: torch.nn.Module, terms: Sequence[Term]) -> None:
        self.terms = terms
        self.p = {name: value.detach().clone() for name, value in net.named_parameters()}
        self.mu = 1e6
        self.last: torch.Tensor | None = None
        self.now = self.best = self.loss()

    def loss(self) -> float:
        means = (t.residuals(self.p).square().sum() / len(t.samples[0]) for t in self.terms)
        return sum(float(mean) for mean in means)

    def system(self) -> tuple[torch.Tensor, torch.Tensor]:
        """J^T J and J^T r, of the means."""
        matrix, vector = 0.0, 0.0
        for term in self.terms:
            J = dense_jacobian(term, self.p)
            share = 1 / len(term.samples[0])
            matrix = matrix + share * (J.T @ J)
            vector = vector + share * (J.T @ term.residuals(self.p).flatten())
        return matrix, vector

    def attempt(self) -> None:
        """One trial step, taken or taken back."""
        matrix, vector = self.system()
        matrix.diagonal().add_(self.mu)
        d = -torch.linalg.solve(matrix, vector)
        self._move(d)
        loss = self.loss()
        accepted = loss < self.now
        if not accepted and self.last is not None and math.isfinite(loss):
            cosine = float(d @ self.last / (d.norm() * self.last.norm()))
            accepted = (1 - cosine) ** 2 * loss <= self.best
        if accepted:
            self.now, self.last = loss, d
            self.best = min(self.best, loss)
            self.mu = max(self.mu / 3, 1e-25)
        else:
            self._move(-d)
            self.mu = min(self.mu * 2, 1e8)

    def _move(self, d: torch.Tensor) -> None:
        start = 0
        for value in self.p.values():
            value += d[start : start + value.numel()].view_as(value)
            start += value.numel()

    def put(self, net: torch.nn.Module) -> None:
        """Its parameters into a module."""
        net.load_state_dict(self.p)


class InverseLevenberg:
    """mu from 10, ten times more or less, at most 10 tries with one Jacobian; the mean loss."""

    def __init__(self, net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
        self.net, self.x, self.y, self.mu = net, x, y, 10.0
        self.p = {name: value.detach().clone() for name, value in net.named_parameters()}
        self.now = self.loss()

    def residuals(self, p: Parameters) -> torch.Tensor:
        return (functional_call(self.net, p, (self.x,)) - self.y).flatten()

    def loss(self) -> float:
        return float(self.residuals(self.p).square().sum()) / len(self.x)

    def jacobian(self) -> torch.Tensor:
        """Of the batch, one parameter tensor after the other."""
        columns = []
        for name in self.p:
            others = {key: value for key, value in self.p.items() if key != name}

            def one(value: torch.Tensor, name: str = name, others: Parameters = others):
                return self.residuals({**others, name: value})

            columns.append(jacrev(one)(self.p[name]).flatten(1))
        return torch.cat(columns, dim=1)

    def step(self, tries: int = 10) -> None:
        """A Jacobian, and trials until the loss does not grow."""
        J = self.jacobian()
        matrix, vector = J.T @ J, J.T @ self.residuals(self.p)
        before, identity = self.p, torch.eye(len(vector), dtype=vector.dtype)
        for _ in range(tries):
            d = -(torch.linalg.inv(matrix + self.mu * identity) @ vector)
            pieces = d.split([value.numel() for value in before.values()])
            self.p = {
                key: value + piece.view_as(value)
                for (key, value), piece in zip(before.items(), pieces, strict=True)
            }
            loss = self.loss()
            if loss <= self.now:
                self.now, self.mu = loss, max(self.mu / 10, 1e-30)
                return
            self.p, self.mu = before, self.mu * 10


def looped_diagonal(net: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """diag(J^T J) of the outputs by one backward pass a residual through the graph of the batch."""
    return _squares(list(net.parameters()), net(x).flatten())


def kind_diagonal(net: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The same with a graph for each sample: kinder than the published loop."""
    tensors = list(net.parameters())
    total = [torch.zeros_like(t) for t in tensors]
    for sample in x.split(1):
        for sum_, piece in zip(total, _squares(tensors, net(sample).flatten()), strict=True):
            sum_ += piece
    return total


def _squares(tensors: list[torch.Tensor], residuals: torch.Tensor) -> list[torch.Tensor]:
    total = [torch.zeros_like(t) for t in tensors]
    for residual in residuals:
        slopes = torch.autograd.grad(residual, tensors, retain_graph=len(residuals) > 1)
        for sum_, slope in zip(total, slopes, strict=True):
            sum_ += slope.square()
    return total
