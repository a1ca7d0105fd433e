"""Networks to PyTorch and back. Torch is imported when one of these functions is called."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .activations import Activation, AnyActivation, OneActivation, Poly, activation_text
from .layers import Layer, checked_layers, layer_shapes
from .params import Params

__all__ = ["params_from_torch", "params_to_torch"]


class Elementwise(nn.Module):  # type: ignore[misc]
    """An activation that torch has no module for.

    Parameters
    ----------
    name : str
        Its name here.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the activation to every element."""
        value: torch.Tensor = _FORMULAS[self.name](x)
        return value

    def extra_repr(self) -> str:
        return self.name


class OneEach(nn.Module):  # type: ignore[misc]
    """One activation a neuron.

    Parameters
    ----------
    modules : sequence of nn.Module
        As many as neurons.
    """

    def __init__(self, modules: Any) -> None:
        super().__init__()
        self.activations = nn.ModuleList(modules)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply activation i to column i."""
        columns = [f(x[..., i]) for i, f in enumerate(self.activations)]
        return torch.stack(columns, dim=-1)


_SQRT_HALF = 0.5**0.5

_FORMULAS: dict[str, Any] = {
    "square": lambda x: x * x / 2,
    "cube": lambda x: x**3,
    "exp": torch.exp,
    "g": lambda x: torch.sigmoid(4 * x) + nn.functional.softplus(x, threshold=700),
    "sigmoid2": lambda x: torch.erf(x * _SQRT_HALF),
    "normal_cdf": lambda x: (1 + torch.erf(x * _SQRT_HALF)) / 2,
    # Torch rounds the constants of selu differently.
    "selu": lambda x: (
        1.05070098 * torch.where(x > 0, x, 1.67326324 * torch.expm1(torch.clamp(x, max=0)))
    ),
}

# Softplus: torch's threshold of 20 would replace it by x, wrong in the 9th digit.
_MODULES: dict[str, Any] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softplus": lambda: nn.Softplus(threshold=700),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

_NAMES: dict[type[nn.Module], str] = {
    nn.Identity: "identity",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.ReLU: "relu",
    nn.Softplus: "softplus",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.SELU: "selu",
}


def params_to_torch(p: Params, layers: tuple[Layer, ...] | None) -> nn.Sequential:
    """See `Params.to_torch`."""
    if layers is None:
        raise ValueError(
            "to_torch: expected parameters that know their activations, got ones made without a "
            "network: pass the layers, p.to_torch(net.layers)"
        )
    if layer_shapes(layers, p.shapes[0][1]) != p.shapes:
        raise ValueError(f"to_torch: expected layers that fit {p.shapes}, got {layers}")
    modules: list[nn.Module] = []
    for layer, (weight, bias) in zip(layers, p.layers, strict=True):
        out, inputs = weight.shape
        linear = nn.Linear(inputs, out, bias=bias is not None, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.copy()))
            if bias is not None:
                linear.bias.copy_(torch.from_numpy(bias.copy()))
        modules.append(linear)
        if layer.activation != "identity":
            modules.append(_to_module(layer.activation))
    return nn.Sequential(*modules)


def _to_module(activation: AnyActivation) -> nn.Module:
    if isinstance(activation, tuple):
        return OneEach([_to_module(a) for a in activation])
    if isinstance(activation, (Poly, Activation)):
        raise ValueError(
            f"to_torch: expected built-in activations, got {activation_text(activation)}, which "
            "torch has no module for"
        )
    if activation in _MODULES:
        module: nn.Module = _MODULES[activation]()
        return module
    return Elementwise(activation)


def params_from_torch(module: Any) -> Params:
    """See `Params.from_torch`."""
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"from_torch: expected an nn.Sequential of nn.Linear and activations, got a "
            f"{type(module).__name__}"
        )
    pairs: list[tuple[Any, Any]] = []
    activations: list[OneActivation | list[OneActivation]] = []
    for part in _flattened(module):
        if isinstance(part, nn.Linear):
            bias = None if part.bias is None else part.bias
            pairs.append((part.weight, bias))
            activations.append("identity")
        elif not pairs:
            raise ValueError(f"from_torch: expected an nn.Linear first, got {part}")
        elif activations[-1] != "identity":
            raise ValueError(f"from_torch: expected one activation after an nn.Linear, got {part}")
        else:
            activations[-1] = _from_module(part)
    if not pairs:
        raise ValueError(f"from_torch: expected at least one nn.Linear, got {module}")
    p = Params(pairs)
    layers = [
        (out, activation, bias)
        for (out, _, bias), activation in zip(p.shapes, activations, strict=True)
    ]
    return Params._make(p.flat, p.shapes, checked_layers(layers))


def _flattened(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential):
        return [part for child in module for part in _flattened(child)]
    return [module]


def _from_module(module: nn.Module) -> Any:
    if isinstance(module, Elementwise):
        return module.name
    if isinstance(module, OneEach):
        return [_from_module(m) for m in module.activations]
    name = _NAMES.get(type(module))
    if name is None:
        raise ValueError(
            "from_torch: expected nn.Linear and the activations "
            f"{', '.join('nn.' + cls.__name__ for cls in _NAMES)}, got {module}"
        )
    if isinstance(module, nn.GELU) and module.approximate != "none":
        raise ValueError(f"from_torch: expected the exact nn.GELU(), got {module}")
    if isinstance(module, nn.Softplus) and module.beta != 1:
        raise ValueError(f"from_torch: expected nn.Softplus with beta=1, got {module}")
    return name
