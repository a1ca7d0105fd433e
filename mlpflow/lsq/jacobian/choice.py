"""Which way to a Jacobian is cheapest, tried and tested on the first call of each residual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from ..parameters import ParameterVector
from ..residuals import Block, Residual
from ..systems.layered import LayeredRows
from .recorded import NotPerSampleError, Recorder, layered_rows, recorded_rows
from .transforms import forward_rows, per_sample_rows, reverse_rows

__all__ = ["METHODS", "Chunk", "Evaluation", "JacobianMethod", "evaluate"]

#: Names, and what they do, as they are reported.
METHODS = {
    "recorded": "outer products of deltas and activations of linear layers",
    "forward": "forward mode, one direction a parameter",
    "per_sample": "reverse mode for each sample (vmap of jacrev)",
    "reverse": "reverse mode, one backward pass a residual",
}

# Forward mode costs one tangent a parameter: worth it for few.
_FORWARD_PARAMETERS = 32
# Entries of parameters outside linear layers that are worth a column each beside outer products.
_COLUMNS = 16
# Of the largest number; float32 models get their own.
_PROBE_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}


@dataclass
class Chunk:
    """Rows of the system for some samples of one block, valid until the next chunk."""

    block: int
    k: int | None
    J: torch.Tensor
    u: torch.Tensor


@dataclass
class JacobianMethod:
    """What was chosen for one residual function.

    Attributes
    ----------
    name : str
        A key of `METHODS`.
    others : tuple of int
        For "recorded": parameters that also appear outside linear layers.
    reason : str
    """

    name: str
    reason: str
    others: tuple[int, ...] = ()


@dataclass
class Evaluation:
    """One call of a residual function.

    Attributes
    ----------
    blocks : list of Block
    chunks : iterator of Chunk
        The rows of its system.
    layered : iterator of (int, LayeredRows), optional
        The same rows, by the number of their block, in a form that a normal system takes faster.
        Only one of the two iterators may be used.
    """

    blocks: list[Block]
    chunks: Iterator[Chunk]
    layered: Iterator[tuple[int, LayeredRows]] | None = None


def evaluate(
    method: JacobianMethod,
    parameters: ParameterVector,
    residual: Residual,
    inputs: Sequence[torch.Tensor],
    rows_at_once: int,
    memory: float = 0.0,
) -> Evaluation:
    """Call a residual function and prepare its rows by one method."""
    layered = None
    if method.name == "forward":
        blocks, chunks = forward_rows(parameters, residual, inputs)
    elif method.name == "recorded":
        recorder = Recorder(parameters)
        with torch.enable_grad(), recorder:
            blocks = residual.blocks(inputs)
        chunks = recorded_rows(parameters, blocks, recorder, rows_at_once, method.others)
        if not method.others:
            layered = layered_rows(parameters, blocks, recorder, memory)
    elif method.name == "per_sample":
        with torch.no_grad():
            blocks = residual.blocks(inputs)
        chunks = per_sample_rows(parameters, residual, inputs, blocks, rows_at_once)
    else:
        with torch.enable_grad():
            blocks = residual.blocks(inputs)
        chunks = reverse_rows(parameters, blocks, rows_at_once)
    return Evaluation(blocks, (Chunk(*chunk) for chunk in chunks), layered)


def choose(
    parameters: ParameterVector,
    residual: Residual,
    inputs: Sequence[torch.Tensor],
    wanted: str = "auto",
) -> JacobianMethod:
    """The cheapest method that agrees with a plain backward pass on these inputs.

    Parameters
    ----------
    wanted : str, default "auto"
        A key of `METHODS` to insist on; ValueError where it does not apply or gives another result.
    """
    if wanted != "auto":
        if wanted not in METHODS:
            raise ValueError(f"jacobian must be 'auto' or one of {sorted(METHODS)}, got {wanted!r}")
        method, problem = _tested(wanted, parameters, residual, inputs)
        if method is None:
            raise ValueError(f"jacobian={wanted!r} does not fit {residual.name}: {problem}")
        return method
    reasons = []
    for name in _candidates(parameters):
        method, problem = _tested(name, parameters, residual, inputs)
        if method is not None:
            return method
        reasons.append(f"not {name}: {problem}")
    return JacobianMethod("reverse", "; ".join(reasons))


def _candidates(parameters: ParameterVector) -> list[str]:
    few = parameters.module is not None and len(parameters) <= _FORWARD_PARAMETERS
    names = ["recorded"] if not few else ["forward", "recorded"]
    if parameters.module is not None:
        names.append("per_sample")
    return names


def _tested(
    name: str,
    parameters: ParameterVector,
    residual: Residual,
    inputs: Sequence[torch.Tensor],
) -> tuple[JacobianMethod | None, str]:
    """The method, or None with what speaks against it."""
    if name == "reverse":
        return JacobianMethod(name, "asked for"), ""
    if name in ("forward", "per_sample") and parameters.module is None:
        return None, "it needs the module, not a list of parameters"
    if name == "per_sample" and (not residual.sliced or not inputs):
        return None, "the residual function brings its own data or couples its samples"
    if name == "recorded" and residual.coupled:
        return None, "the samples are coupled"
    with torch.enable_grad():
        blocks = residual.blocks(inputs)
    if name == "forward":
        residuals = sum(block.z.numel() for block in blocks)
        if residuals * len(parameters) > 2**26:
            return None, "the derivatives of all samples at once would take too much memory"
    cotangents = [_probe(block.z) for block in blocks]
    expected = _pulled(parameters, blocks, cotangents)
    try:
        return _against(name, parameters, residual, inputs, cotangents, expected)
    except NotPerSampleError as problem:
        return None, str(problem)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError) as problem:
        return None, f"{type(problem).__name__} ({str(problem).splitlines()[0][:120]})"


def _probe(z: torch.Tensor) -> torch.Tensor:
    """Cotangents without pattern that use no random state of the user's."""
    index = torch.arange(z.numel(), dtype=torch.float64, device=z.device)
    return torch.cos(index * index * 0.7548776662466927 + index).reshape(z.shape)


