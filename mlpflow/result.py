"""What `train` returns."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .net import LossNetwork
from .params import Params
from .status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FlowResult", "OptimResult", "TrainResult", "Trajectory"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Samples of a gradient flow, the start first and the flow's end last.

    Attributes
    ----------
    t : ndarray of shape (T,)
    params : ndarray of shape (T, P)
        Flat parameters, one row a time.
    loss : ndarray of shape (T,)
    """

    t: np.ndarray
    params: np.ndarray
    loss: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        return f"Trajectory of {len(self)} samples from t = {self.t[0]:g} to t = {self.t[-1]:g}"


@dataclass(frozen=True, eq=False)
class FlowResult:
    """The part of a run before the optimizer: the gradient flow, or a discrete dynamics.

    Attributes
    ----------
    status : Status
    t, params, loss, gnorm
        The flow's end. The time of a discrete dynamics is the sum of its learning rates.
    best_params, best_loss
        The lowest loss among its steps, where the optimizer started.
    growth : Params or None
        The direction, of length 1, in which the parameters run away to infinity, if they do.
    trajectory : Trajectory
    iterations, accepted, rejected : int
        Steps.
    gradient_evaluations, hessian_evaluations, product_evaluations, factorizations : int
        A product is one of the Hessian with a vector.
    algorithm : str
        The integrator of the last step, or the rule.
    handovers : tuple of (float, str)
        Time and integrator of every stretch: ``alg="auto"`` changes it on the way.
    time : float
        Seconds.
    """

    status: Status
    t: float
    params: Params
    loss: float
    gnorm: float
    best_params: Params
    best_loss: float
    growth: Params | None
    trajectory: Trajectory
    iterations: int
    accepted: int
    rejected: int
    gradient_evaluations: int
    hessian_evaluations: int
    product_evaluations: int
    factorizations: int
    algorithm: str
    handovers: tuple[tuple[float, str], ...]
    time: float

    @property
    def message(self) -> str:
        """The status in a sentence, with what grew when the parameters ran away."""
        if self.growth is None:
            return self.status.message
        return f"{self.status.message} The parameters grow: {_largest_entries(self.growth)}."

    def __repr__(self) -> str:
        return (
            f"FlowResult({self.status}: t = {self.t:.6g}, loss {self.loss:.6g}, gradient "
            f"{self.gnorm:.2e}, {self.iterations} steps of {self.algorithm} in {self.time:.3g} s)"
        )


