"""Distances between trajectories against a plain loop."""

import numpy as np
import pytest

import mlpflow as mf


def made(points):
    """A trajectory through the rows of ``points``."""
    points = np.asarray(points)
    return mf.Trajectory(t=np.arange(0.5, len(points)), params=points, loss=np.zeros(len(points)))


def plain(a, b):
    """The rule, word by word."""
    distances, indices, j = [], [], 0
    for point in a:
        to_point = ((b - point) ** 2).sum(axis=1) / (2 * b.shape[1])
        while j + 1 < len(b) and to_point[j + 1] <= to_point[j]:
            j += 1
        distances.append(to_point[j])
        indices.append(j)
    return np.array(distances), np.array(indices)


@pytest.mark.parametrize("lengths", [(30, 40), (30, 1), (1, 30), (1, 1), (200, 7)])
@pytest.mark.parametrize("nparams", [1, 4])
def test_random_walks(rng, lengths, nparams):
    a, b = ((rng.standard_normal((n, nparams)) + 1).cumsum(axis=0) for n in lengths)
    found = mf.trajectory_distance(made(a), made(b))
    distances, indices = plain(a, b)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.times, indices + 0.5)
    assert len(found) == lengths[0]


@pytest.fixture(scope="module")
def flows():
    """One flow at full and one at half speed."""
    x = np.random.default_rng(0).standard_normal((30, 2))
    net = mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(x.sum(axis=1)))
    p = mf.random_params(net, rng=1)

    def flow(**keywords):
        return mf.train(net, p, maxiterations_optim=0, abstol=1e-9, reltol=1e-9, **keywords)

    fast = flow(maxT=10, n_samples_trajectory=2000)
    return fast, flow(maxT=20, tauinv=0.5, n_samples_trajectory=20)


def test_results_and_their_parts(flows):
    fast, slow = flows
    found = mf.trajectory_distance(slow, fast)
    points, reference = slow.trajectory.params, fast.trajectory.params
    distances, indices = plain(points, reference)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12, atol=1e-30)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.times, fast.trajectory.t[indices])
    for other in (
        mf.trajectory_distance(slow.flow, fast.trajectory),
        mf.trajectory_distance(slow.trajectory, fast.flow),
    ):
        np.testing.assert_array_equal(other.distances, found.distances)
    # The same way at half the speed: the match is one of the two samples around half the time.
    steps = np.diff(fast.trajectory.t).max()
    np.testing.assert_allclose(found.times, slow.trajectory.t / 2, atol=steps)
    assert (
        found.distances.max()
        < 1e-4
        < mf.trajectory_distance(made(points + 0.1), made(reference)).distances.min()
    )
    assert "20 points" in repr(found)


def test_a_flow_and_itself(flows):
    found = mf.trajectory_distance(flows[0], flows[0])
    assert not found.distances.any()
    np.testing.assert_array_equal(found.indices, np.arange(len(flows[0].trajectory)))
    np.testing.assert_array_equal(found.times, flows[0].trajectory.t)


def test_a_run_without_a_flow(small_net, small_params):
    result = mf.train(small_net, small_params, maxiterations_ode=0, maxiterations_optim=1)
    found = mf.trajectory_distance(result, made(small_params.flat[None] + 2))
    np.testing.assert_allclose(found.distances, [2.0])


BAD = {
    "no trajectory": (
        np.ones((2, 3)),
        TypeError,
        r"^a: expected a mlpflow.TrainResult.*shape \(2, 3\)",
    ),
    "other parameters": (
        made(np.ones((2, 4))),
        ValueError,
        "same number of parameters, got 4 and 3",
    ),
    "no points": (
        made(np.ones((0, 3))),
        ValueError,
        r"^a: expected a trajectory of at least one point",
    ),
    "NaN": (made([[1.0, np.nan, 1.0]]), ValueError, "^a: expected finite numbers, got nan"),
    "one time too many": (
        mf.Trajectory(t=np.zeros(2), params=np.ones((1, 3)), loss=np.zeros(1)),
        ValueError,
        r"got \(2,\) and \(1, 3\)",
    ),
}


@pytest.mark.parametrize(("a", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(a, error, message):
    with pytest.raises(error, match=message):
        mf.trajectory_distance(a, made(np.ones((2, 3))))
