"""Networks written on a command line."""

import pytest

from mlpflow.layerspec import format_layers, parse_layers


@pytest.mark.parametrize(
    "text, layers",
    [
        ("10:tanh,1", [(10, "tanh", True), (1, "identity", True)]),
        (" 3:relu , 2:gelu,1:exp", [(3, "relu", True), (2, "gelu", True), (1, "exp", True)]),
        ("1", [(1, "identity", True)]),
    ],
)
def test_layers(text, layers):
    assert parse_layers(text) == layers


def test_without_biases():
    assert parse_layers("2:tanh,1", bias=False) == [(2, "tanh", False), (1, "identity", False)]


@pytest.mark.parametrize("text", ["", "tanh:10,1", "10:tanh,,1", "0:tanh,1", "-1", "1.5", "a"])
def test_bad_layers_show_good_ones(text):
    with pytest.raises(ValueError, match="expected layers such as 10:tanh,1"):
        parse_layers(text)


def test_format():
    assert format_layers(4, parse_layers("3:tanh,1")) == "4 -> 3 tanh -> 1 identity"
