"""B^T B of layered networks without B.

Rows of linear layers are outer products, B[nk, (i, j)] = delta[k, n, i] a[n, j], so that the block
of B^T B between two layers l and m is

    sum_n (sum_k delta_l[k, n, i] delta_m[k, n, i']) (a_l[n, j] a_m[n, j'])

a product of a matrix with a row for each pair (i, i') and one with a column for each pair (j, j').
The sum over the outputs k is taken before the product, whose cost does not depend on their number.
On the diagonal (l = m) both factors are symmetric in their pair: a quarter of the block is enough.
The factors are those of the Kronecker-factored approximations (Martens & Grosse 2015), but nothing
is approximated: they are multiplied sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["LayerPlace", "LayeredGram", "LayeredRows", "layered_gain"]

# Multiplications of a matrix product that take as long as one entry of a row or factor takes to be
# made, and one of the whole matrix to be put in its place.
_ENTRY, _EXPANSION = 18.0, 125.0
# Multiplications for one of a symmetric product that is done by blocks up to the diagonal, and for
# one of the smaller products between two layers.
_TRIANGLE, _SMALL = 0.6, 1.1
# Samples of a factor that one product sums over, and the numbers of a factor at most.
_SAMPLES, _NUMBERS = 512, 2**22


@dataclass(frozen=True)
class LayerPlace:
    """Where a layer's weight (outputs x inputs) and bias begin in the vector of parameters."""

    weight: int
    bias: int | None
    outputs: int
    inputs: int

    @property
    def width(self) -> int:
        """Inputs, with the 1 that the bias multiplies."""
        return self.inputs + (self.bias is not None)

    @property
    def weight_rows(self) -> slice:
        """Of the weight in the vector of parameters."""
        return slice(self.weight, self.weight + self.outputs * self.inputs)

    @property
    def bias_rows(self) -> slice:
        """Of the bias in the vector of parameters."""
        assert self.bias is not None
        return slice(self.bias, self.bias + self.outputs)

    def parts(self) -> list[tuple[slice, slice]]:
        """Entries of the vector and columns of the width: of the weight, and of the bias."""
        found = [(self.weight_rows, slice(0, self.inputs))]
        if self.bias is not None:
            found.append((self.bias_rows, slice(self.inputs, self.inputs + 1)))
        return found

    def parts_of(self, output: int) -> list[tuple[slice, slice]]:
        """The same of one output."""
        start = self.weight + output * self.inputs
        found = [(slice(start, start + self.inputs), slice(0, self.inputs))]
        if self.bias is not None:
            rows = slice(self.bias + output, self.bias + output + 1)
            found.append((rows, slice(self.inputs, self.inputs + 1)))
        return found


@dataclass(frozen=True)
class LayeredRows:
    """Rows (K N of them) of a system as outer products.

    Attributes
    ----------
    places : tuple of LayerPlace
    activations : list of Tensor of shape (N, inputs)
    deltas : list of list of Tensor of shape (N, outputs)
        For each of K outputs and each layer.
    residuals : Tensor of shape (N, K)
    """

    places: tuple[LayerPlace, ...]
    activations: Sequence[torch.Tensor]
    deltas: Sequence[Sequence[torch.Tensor]]
    residuals: torch.Tensor

    def add_gradient(self, gradient: torch.Tensor, scale: float) -> None:
        """Add ``scale`` B^T u."""
        for i, (place, activation) in enumerate(zip(self.places, self.activations, strict=True)):
            pulled = torch.zeros_like(self.deltas[0][i], dtype=torch.float64)
            for k, deltas in enumerate(self.deltas):
                pulled.addcmul_(deltas[i].to(torch.float64), self.residuals[:, k : k + 1])
            weight = gradient[place.weight_rows].view(place.outputs, place.inputs)
            weight.addmm_(pulled.T, activation.to(torch.float64), alpha=scale)
            if place.bias is not None:
                gradient[place.bias_rows].add_(pulled.sum(dim=0), alpha=scale)


def _triangle(n: int) -> int:
    return n * (n + 1) // 2


def layered_gain(places: Sequence[LayerPlace], size: int, samples: int, count: int) -> float:
    """Estimated time of B^T B from its rows, `count` a sample, over the time without them."""
    work = _EXPANSION * size**2 / samples
    for number, a in enumerate(places):
        factors = [(_triangle(a.outputs), _triangle(a.width))]
        factors += [(a.outputs * b.outputs, a.width * b.width) for b in places[:number]]
        for left, right in factors:
            work += _SMALL * left * right + _ENTRY * (count * left + right)
    return count * (_TRIANGLE * size**2 + _ENTRY * size) / work


