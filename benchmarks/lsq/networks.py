"""Tanh networks of 151, 1,000 and 5,000 parameters, and data of any number for them."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass

import torch

from .published import Parameters, Term

__all__ = ["NETWORKS", "Case", "term"]

NETWORKS = {151: (4, 25, 1), 1000: (7, 27, 27, 1), 5000: (7, 57, 77, 1)}


@dataclass(frozen=True)
class Case:
    """A network by its number of parameters (for one output), and the number of samples."""

    nparams: int
    samples: int
    outputs: int = 1

    @property
    def name(self) -> str:
        """For messages."""
        return f"P = {self.nparams:,}, N = {self.samples:,}"

    @property
    def widest(self) -> int:
        """Of the layers."""
        return max(NETWORKS[self.nparams])

    def make(self) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
        """The network at its start, normal inputs, sin(w x) as targets."""
        torch.manual_seed(self.nparams)
        layers: list[torch.nn.Module] = []
        widths = (*NETWORKS[self.nparams][:-1], self.outputs)
        for inputs, outputs in itertools.pairwise(widths):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.Tanh()]
        net = torch.nn.Sequential(*layers[:-1]).double()
        x = torch.randn(self.samples, widths[0], dtype=torch.float64)
        w = 1.5 * torch.randn(widths[0], self.outputs, dtype=torch.float64) / widths[0] ** 0.5
        return net, x, torch.sin(x @ w)


def term(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Term:
    """The difference for one sample."""
    net = copy.deepcopy(net)

    def one(p: Parameters, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(net, p, (x,)) - y

    return Term(one, (x, y))
