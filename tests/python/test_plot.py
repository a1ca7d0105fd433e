"""Pictures from plain arrays."""

import matplotlib as mpl
import numpy as np
import pytest

from mlpflow.plot import plot_loss, plot_spectrum

mpl.use("Agg")
T = np.array([0, 0.1, 1, 10, 100])
LOSS = np.array([2.0, 1.5, 0.9, 0.3, 0.12])


@pytest.fixture
def pyplot():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_loss_has_a_panel_a_curve_with_labels_and_log_axes(pyplot):
    axes = plot_loss((T, LOSS), (np.arange(5), LOSS), (np.arange(5), LOSS**9), title="run")
    iteration = "iteration of the optimizer"
    assert [ax.get_xlabel() for ax in axes] == ["flow time $t$", iteration, iteration]
    assert all(ax.get_ylabel() for ax in axes)
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in axes)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    np.testing.assert_array_equal(axes[0].lines[0].get_xdata(), T[1:])
    assert axes[0].texts[0].get_text() == "start"
    axes[0].figure.canvas.draw()


def test_loss_draws_on_given_axes_and_leaves_out_what_is_missing(pyplot):
    _, ax = pyplot.subplots()
    assert plot_loss(None, (T, LOSS), axes=[ax]) == [ax]
    assert plot_loss((T, LOSS), None, ([], []))[0].get_xlabel() == "flow time $t$"
    with pytest.raises(ValueError, match="expected 2 axes"):
        plot_loss((T, LOSS), (T, LOSS), axes=[ax])
    with pytest.raises(ValueError, match="at least one curve"):
        plot_loss(None, None)
    with pytest.raises(ValueError, match="two arrays of one length"):
        plot_loss((T, LOSS[1:]), None)


def test_spectrum_tells_signs_and_rounding_apart(pyplot):
    ax = plot_spectrum([3.0, -0.5, 1e-17, 0.0, 2.0])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["positive: 2", "negative: 1", "zero to rounding: 2", "rounding level"]
    assert ax.get_xlabel() and ax.get_ylabel()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("values", [[1.0], [0.0], [-2.0, 1.0], np.logspace(-20, 3, 40)])
def test_spectra_that_are_easy_to_get_wrong(pyplot, values):
    plot_spectrum(values).figure.canvas.draw()


def test_empty_spectrum():
    with pytest.raises(ValueError, match="at least one eigenvalue"):
        plot_spectrum([])
