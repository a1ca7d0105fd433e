"""Gradient, Hessian and spectrum against differences, in Python's parameter order."""

import numpy as np
import pytest

import mlpflow as mf

PENALTIES = [{}, {"maxnorm": 0.01}, {"merge": (0, (0, 2), 0.3)}]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_derivatives_agree_with_differences(small_net, small_params, penalty):
    g = mf.gradient(small_net, small_params, **penalty)
    H = mf.hessian(small_net, small_params, **penalty)
    assert isinstance(g, mf.Params)
    assert np.array_equal(H, H.T)
    for i, e in enumerate(1e-5 * np.eye(small_net.nparams)):
        up, down = small_params + e, small_params - e
        difference = mf.loss(small_net, up, **penalty) - mf.loss(small_net, down, **penalty)
        assert difference / 2e-5 == pytest.approx(g[i], abs=1e-9)
        column = mf.gradient(small_net, up, **penalty) - mf.gradient(small_net, down, **penalty)
        assert np.allclose(column.flat / 2e-5, H[:, i], atol=1e-9)


def test_penalties_by_their_formulas(small_net, small_params):
    plain = mf.loss(small_net, small_params)
    n = (small_params @ small_params) / (2 * small_net.nparams)
    assert mf.loss(small_net, small_params, maxnorm=0.01) - plain == pytest.approx(
        (n - 0.01) ** 3 / 3, rel=1e-9
    )
    assert mf.loss(small_net, small_params, maxnorm=n + 1) == plain
    rows = np.column_stack([small_params["w1"], small_params["b1"]])
    assert mf.loss(small_net, small_params, merge=(0, (0, 2), 0.3)) - plain == pytest.approx(
        0.15 * ((rows[0] - rows[2]) ** 2).sum(), rel=1e-9
    )


def test_spectrum(small_net, small_params):
    spectrum = mf.hessian_spectrum(small_net, small_params)
    values, vectors = spectrum
    H = mf.hessian(small_net, small_params)
    assert (np.diff(values) >= 0).all()
    assert np.allclose(H @ vectors, vectors * values, atol=1e-13)
    assert np.allclose(vectors.T @ vectors, np.eye(13), atol=1e-13)
    assert spectrum.index == np.count_nonzero(np.linalg.eigvalsh(H) < -spectrum.rounding)
    assert repr(spectrum).startswith("Spectrum of 13 eigenvalues from ")


def test_index_ignores_rounding():
    spectrum = mf.Spectrum(np.array([-1.0, -1e-17, 0.0, 2.0]), np.eye(4))
    assert spectrum.index == 1


def test_a_spectrum_of_no_numbers_is_an_error(small_net):
    with pytest.raises(mf.EngineError, match="expected finite entries"):
        mf.hessian_spectrum(small_net, np.full(13, np.nan))


def test_the_same_call_gives_the_same_bits(small_net, small_params):
    first = mf.hessian(small_net, small_params)
    mf.loss(small_net, small_params, maxnorm=0.1)
    assert np.array_equal(mf.hessian(small_net, small_params), first)
