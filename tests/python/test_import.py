"""Importing is fast and brings nothing heavy."""

import ast
import re

import pytest

import mlpflow as mf


def test_import_is_light_and_starts_nothing(run_python):
    code = (
        "import sys, time; start = time.perf_counter(); import mlpflow as mf; "
        "seconds = time.perf_counter() - start; "
        "mf.Net, mf.train, mf.Params, mf.load; "
        "heavy = [m for m in ('torch', 'matplotlib', 'tqdm', 'scipy') if m in sys.modules]; "
        "import mlpflow.engine.selection as s; "
        "print([seconds, heavy, s._engine is None])"
    )
    seconds, heavy, nothing_started = ast.literal_eval(run_python(code).stdout)
    assert seconds < 0.3
    assert heavy == []
    assert nothing_started


@pytest.mark.parametrize("name", mf.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(mf, name)
    assert name in dir(mf)
    if callable(value):
        assert value.__doc__


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = mf.trian


def test_versions_agree():
    from mlpflow.engine.discovery import engine_root

    text = (engine_root() / "Project.toml").read_text()
    assert re.search(r'^version = "(.*)"', text, re.M)[1] == mf.__version__
