"""Checks of training data: shapes, transposes, labels, probabilities, weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._check import as_floats, check_finite, shape_text, shown, to_numpy
from ._hints import did_you_mean

__all__ = ["LOSSES"]

LOSSES = ("mse", "cross_entropy")
PRECISIONS = ("float64", "float32")

# How far the sum of a row of probabilities may be from 1.
_PROBABILITY_SUM = 1e-6


def checked_losstype(losstype: Any) -> str:
    """``"mse"`` or ``"cross_entropy"``."""
    return _checked_choice(losstype, "losstype", LOSSES)


def checked_precision(precision: Any) -> str:
    """``"float64"`` or ``"float32"``."""
    return _checked_choice(precision, "precision", PRECISIONS)


def _checked_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(
        f"{name}: expected one of {', '.join(choices)}, got {shown(value)}"
        f"{did_you_mean(str(value), choices)}"
    )


def checked_inputs_matrix(inputs: Any) -> np.ndarray:
    """Inputs of shape (N, Din)."""
    array = as_floats(inputs, "inputs")
    if array.ndim == 1:
        raise ValueError(
            f"inputs: expected shape (N, Din), got {shape_text(array.shape)}; one input a sample "
            "is inputs[:, None]"
        )
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"inputs: expected shape (N, Din) with at least one sample and one input, got "
            f"{shape_text(array.shape)}"
        )
    return array


def checked_targets(targets: Any, losstype: str, width: int | None) -> np.ndarray:
    """Targets of shape (N, Dout), or labels of shape (N,); ``width`` is that of the last layer."""
    raw = to_numpy(targets, "targets")
    if losstype == "cross_entropy":
        if raw.ndim == 1:
            return _checked_labels(raw, width)
        return _checked_rows(as_floats(raw, "targets"))
    array = as_floats(raw, "targets")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"targets: expected shape (N, Dout), got {shape_text(np.shape(raw))}")
    return array


def _checked_labels(labels: np.ndarray, width: int | None) -> np.ndarray:
    if labels.dtype.kind not in "iu":
        whole = labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels))
        hint = "; write targets.astype(int)" if whole else ""
        raise TypeError(
            "targets: expected integer labels of shape (N,) or probabilities of shape (N, K) for "
            f"the cross-entropy, got {labels.dtype} of shape {shape_text(labels.shape)}{hint}"
        )
    bound = width if width is not None else np.inf
    outside = np.flatnonzero((labels < 0) | (labels >= bound))
    if outside.size:
        top = "" if width is None else f" to {width - 1}, one a neuron of the last layer,"
        hint = "; labels count from 0" if width is not None and labels.min() == 1 else ""
        raise ValueError(
            f"targets: expected labels from 0{top} got {labels[outside[0]]} at index "
            f"{outside[0]}{hint}"
        )
    return labels.astype(np.int64)


def _checked_rows(rows: np.ndarray) -> np.ndarray:
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(
            "targets: expected labels of shape (N,) or probabilities of shape (N, K), got "
            f"{shape_text(rows.shape)}"
        )
    return rows


def check_probabilities(rows: np.ndarray) -> None:
    """Rows of numbers >= 0 that sum to 1."""
    check_finite(rows, "targets")
    wrong = np.flatnonzero((rows.min(axis=1) < 0) | (abs(rows.sum(axis=1) - 1) > _PROBABILITY_SUM))
    if wrong.size:
        row = rows[wrong[0]]
        raise ValueError(
            "targets: expected rows of probabilities, at least 0 and with the sum 1, got the sum "
            f"{row.sum():.6g} and the smallest entry {row.min():.6g} in row {wrong[0]}"
        )


def check_samples(inputs: np.ndarray, targets: np.ndarray) -> None:
    """As many targets as inputs; says when one of them is transposed."""
    n = len(inputs)
    if len(targets) == n:
        return
    x, y = shape_text(inputs.shape), shape_text(targets.shape)
    turned_x = inputs.shape[1] == len(targets)
    turned_y = targets.ndim == 2 and targets.shape[1] == n
    if targets.ndim == 2 and inputs.shape[1] == targets.shape[1] and not turned_x:
        hint = "both look transposed: pass inputs.T and targets.T"
    elif turned_x:
        hint = "inputs look transposed: pass inputs.T"
    elif turned_y:
        hint = "targets look transposed: pass targets.T"
    else:
        hint = "they must have as many rows as each other, one a sample"
    raise ValueError(
        f"expected inputs of shape (N, Din) and targets of shape (N, Dout) or (N,), got inputs {x} "
        f"and targets {y}; {hint}"
    )


def check_outputs(inputs: np.ndarray, targets: np.ndarray, width: int) -> None:
    """As many target columns as neurons in the last layer; says when the data is transposed."""
    if targets.ndim == 1 or targets.shape[1] == width:
        return
    turned = targets.shape[0] == width
    hint = "; inputs and targets look transposed: pass inputs.T and targets.T" if turned else ""
    raise ValueError(
        f"expected targets of shape (N, {width}), one column a neuron of the last layer, got "
        f"{shape_text(targets.shape)} with inputs {shape_text(inputs.shape)}{hint}"
    )


def checked_weights(weights: Any, n: int, *, signed: bool = False) -> np.ndarray | None:
    """Sample weights of shape (N,), not negative unless ``signed``."""
    if weights is None:
        return None
    array = as_floats(weights, "weights")
    if array.shape in ((n, 1), (1, n)):
        array = array.ravel()
    if array.shape != (n,):
        raise ValueError(
            f"weights: expected shape ({n},), one a sample, got {shape_text(array.shape)}"
        )
    check_finite(array, "weights")
    if not signed and (array < 0).any():
        place = int(np.argmax(array < 0))
        raise ValueError(f"weights: expected numbers >= 0, got {array[place]} at index {place}")
    return array


def checked_other_inputs(x: Any, inputs: int) -> np.ndarray:
    """Inputs for a network that takes ``inputs`` numbers a sample."""
    array = as_floats(x, "x")
    if array.ndim != 2 or array.shape[1] != inputs or len(array) == 0:
        if array.ndim == 2 and array.shape[0] == inputs:
            hint = "; x looks transposed: pass x.T"
        elif array.shape == (inputs,):
            hint = "; a single sample is x[None, :]"
        elif array.ndim == 1 and inputs == 1:
            hint = "; one input a sample is x[:, None]"
        else:
            hint = ""
        raise ValueError(f"x: expected shape (N, {inputs}), got {shape_text(array.shape)}{hint}")
    check_finite(array, "x")
    return array