class LayeredGram:
    """Sums of B^T B over rows of the same layers, block by block."""

    def __init__(self, places: tuple[LayerPlace, ...], device: torch.device) -> None:
        self.places = places
        options = {"dtype": torch.float64, "device": device}
        self._blocks = {
            (one, other): torch.zeros(*self._shape(one, other), **options)
            for one in range(len(places))
            for other in range(one + 1)
        }
        longest = max(max(block.shape) for block in self._blocks.values())
        self._samples = max(16, min(_SAMPLES, _NUMBERS // longest))
        self._left = torch.empty(
            max(len(block) for block in self._blocks.values()) * self._samples, **options
        )
        self._right = torch.empty(
            max(block.shape[1] for block in self._blocks.values()) * self._samples, **options
        )

    def _shape(self, one: int, other: int) -> tuple[int, int]:
        a, b = self.places[one], self.places[other]
        if one == other:
            return _triangle(a.outputs), _triangle(a.width)
        return a.outputs * b.outputs, a.width * b.width

    def add(self, rows: LayeredRows, scale: float) -> None:
        """Add ``scale`` B^T B."""
        samples = len(rows.residuals)
        for start in range(0, samples, self._samples):
            some = slice(start, min(start + self._samples, samples))
            inputs = [
                [_with_one(a[some].T, place.bias is not None)]
                for a, place in zip(rows.activations, self.places, strict=True)
            ]
            deltas = [
                [each[number][some].T.to(torch.float64).contiguous() for each in rows.deltas]
                for number in range(len(self.places))
            ]
            for (one, other), block in self._blocks.items():
                left = _factor(self._left, deltas[one], deltas[other], one == other)
                right = _factor(self._right, inputs[one], inputs[other], one == other)
                block.addmm_(left, right.T, alpha=scale)

    def expand(self, matrix: torch.Tensor) -> None:
        """Add the whole blocks to a matrix (P, P)."""
        for (one, other), block in self._blocks.items():
            if one == other:
                _expand_own(matrix, self.places[one], block)
            else:
                _expand_pair(matrix, self.places[one], self.places[other], block)


def _with_one(columns: torch.Tensor, bias: bool) -> torch.Tensor:
    """(inputs, n), and a row of 1 for the bias, in float64."""
    out = torch.ones(
        len(columns) + bias, columns.shape[1], dtype=torch.float64, device=columns.device
    )
    out[: len(columns)] = columns
    return out


def _factor(
    buffer: torch.Tensor,
    left: Sequence[torch.Tensor],
    right: Sequence[torch.Tensor],
    own: bool,
) -> torch.Tensor:
    """sum_k left[k][i] right[k][i'] of each sample, a row a pair; only i' >= i for the same."""
    d, n = left[0].shape
    if not own:
        out = buffer[: d * len(right[0]) * n].view(d, len(right[0]), n)
        torch.mul(left[0].unsqueeze(1), right[0], out=out)
        for a, b in zip(left[1:], right[1:], strict=True):
            out.addcmul_(a.unsqueeze(1), b)
        return out.flatten(0, 1)
    out = buffer[: _triangle(d) * n].view(-1, n)
    start = 0
    for i in range(d):
        rows = out[start : start + d - i]
        torch.mul(left[0][i:], left[0][i], out=rows)
        for a in left[1:]:
            rows.addcmul_(a[i:], a[i])
        start += d - i
    return out


def _expand_pair(matrix: torch.Tensor, a: LayerPlace, b: LayerPlace, block: torch.Tensor) -> None:
    whole = block.view(a.outputs, b.outputs, a.width, b.width).permute(0, 2, 1, 3)
    for rows, j in a.parts():
        for columns, jj in b.parts():
            piece = whole[:, j, :, jj]
            target = matrix[rows, columns].unflatten(1, (b.outputs, -1))
            target.unflatten(0, (a.outputs, -1)).add_(piece)
            target = matrix[columns, rows].unflatten(1, (a.outputs, -1))
            target.unflatten(0, (b.outputs, -1)).add_(piece.permute(2, 3, 0, 1))


def _expand_own(matrix: torch.Tensor, place: LayerPlace, block: torch.Tensor) -> None:
    d, w = place.outputs, place.width
    of_outputs, of_inputs = _unpacked(d, block.device), _unpacked(w, block.device).flatten()
    for i in range(d):
        rows = block.index_select(0, of_outputs[i]).index_select(1, of_inputs)
        whole = rows.view(d, w, w).transpose(0, 1)  # input j, output i', input j'
        for entries, j in place.parts_of(i):
            for columns, jj in place.parts():
                matrix[entries, columns].unflatten(1, (d, -1)).add_(whole[j, :, jj])


def _unpacked(n: int, device: torch.device) -> torch.Tensor:
    """The places (n, n) of the entries of a symmetric matrix in its rows from the diagonal on."""
    index = torch.empty(n, n, dtype=torch.int64, device=device)
    i, j = torch.triu_indices(n, n, device=device)
    index[i, j] = index[j, i] = torch.arange(len(i), device=device)
    return index