def _pulled(
    parameters: ParameterVector, blocks: Sequence[Block], cotangents: Sequence[torch.Tensor]
) -> torch.Tensor:
    """The sum over the blocks of J^T cotangent by one ordinary backward pass."""
    pairs = [
        (block.z, cotangent.to(block.z.dtype))
        for block, cotangent in zip(blocks, cotangents, strict=True)
        if block.z.requires_grad
    ]
    if not pairs:
        return torch.zeros(len(parameters), dtype=torch.float64, device=parameters.device)
    z, v = zip(*pairs, strict=True)
    return parameters.join(torch.autograd.grad(z, parameters.tensors, v, allow_unused=True))


def _against(
    name: str,
    parameters: ParameterVector,
    residual: Residual,
    inputs: Sequence[torch.Tensor],
    cotangents: Sequence[torch.Tensor],
    expected: torch.Tensor,
) -> tuple[JacobianMethod | None, str]:
    method = JacobianMethod(name, METHODS[name])
    got = _by_method(method, parameters, residual, inputs, cotangents)
    wrong = _disagreeing(parameters, got, expected)
    if wrong and name == "recorded":
        entries = sum(parameters.sizes[index] for index in wrong)
        if entries > _COLUMNS:
            return None, f"{parameters.names[wrong[0]]} does more than multiply in linear layers"
        method = JacobianMethod(name, METHODS[name] + ", columns for others", tuple(wrong))
        got = _by_method(method, parameters, residual, inputs, cotangents)
        wrong = _disagreeing(parameters, got, expected)
    if wrong:
        return None, f"it gives other derivatives in {parameters.names[wrong[0]]}"
    return method, ""


def _by_method(
    method: JacobianMethod,
    parameters: ParameterVector,
    residual: Residual,
    inputs: Sequence[torch.Tensor],
    cotangents: Sequence[torch.Tensor],
) -> torch.Tensor:
    """J^T cotangent from the rows of a method, for plain squares."""
    from ..criteria import SumSquares

    plain = Residual(residual.function, *residual.inputs, **residual.keywords)
    labelled = residual.criterion.labelled
    if labelled:
        plain = Residual(
            lambda *some: residual.function(*some, **residual.keywords)[0], *plain.inputs
        )
    plain.criterion, plain.coupled, plain.name = SumSquares(), residual.coupled, residual.name
    chunks = evaluate(method, parameters, plain, inputs, rows_at_once=256).chunks
    total = torch.zeros(len(parameters), dtype=torch.float64, device=parameters.device)
    places: dict[tuple[int, int | None], int] = {}
    for chunk in chunks:
        key = (chunk.block, chunk.k)
        start = places.get(key, 0)
        places[key] = start + len(chunk.u)
        v = cotangents[chunk.block]
        column = v.reshape(-1) if chunk.k is None else v[:, chunk.k]
        total += chunk.J.T @ column[start : start + len(chunk.u)]
    return total


def _disagreeing(
    parameters: ParameterVector, got: torch.Tensor, expected: torch.Tensor
) -> list[int]:
    """Parameters whose derivatives differ by more than rounding."""
    tolerance = _PROBE_TOLERANCE.get(parameters.dtype, 1e-2)
    largest = 1e-6 * float(expected.nan_to_num(0.0, 0.0, 0.0).abs().max()) + 1e-300
    wrong = []
    pairs = zip(parameters.split(got), parameters.split(expected), strict=True)
    for index, (mine, plain) in enumerate(pairs):
        if not bool(torch.isfinite(plain).all()):
            if bool(torch.isfinite(mine).all()):
                wrong.append(index)
            continue
        scale = float(plain.abs().max()) + largest
        if not bool(((mine - plain).abs() <= tolerance * scale).all()):
            wrong.append(index)
    return wrong
