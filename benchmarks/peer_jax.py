"""JAX on the CPU: jitted `value_and_grad` and `hessian`, arrays already on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .cases import Case, Problem, split
from .timing import Contender, PythonContender

__all__ = ["JIT", "contenders", "memory", "version"]

JIT = "JAX jit"

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
    "identity": lambda z: z,
}


def version() -> str:
    """Name and version."""
    return f"JAX {jax.__version__} ({jax.devices()[0].platform}, one core)"


def _outputs(case: Case, pairs: list[tuple[Any, Any]], x: Any) -> Any:
    a = x
    for (weight, bias), (_, activation, _) in zip(pairs, case.layers, strict=True):
        z = a @ weight.T
        a = ACTIVATIONS[activation](z if bias is None else z + bias)
    return a


def _loss(case: Case, pairs: list[tuple[Any, Any]], x: Any, y: Any) -> Any:
    f = _outputs(case, pairs, x)
    if case.losstype == "cross_entropy":
        rows = jax.nn.log_softmax(f)
        return -jnp.mean(jnp.take_along_axis(rows, y[:, None], axis=1))
    return jnp.sum((f - y) ** 2) / len(y)


def _numbers(value: Any) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(value)])


def _contender(function: Callable[..., Any], *arguments: Any) -> list[Contender]:
    # Data are arguments: as constants of the program XLA would spend minutes folding them.
    compiled = jax.jit(function)
    on_device = jax.device_put(arguments)
    return [
        PythonContender(JIT, lambda: jax.block_until_ready(compiled(*on_device)), _numbers),
    ]


def contenders(quantity: str, problem: Problem) -> list[Contender]:
    """What JAX offers for a quantity."""
    case, x, y, p, v = problem.case, problem.x, problem.y, problem.p, problem.v

    def flat_loss(flat: Any, x: Any, y: Any) -> Any:
        return _loss(case, split(flat, case), x, y)

    def layer_loss(pairs: Any, x: Any, y: Any) -> Any:
        return _loss(case, pairs, x, y)

    def hvp(flat: Any, x: Any, y: Any, v: Any) -> Any:
        return jax.jvp(lambda q: jax.grad(flat_loss)(q, x, y), (flat,), (v,))[1]

    def jacobian(flat: Any, x: Any) -> Any:
        rows = jax.vmap(
            jax.jacrev(lambda q, row: _outputs(case, split(q, case), row)), in_axes=(None, 0)
        )
        return rows(flat, x).reshape(-1, case.nparams)

    def gauss_newton(flat: Any, x: Any) -> Any:
        J = jacobian(flat, x)
        return J.T @ J * (2 / case.samples)

    if quantity == "gradient":
        return _contender(jax.value_and_grad(layer_loss), split(p, case), x, y)
    if quantity == "hessian":
        return _contender(jax.hessian(flat_loss), p, x, y)
    if quantity == "hvp":
        return _contender(hvp, p, x, y, v)
    if quantity == "jacobian":
        return _contender(jacobian, p, x)
    if quantity == "gauss_newton":
        return _contender(gauss_newton, p, x)
    raise ValueError(f"expected a quantity that JAX computes here, got {quantity!r}")


def memory(name: str, quantity: str, case: Case) -> float:
    """Bytes that it takes, roughly: the arrays alive at once, by the largest."""
    neurons = sum(width for width, _, _ in case.layers)
    tangents = case.nparams if quantity == "hessian" else 1
    return 8.0 * case.samples * neurons * tangents * 1.5
