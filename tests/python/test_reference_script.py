"""A script written for the reference package, by juliacall: runs where the real juliacall does."""

import importlib.util
import os

import numpy as np
import pytest

import mlpflow as mf

pytestmark = pytest.mark.skipif(
    os.environ["MLPFLOW_ENGINE"] != "juliacall"
    or "embedded" in str(importlib.util.find_spec("juliacall")),
    reason="MLPFLOW_TEST_ENGINE=juliacall, with the real juliacall, runs this",
)


def convert(value):
    """Julia's result as dictionaries of NumPy arrays."""
    import juliacall

    if isinstance(value, juliacall.DictValue):
        return {key: convert(entry) for key, entry in value.items()}
    return value.to_numpy() if isinstance(value, juliacall.ArrayValue) else value


def test_the_calls_of_the_reference_in_python(tmp_path):
    mf.engine_info()  # starts Julia with the engine loaded
    import juliacall
    from juliacall import Main as jl  # noqa: N813

    mg = jl.MLPFlow
    assert mg is mf.julia or str(mg) == str(mf.julia)
    rng = np.random.default_rng(1)
    w, a = rng.normal(size=(5, 2)) / 10, rng.normal(size=(1, 5)) / 5
    inputs = rng.normal(size=(2, 500))
    hidden = jl.map(mg.sigmoid, np.matmul(rng.normal(size=(4, 2)), inputs))
    target = np.matmul(rng.normal(size=(1, 4)), np.asarray(hidden))
    p = mg.params((w, np.zeros(5)), (a, np.zeros(1)))
    layers = ((5, mg.sigmoid, True), (1, jl.identity, True))
    n = mg.Net(layers=layers, input=inputs, target=target)
    budgets = {"maxiterations_ode": 20, "maxiterations_optim": 20, "verbosity": 0}
    res = mg.train(n, p, maxtime_ode=20, maxtime_optim=20, **budgets)
    found = convert(res)
    again = mg.params(juliacall.convert(jl.Dict, found["x"]))
    assert mg.loss(n, again) == found["loss"]

    file = str(tmp_path / "result.pt")
    mg.pickle(file, res)
    assert np.array_equal(mf.unpickle(file)["x"]["w1"], found["x"]["w1"])

    # The same network by this package's own interface.
    net = mf.Net([(5, "sigmoid", True), (1, "identity", True)], inputs.T, target.T)
    q = mf.Params([(w, np.zeros(5)), (a, np.zeros(1))])
    assert mf.loss(net, q) == pytest.approx(mg.loss(n, p), rel=1e-14)
    assert len(list(mg.hessian_spectrum(n, p).values)) == 21
    assert float(np.abs(np.asarray(mg.gradient(n, p))).max()) > 0

    deep = ((5, mg.sigmoid, False), (4, mg.g, True), (2, mg.identity, False))
    n2 = mg.Net(layers=deep, input=inputs, target=rng.normal(size=(2, 500)))
    p2 = mg.params(
        (w, None), (rng.normal(size=(4, 5)), np.zeros(4)), (rng.normal(size=(2, 4)), None)
    )
    assert np.isfinite(mg.loss(n2, p2))
    assert len(mg.gradient(n2, p2)) == 42
