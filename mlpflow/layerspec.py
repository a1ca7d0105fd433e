"""Networks written on a command line: ``10:tanh,1``."""

from __future__ import annotations

__all__ = ["LayerSpec", "format_layers", "parse_layers"]

LayerSpec = tuple[int, str, bool]


def parse_layers(text: str, *, bias: bool = True) -> list[LayerSpec]:
    """Read layers such as ``10:tanh,1``: width and activation, from the first hidden layer on.

    A layer without activation is linear (``identity``).

    Parameters
    ----------
    text : str
        Comma-separated ``WIDTH[:ACTIVATION]``.
    bias : bool
        Do the layers have biases?

    Returns
    -------
    list of (int, str, bool)
        Width, activation and bias, as ``mlpflow.Net`` takes them.

    Raises
    ------
    ValueError
        For anything else, with an example that works.

    Examples
    --------
    >>> from mlpflow.layerspec import parse_layers
    >>> parse_layers("10:tanh,1")
    [(10, 'tanh', True), (1, 'identity', True)]
    """
    layers: list[LayerSpec] = []
    for part in text.split(","):
        width, _, activation = part.strip().partition(":")
        if not width.strip().isdecimal() or int(width) < 1:
            raise ValueError(
                f"expected layers such as 10:tanh,1 (WIDTH:ACTIVATION, from the first hidden "
                f"layer to the output), got {part.strip()!r} in {text!r}"
            )
        layers.append((int(width), activation.strip() or "identity", bias))
    return layers


def format_layers(inputs: int, layers: list[LayerSpec]) -> str:
    """A network in a line, such as ``4 -> 3 tanh -> 1 identity``."""
    return " -> ".join([str(inputs), *(f"{width} {name}" for width, name, _ in layers)])
