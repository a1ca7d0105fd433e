"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import mlpflow

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(mlpflow.__path__, "mlpflow.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name == "mlpflow.torch_conversion":
        pytest.importorskip("torch")
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0
