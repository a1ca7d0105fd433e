"""Standardisation and the way back to the user's units."""

import numpy as np
import pytest

from mlpflow.scaling import RegressionScaling, Scaling


def test_standard_gives_mean_zero_and_deviation_one():
    x = np.random.default_rng(0).normal(1e6, 3.0, (50, 2)) * [1, 1e-9]
    z = Scaling.standard("ab", x).apply(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-12)


def test_there_and_back():
    x = np.random.default_rng(1).normal(size=(20, 3)) * [1, 1e3, 1e-3] + [0, 7, 1]
    scaling = Scaling.standard("abc", x)
    np.testing.assert_allclose(scaling.invert(scaling.apply(x)), x, rtol=1e-14)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e300, 3.0])
def test_constant_columns_become_zero(constant):
    x = np.column_stack([np.full(7, constant), np.arange(7.0)])
    scaling = Scaling.standard("ab", x)
    assert scaling.scale[0] == 1
    np.testing.assert_array_equal(scaling.apply(x)[:, 0], 0)


def test_identity_changes_nothing():
    x = np.array([[1.5, -2.0]])
    scaling = Scaling.identity("ab")
    assert scaling.is_identity
    np.testing.assert_array_equal(scaling.apply(x), x)


def test_wrong_shape_names_the_columns():
    with pytest.raises(ValueError, match=r"shape \(N, 2\) with the columns a, b, got shape \(3,\)"):
        Scaling.identity("ab").apply(np.zeros(3))


def test_saved_to_the_last_bit(tmp_path):
    x = np.random.default_rng(2).normal(size=(9, 3))
    saved = RegressionScaling(Scaling.standard("ab", x[:, :2]), Scaling.standard("y", x[:, 2:]))
    saved.save(tmp_path / "scaling.json")
    loaded = RegressionScaling.load(tmp_path / "scaling.json")
    for one, other in [(saved.inputs, loaded.inputs), (saved.target, loaded.target)]:
        assert one.names == other.names
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_array_equal(one.scale, other.scale)