@dataclass(frozen=True, eq=False)
class OptimResult:
    """The optimizer's part of a run.

    Attributes
    ----------
    status : Status
    converged : bool
    params, loss, gnorm
        Where it ended.
    iterations : int
    gradient_evaluations, hessian_evaluations, product_evaluations, factorizations : int
        Gauss-Newton matrices count as Hessians; a product is one of the Hessian with a vector, or
        an acceleration along a step.
    iteration_curve, loss_curve, gnorm_curve : ndarray of shape (K,)
        Loss and gradient norm at the iterations ``iteration_curve``.
    algorithm : str
        The optimizer, also where ``optim_solver="auto"`` chose it.
    handovers : tuple of (int, str)
        Iteration and method of every stretch: methods for least squares hand over to Newton's.
    time : float
        Seconds.
    """

    status: Status
    converged: bool
    params: Params
    loss: float
    gnorm: float
    iterations: int
    gradient_evaluations: int
    hessian_evaluations: int
    product_evaluations: int
    factorizations: int
    iteration_curve: np.ndarray
    loss_curve: np.ndarray
    gnorm_curve: np.ndarray
    algorithm: str
    handovers: tuple[tuple[int, str], ...]
    time: float

    @property
    def message(self) -> str:
        """The status in a sentence."""
        return self.status.message

    def __repr__(self) -> str:
        return (
            f"OptimResult({self.status}: loss {self.loss:.6g}, gradient {self.gnorm:.2e}, "
            f"{self.iterations} iterations of {self.algorithm} in {self.time:.3g} s)"
        )


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What `train` found.

    The keys of the reference work too: ``result["x"]``, ``result["ode_loss"]``, ...

    Attributes
    ----------
    params : Params
        The point found.
    loss, gnorm : float
        Loss and infinity norm of its gradient there, penalties included.
    init : Params
        Where the run started.
    converged : bool
        The tolerance on the gradient norm or the loss was met, and only then.
    status : Status
        Why the run ended; ``.message`` says it in a sentence.
    flow : FlowResult or None
        The gradient flow, None when it had no budget.
    optim : OptimResult or None
        The optimizer, None when it did not run.
    total_time : float
        Seconds.
    data_gnorm : float
        Infinity norm of the gradient without the penalties.
    options : dict
        The keywords of the run.
    net : Net or InfiniteNet
        What was trained.
    warnings : tuple of str
        What went wrong on the way without ending the run.
    integration_error : float or None
        For a net made by `gauss_hermite_net`: how far the loss of the data is from the expectation.
    """

    params: Params
    loss: float
    gnorm: float
    init: Params
    converged: bool
    status: Status
    flow: FlowResult | None
    optim: OptimResult | None
    total_time: float
    data_gnorm: float
    options: dict[str, Any]
    net: LossNetwork
    warnings: tuple[str, ...] = ()
    integration_error: float | None = None

    @property
    def message(self) -> str:
        """The status in a sentence, with what to try."""
        if self.optim is None and self.flow is not None:
            return self.flow.message
        return self.status.message

    @property
    def trajectory(self) -> Trajectory:
        """The flow's samples; only the start when the flow had no budget."""
        if self.flow is not None:
            return self.flow.trajectory
        return Trajectory(np.zeros(1), self.init.flat[None, :].copy(), np.full(1, np.nan))

    @property
    def loss_curve(self) -> np.ndarray:
        """The optimizer's losses; empty when it did not run."""
        return self.optim.loss_curve if self.optim is not None else np.empty(0)

    def __getitem__(self, key: str) -> Any:
        from .reference_keys import look_up

        return look_up(self, key)

    def keys(self) -> list[str]:
        """The reference keys."""
        from .reference_keys import KEYS

        return list(KEYS)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def save(self, path: str | Path) -> None:
        """Write everything into one file; `mlpflow.load` reads it back exactly.

        Parameters
        ----------
        path : path
            Written atomically; an existing file is replaced.
        """
        from .storage import save

        save(path, self)

    def plot(self, axes: Sequence[Axes] | None = None) -> list[Axes]:
        """Draw the loss over the flow's time and the optimizer's iterations (needs matplotlib).

        Parameters
        ----------
        axes : sequence of Axes, optional
            One for the flow, two for the optimizer (loss and gradient norm), as far as they ran; a
            new figure otherwise.
        """
        from .plot import plot_loss

        flow = optim = gnorm = None
        if self.flow is not None:
            flow = (self.trajectory.t, self.trajectory.loss)
        if self.optim is not None:
            iterations = self.optim.iteration_curve
            optim, gnorm = (iterations, self.optim.loss_curve), (iterations, self.optim.gnorm_curve)
        return plot_loss(flow, optim, gnorm, axes=axes)

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("status", f"{self.status}: {self.message}"),
            ("converged", str(self.converged)),
            ("loss", f"{self.loss:.10g}"),
            ("gradient norm", f"{self.gnorm:.3e}"),
        ]
        if self.integration_error is not None:
            rows.insert(3, ("off by about", f"{self.integration_error:.2g} (integration error)"))
        if self.flow is not None:
            flow = self.flow
            rows.append(
                (
                    "flow",
                    f"{flow.algorithm}, t = {flow.t:.6g}, {flow.iterations} steps, "
                    f"loss {flow.loss:.6g}, {flow.time:.3g} s",
                )
            )
        if self.optim is not None:
            optim = self.optim
            rows.append(
                (
                    "optimizer",
                    f"{optim.algorithm}, {optim.iterations} iterations, {optim.time:.3g} s",
                )
            )
        rows.append(("network", repr(self.net).removeprefix("Net: ")))
        return rows

    def __repr__(self) -> str:
        lines = [f"  {name:<14}{text}" for name, text in self._rows()]
        return "\n".join(["TrainResult", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._rows()
        )
        return f"<table><caption>TrainResult</caption>{rows}</table>"


# More would not fit into a sentence.
_NAMED_ENTRIES = 4


def _largest_entries(direction: Params) -> str:
    largest = np.argsort(-np.abs(direction.flat), kind="stable")[:_NAMED_ENTRIES]
    return ", ".join(f"{direction.entry_name(int(i))} ({direction.flat[i]:+.2g})" for i in largest)


def result_from_engine(
    reply: dict[str, Any], net: LossNetwork, options: dict[str, Any]
) -> TrainResult:
    """A result from the engine's plain dictionary."""
    return TrainResult(
        params=net._params(reply["x"]),
        loss=reply["loss"],
        gnorm=reply["gnorm"],
        init=net._params(reply["init"]),
        converged=reply["converged"],
        status=Status(reply["status"]),
        flow=_flow(reply["flow"], net),
        optim=_optim(reply["optim"], net),
        total_time=reply["total_time"],
        data_gnorm=reply["data_gnorm"],
        options=options,
        net=net,
        warnings=tuple(reply["warnings"]),
    )


def _flow(reply: dict[str, Any] | None, net: LossNetwork) -> FlowResult | None:
    if reply is None:
        return None
    fields = dict(reply)
    fields["params"] = net._params(fields.pop("x"))
    fields["best_params"] = net._params(fields.pop("best_x"))
    fields["status"] = Status(fields["status"])
    fields["trajectory"] = Trajectory(**fields["trajectory"])
    fields["handovers"] = tuple((t, name) for t, name in fields["handovers"])
    growth = fields["growth"]
    fields["growth"] = None if growth is None else net._params(growth)
    return FlowResult(**fields)


def _optim(reply: dict[str, Any] | None, net: LossNetwork) -> OptimResult | None:
    if reply is None:
        return None
    fields = dict(reply)
    fields["params"] = net._params(fields.pop("x"))
    fields["status"] = Status(fields["status"])
    fields["handovers"] = tuple((iteration, name) for iteration, name in fields["handovers"])
    return OptimResult(**fields)
