"""Comparing trajectories of gradient flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import as_floats, check_finite, shape_text, shown
from .engine.selection import current_engine
from .result import FlowResult, TrainResult, Trajectory

__all__ = ["TrajectoryDistance", "trajectory_distance"]


@dataclass(frozen=True, eq=False)
class TrajectoryDistance:
    """What `trajectory_distance` found, one entry for each point of its first argument.

    Attributes
    ----------
    distances : ndarray of shape (T,)
        |a_i - b_j|^2 / (2P) from the matched point.
    times : ndarray of shape (T,)
        When the second trajectory passes the matched point.
    indices : ndarray of shape (T,)
        Which of its points that is, from 0.
    """

    distances: np.ndarray
    times: np.ndarray
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.distances)

    def __repr__(self) -> str:
        return (
            f"TrajectoryDistance of {len(self)} points, between {self.distances.min():.3g} and "
            f"{self.distances.max():.3g}"
        )


def trajectory_distance(
    a: TrainResult | FlowResult | Trajectory, b: TrainResult | FlowResult | Trajectory
) -> TrajectoryDistance:
    """How far one trajectory is from another as a curve, whatever the times.

    Every point of ``a`` is matched with a point of ``b``, forward along ``b``: the search for the
    match of the first point starts at the start of ``b``, that for the next one at the last match,
    and it advances while the next point of ``b`` is at least as near as the present one. Points
    that would be nearer still, behind a rise of the distance, are not looked for. So a trajectory
    is at distance 0 from itself and, where no two points in a row are equal, matched with itself.

    Parameters
    ----------
    a : TrainResult, FlowResult or Trajectory
    b : TrainResult, FlowResult or Trajectory
        The reference: sample it densely (``n_samples_trajectory``), because the distance is one
        between points.

    Returns
    -------
    TrajectoryDistance
        ``.distances`` (the squared norm of the difference over twice the number of parameters),
        ``.times`` and ``.indices`` of the matched points in ``b``.

    Raises
    ------
    TypeError
        For anything that is no trajectory.
    ValueError
        When the numbers of parameters differ, or a trajectory has no points or numbers that are
        not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import mlpflow as mf
    >>> line = np.linspace(0, 1, 5)[:, None]
    >>> b = mf.Trajectory(t=np.arange(5.0), params=line, loss=np.zeros(5))
    >>> a = mf.Trajectory(t=np.array([0.0, 9.0]), params=line[[0, 3]] + 0.1, loss=np.zeros(2))
    >>> mf.trajectory_distance(a, b).indices
    array([0, 3])
    """
    times, points = {}, {}
    for name, value in (("a", a), ("b", b)):
        times[name], points[name] = _times_and_points(value, name)
    if points["a"].shape[1] != points["b"].shape[1]:
        raise ValueError(
            "trajectory_distance: expected trajectories of the same number of parameters, got "
            f"{points['a'].shape[1]} and {points['b'].shape[1]}"
        )
    reply = current_engine().call("trajectory_distance", points)
    indices = reply["indices"]
    return TrajectoryDistance(reply["distances"], times["b"][indices], indices)


def _times_and_points(value: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    trajectory = value.trajectory if isinstance(value, TrainResult | FlowResult) else value
    if not isinstance(trajectory, Trajectory):
        raise TypeError(
            f"{name}: expected a mlpflow.TrainResult, FlowResult or Trajectory, got {shown(value)}"
        )
    times, points = as_floats(trajectory.t, name), as_floats(trajectory.params, name)
    if points.ndim != 2 or not points.size or times.shape != points.shape[:1]:
        raise ValueError(
            f"{name}: expected a trajectory of at least one point, with times of shape (T,) and "
            f"parameters of shape (T, P), got {shape_text(times.shape)} and "
            f"{shape_text(points.shape)}"
        )
    check_finite(points, name)
    return times, points
