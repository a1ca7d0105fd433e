"""Parameters of a network: one flat vector, seen as weights and biases of the layers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._check import as_floats, shape_text
from ._hints import did_you_mean
from .layers import (
    Layer,
    Shape,
    checked_inputs,
    checked_layers,
    count_parameters,
    describe_layers,
    layer_shapes,
    layers_from_description,
)

if TYPE_CHECKING:
    import torch

__all__ = ["Params"]


class Params(np.lib.mixins.NDArrayOperatorsMixin):
    """Weights and biases of every layer.

    The flat vector is in PyTorch's order: for each layer the weights row by row, then the bias.
    Parameters behave like that vector: ``p + q``, ``2 * p``, ``np.linalg.norm(p)``, ``p[3]``.

    Parameters
    ----------
    layers : sequence of (weight, bias or None)
        Weights of shape (out, in), biases of shape (out,). Copied.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> p = mf.Params([(np.ones((3, 2)), np.zeros(3)), (np.ones((1, 3)), None)])
    >>> p["w1"].shape, p.flat.shape
    ((3, 2), (12,))
    """

    __slots__ = ("_flat", "_layers", "_shapes")

    _flat: np.ndarray
    _shapes: tuple[Shape, ...]
    _layers: tuple[Layer, ...] | None

    def __init__(self, layers: Sequence[tuple[Any, Any]]) -> None:
        if isinstance(layers, (str, bytes, Mapping, np.ndarray)) or not isinstance(
            layers, Sequence
        ):
            hint = "; use Params.from_dict" if isinstance(layers, Mapping) else ""
            raise TypeError(
                "Params: expected a list of (weight, bias or None), one a layer, got a "
                f"{type(layers).__name__}{hint}"
            )
        if not layers:
            raise ValueError("Params: expected at least one (weight, bias or None), got none")
        parts: list[np.ndarray] = []
        shapes: list[Shape] = []
        for number, layer in enumerate(layers, start=1):
            weight, bias = _checked_pair(layer, number)
            if shapes and weight.shape[1] != shapes[-1][0]:
                raise ValueError(
                    f"w{number}: expected {shapes[-1][0]} columns, one a neuron of the layer "
                    f"before, got shape {shape_text(weight.shape)}"
                )
            shapes.append((weight.shape[0], weight.shape[1], bias is not None))
            parts.append(weight.ravel())
            if bias is not None:
                parts.append(bias)
        self._set(np.concatenate(parts), tuple(shapes), None)

    def _set(
        self, flat: np.ndarray, shapes: tuple[Shape, ...], layers: tuple[Layer, ...] | None
    ) -> None:
        self._flat = flat
        self._shapes = shapes
        self._layers = layers

    @classmethod
    def _make(
        cls, flat: np.ndarray, shapes: tuple[Shape, ...], layers: tuple[Layer, ...] | None
    ) -> Params:
        self = cls.__new__(cls)
        self._set(flat, shapes, layers)
        return self

    @classmethod
    def from_flat(cls, layers: Any, inputs: int, vector: Any) -> Params:
        """Parameters from a flat vector.

        Parameters
        ----------
        layers : sequence of (width, activation, bias)
            As `Net` takes them; ``net.layers`` fits.
        inputs : int
            Number of inputs of the first layer.
        vector : array of shape (P,)
            In PyTorch's order. Copied.
        """
        checked = checked_layers(layers)
        shapes = layer_shapes(checked, checked_inputs(inputs))
        return cls._make(checked_vector(vector, shapes).copy(), shapes, checked)

    @classmethod
    def from_dict(cls, parameters: Mapping[str, Any]) -> Params:
        """Parameters from ``{"w1": weight, "b1": bias, "w2": ...}``; biases may be missing.

        Parameters
        ----------
        parameters : mapping
            As `to_dict` makes it.
        """
        count = sum(1 for key in parameters if re.fullmatch(r"w\d+", str(key)))
        names = [f"w{i + 1}" for i in range(count)] + [f"b{i + 1}" for i in range(count)]
        unknown = [str(key) for key in parameters if key not in names]
        missing = [name for name in names[:count] if name not in parameters]
        if unknown or missing or not count:
            raise ValueError(
                "Params.from_dict: expected the keys w1, b1, w2, b2, ..., got "
                f"{', '.join(map(str, parameters)) or 'none'}"
            )
        return cls([(parameters[f"w{i}"], parameters.get(f"b{i}")) for i in range(1, count + 1)])

    @classmethod
    def from_torch(cls, module: torch.nn.Module) -> Params:
        """Parameters of an ``nn.Sequential`` of ``nn.Linear`` and activation modules.

        Parameters
        ----------
        module : torch.nn.Module
            Such as `to_torch` makes it. Its activations are remembered where they are known here.
        """
        from .torch_conversion import params_from_torch

        return params_from_torch(module)

    def to_torch(self, layers: Any = None) -> torch.nn.Sequential:
        """An ``nn.Sequential`` in Float64 that computes the same network.

        Parameters
        ----------
        layers : sequence of (width, activation, bias), optional
            Needed only for parameters that were made without a network.
        """
        from .torch_conversion import params_to_torch

        return params_to_torch(self, self._layers if layers is None else checked_layers(layers))

    @property
    def flat(self) -> np.ndarray:
        """The vector of shape (P,), in PyTorch's order; writing to it changes the parameters."""
        return self._flat

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Weight and bias (or None) of each layer; views of `flat`."""
        result: list[tuple[np.ndarray, np.ndarray | None]] = []
        start = 0
        for out, inputs, has_bias in self._shapes:
            stop = start + out * inputs
            weight = self._flat[start:stop].reshape(out, inputs)
            bias = self._flat[stop : stop + out] if has_bias else None
            result.append((weight, bias))
            start = stop + out * has_bias
        return result

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """``(out, in, has bias)`` of each layer."""
        return self._shapes

    @property
    def layer_spec(self) -> tuple[Layer, ...] | None:
        """The layers with their activations, or None where these are unknown."""
        return self._layers

    def to_dict(self) -> dict[str, np.ndarray]:
        """``{"w1": weight, "b1": bias, "w2": ...}``, copies; layers without bias have no ``b``."""
        result = {}
        for number, (weight, bias) in enumerate(self.layers, start=1):
            result[f"w{number}"] = weight.copy()
            if bias is not None:
                result[f"b{number}"] = bias.copy()
        return result

    def entry_name(self, index: int) -> str:
        """Which parameter ``flat[index]`` is, such as ``w1[2, 0]`` or ``b1[2]``."""
        start = 0
        for number, (weight, bias) in enumerate(self.layers, start=1):
            if index < start + weight.size:
                row, column = divmod(index - start, weight.shape[1])
                return f"w{number}[{row}, {column}]"
            start += weight.size
            if bias is not None:
                if index < start + bias.size:
                    return f"b{number}[{index - start}]"
                start += bias.size
        raise IndexError(f"expected an index below {len(self)}, got {index}")

    def copy(self) -> Params:
        """A copy that shares nothing."""
        return self._make(self._flat.copy(), self._shapes, self._layers)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._flat[key]
        return self._named(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            self._named(key)[...] = value
        else:
            self._flat[key] = value

    def _named(self, key: str) -> np.ndarray:
        matched = re.fullmatch(r"([wb])([1-9]\d*)", key)
        if matched and int(matched[2]) <= len(self._shapes):
            part = self.layers[int(matched[2]) - 1][matched[1] == "b"]
            if part is not None:
                return part
        names = list(self.to_dict())
        raise KeyError(f"expected one of {', '.join(names)}, got {key!r}{did_you_mean(key, names)}")

    def __getattr__(self, name: str) -> Any:
        """What else an array has: ``.shape``, ``.sum()``, ``.max()``, ..., of the flat vector."""
        if name.startswith("_"):
            raise AttributeError(f"Params has no attribute {name!r}")
        return getattr(self._flat, name)

    def __len__(self) -> int:
        return len(self._flat)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False and dtype is not None and np.dtype(dtype) != self._flat.dtype:
            raise ValueError("parameters of another type cannot be had without a copy")
        array = self._flat if dtype is None else self._flat.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out", ())
        for value in (*inputs, *out):
            if isinstance(value, Params) and value._shapes != self._shapes:
                raise ValueError(
                    f"expected parameters of the same layers, got {_shapes_text(self._shapes)} "
                    f"and {_shapes_text(value._shapes)}"
                )
        plain = [v._flat if isinstance(v, Params) else v for v in inputs]
        if out:
            kwargs["out"] = tuple(v._flat if isinstance(v, Params) else v for v in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        if out:
            return out[0] if len(out) == 1 else out
        same = isinstance(result, np.ndarray) and result.shape == self._flat.shape
        if same and result.dtype == np.float64:
            return self._make(result, self._shapes, self._layers)
        return result

    def __reduce__(self) -> tuple[object, ...]:
        layers = None if self._layers is None else describe_layers(self._layers)
        return _rebuild, (self._flat, self._shapes, layers)

    def __repr__(self) -> str:
        lines = [f"Params with {len(self)} parameters:"]
        for number, (weight, bias) in enumerate(self.layers, start=1):
            with np.printoptions(precision=5, threshold=40, edgeitems=3):
                lines.append(f"w{number} {shape_text(weight.shape)}\n{weight}")
                if bias is not None:
                    lines.append(f"b{number} {shape_text(bias.shape)}\n{bias}")
        return "\n".join(lines)


def _rebuild(flat: np.ndarray, shapes: tuple[Shape, ...], layers: Any) -> Params:
    checked = None if layers is None else layers_from_description(layers)
    return Params._make(flat, tuple(shapes), checked)


def _checked_pair(layer: Any, number: int) -> tuple[np.ndarray, np.ndarray | None]:
    if not isinstance(layer, (tuple, list)) or len(layer) != 2:
        raise TypeError(
            f"Params: expected (weight, bias or None) for layer {number}, got {_brief(layer)}"
        )
    weight = as_floats(layer[0], f"w{number}")
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(
            f"w{number}: expected weights of shape (out, in), got {shape_text(weight.shape)}"
        )
    if layer[1] is None:
        return weight, None
    bias = as_floats(layer[1], f"b{number}")
    if bias.shape != weight.shape[:1]:
        raise ValueError(
            f"b{number}: expected a bias of shape {shape_text(weight.shape[:1])} to weights of "
            f"shape {shape_text(weight.shape)}, got {shape_text(bias.shape)}"
        )
    return weight, bias


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {shape_text(value.shape)}"
    return f"a {type(value).__name__}"


def checked_vector(vector: Any, shapes: tuple[Shape, ...], name: str = "parameters") -> np.ndarray:
    """A flat vector of the right length."""
    array = as_floats(vector, name)
    expected = count_parameters(shapes)
    if array.shape != (expected,):
        raise ValueError(
            f"{name}: expected a flat vector of shape ({expected},) for the layers "
            f"{_shapes_text(shapes)}, got {shape_text(array.shape)}"
        )
    return array


def flat_parameters(p: Any, shapes: tuple[Shape, ...]) -> np.ndarray:
    """Any way of writing parameters, as a flat vector that fits the layers."""
    if isinstance(p, Params):
        if p._shapes != shapes:
            raise ValueError(
                f"parameters: expected the layers {_shapes_text(shapes)}, got "
                f"{_shapes_text(p._shapes)}"
            )
        return p._flat
    if isinstance(p, Mapping):
        return flat_parameters(Params.from_dict(p), shapes)
    if isinstance(p, (list, tuple)) and p and isinstance(p[0], (list, tuple)):
        return flat_parameters(Params(p), shapes)
    if hasattr(p, "named_parameters"):  # a torch module, without importing torch
        return flat_parameters(Params.from_torch(p), shapes)
    return checked_vector(p, shapes)


def _shapes_text(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(f"{out} x {n}{' + bias' if bias else ''}" for out, n, bias in shapes)
