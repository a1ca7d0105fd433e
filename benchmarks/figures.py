"""The figures that the engine is held to, each with what was measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import mlpflow as mf

from . import one_thread
from .cases import Case, make_problem
from .comparison import Row
from .limits import Limits
from .peer_jax import JIT
from .peer_julia import JULIA, JuliaProcess
from .peer_mlpflow import PYTHON, make_net
from .peer_torch import EAGER
from .timing import Effort, PythonContender, Timing, measure

__all__ = ["Figure", "Threads", "figures", "measure_small_call", "measure_threads"]

# Microseconds of another Julia package for k = 10, 50, 100 and N = 10, its gradient without value.
REFERENCE = {10: 0.47, 50: 1.5, 100: 2.8}

ANY_CORE = "on any core"

SMALL = Case("small", 2, 100, ((10, "softplus", True), (1, "identity", True)), ())


@dataclass(frozen=True)
class Figure:
    """A requirement: what was asked, what was found and where it is worst."""

    name: str
    required: str
    measured: str
    where: str
    met: bool | None


@dataclass(frozen=True)
class Threads:
    """Times with one thread and with two."""

    case: Case
    quantity: str
    one: Timing
    two: Timing

    @property
    def factor(self) -> float:
        """How much faster two are."""
        return self.one.median / self.two.median


def figures(
    rows: Sequence[Row],
    limits: Limits,
    threads: Sequence[Threads],
    small_call: dict[str, Timing],
) -> list[Figure]:
    """Every requirement, in the order of the README."""
    gradients = [row for row in rows if row.quantity == "gradient"]
    hessians = [row for row in rows if row.quantity == "hessian"]
    tiny = [row for row in gradients if row.case.on_grid and row.case.samples == 10]
    narrow = [row for row in gradients if row.case.inputs < 64]
    usual = [row for row in narrow if row not in tiny]
    wide = [row for row in gradients if row.case.inputs >= 64]
    large = [row for row in hessians if row.case.nparams >= 200 and row.case.samples >= 1_000]
    strict = [row for row in large if row.case.on_grid]
    return [
        _least("gradient over PyTorch eager", 8, usual, lambda row: _over(row, row.seconds(EAGER))),
        _least(
            "gradient over PyTorch eager, N = 10",
            200,
            tiny,
            lambda row: _over(row, row.seconds(EAGER)),
        ),
        _reference(tiny),
        _least("gradient over jitted JAX", 8, narrow, lambda row: _over(row, row.seconds(JIT))),
        _from_python("gradient over PyTorch eager, called from Python", usual, EAGER),
        _from_python("gradient over jitted JAX, called from Python", narrow, JIT),
        _least("Hessian over the best peer", 30, hessians, lambda row: _over(row, row.best_peer)),
        _least(
            "Hessian over the best peer, k >= 50, N >= 1,000",
            100,
            strict,
            lambda row: _over(row, row.best_peer),
        ),
        _most(
            "Hessian, time over the dsyrk bound, P >= 200, N >= 1,000",
            1.6,
            large,
            lambda row: _over_bound(row, limits),
        ),
        _most(
            "hvp, time over one gradient",
            2.5,
            [row for row in rows if row.quantity == "hvp"],
            lambda row: _over_gradient(row, gradients),
        ),
        _least(
            "wide gradient over PyTorch eager", 1, wide, lambda row: _over(row, row.seconds(EAGER))
        ),
        *(
            Figure(
                f"two threads over one, {t.quantity}, {t.case.name}",
                "at least 1.7x",
                f"{t.factor:.2f}x",
                "",
                t.factor >= 1.7,
            )
            for t in threads
        ),
        _small_call(small_call),
    ]


def _over(row: Row, peer: float | None, name: str = JULIA) -> float | None:
    ours = row.seconds(name)
    return None if peer is None or ours is None else peer / ours


def _over_bound(row: Row, limits: Limits) -> float | None:
    ours, bound = row.seconds(JULIA), limits.seconds(row.case, row.quantity)
    return None if ours is None or bound is None else ours / bound[0]


def _over_gradient(row: Row, gradients: Iterable[Row]) -> float | None:
    ours = row.seconds(JULIA)
    one = next((r.seconds(JULIA) for r in gradients if r.case == row.case), None)
    return None if ours is None or one is None else ours / one


Factor = Callable[[Row], float | None]


def _least(name: str, required: float, rows: Sequence[Row], factor: Factor) -> Figure:
    return _worst(name, f"at least {required:g}x", rows, factor, min, lambda f: f >= required)


def _most(name: str, required: float, rows: Sequence[Row], factor: Factor) -> Figure:
    return _worst(name, f"at most {required:g}x", rows, factor, max, lambda f: f <= required)


def _worst(
    name: str,
    required: str,
    rows: Sequence[Row],
    factor: Factor,
    pick: Callable[..., float],
    fits: Callable[[float], bool],
) -> Figure:
    found = {row.case.name: value for row in rows if (value := factor(row)) is not None}
    if not found:
        return Figure(name, required, "not measured", "", None)
    worst = pick(found.values())
    place = next(case for case, value in found.items() if value == worst)
    met = sum(map(fits, found.values()))
    lacking = len(rows) - len(found)
    where = f"{place}; met at {met} of {len(found)} points"
    where += f", {lacking} without a measured peer" if lacking else ""
    return Figure(name, required, _factor(worst), where, met == len(found))


def _from_python(name: str, rows: Sequence[Row], peer: str) -> Figure:
    """For information: with the round trip, which alone takes as long as PyTorch's overhead."""

    def factor(row: Row) -> float | None:
        return _over(row, row.seconds(peer), PYTHON)

    found = _least(name, 8, rows, factor)
    return replace(found, required="(8x)", met=None)


def _factor(value: float) -> str:
    return f"{value:.0f}x" if value >= 20 else f"{value:.2g}x" if value >= 10 else f"{value:.2f}x"


def _reference(rows: Sequence[Row]) -> Figure:
    required = " / ".join(f"{us:g}" for us in REFERENCE.values())
    times = {row.case.layers[0][0]: row.seconds(JULIA) for row in rows}
    found = {k: 1e6 * s for k, s in times.items() if s is not None and k in REFERENCE}
    return Figure(
        "gradient, N = 10, microseconds for k = 10 / 50 / 100",
        f"below {required}",
        " / ".join(f"{found[k]:.2f}" if k in found else "-" for k in REFERENCE),
        "value included",
        all(us < REFERENCE[k] for k, us in found.items()) if found else None,
    )


def _small_call(timings: dict[str, Timing]) -> Figure:
    found = {name: 1e6 * timing.median for name, timing in timings.items()}
    return Figure(
        "mf.loss from Python, 10 neurons, N = 100, microseconds",
        "under 60",
        " / ".join(f"{us:.0f}" for us in found.values()),
        " / ".join(found),
        found[ANY_CORE] < 60,
    )


def measure_small_call(effort: Effort) -> dict[str, Timing]:
    """The round trip of one small call, with Python and Julia on one core and on any."""
    problem = make_problem(SMALL)
    net, p = make_net(problem), mf.Params.from_flat(SMALL.layers, SMALL.inputs, problem.p)
    call = PythonContender("call", lambda: mf.loss(net, p), lambda value: value)
    call.result()
    timings = {"both processes on one core": measure([call], effort)["call"]}
    worker = mf.engine_info()["pid"]
    one_core = os.sched_getaffinity(0)
    for pid in (0, worker):
        os.sched_setaffinity(pid, one_thread.ALL_CORES)
    try:
        timings[ANY_CORE] = measure([call], effort)["call"]
    finally:
        for pid in (0, worker):
            os.sched_setaffinity(pid, one_core)
    return timings


def measure_threads(cases: Iterable[Case], effort: Effort) -> list[Threads]:
    """One thread and two, interleaved, both free to use every core."""
    found = []
    cores = one_thread.ALL_CORES
    with JuliaProcess(1, cores) as one, JuliaProcess(2, cores) as two:
        for case in cases:
            problem = make_problem(case)
            for quantity in ("gradient", "hessian"):
                pair = [*one.contenders(quantity, problem), *two.contenders(quantity, problem)]
                for contender in pair:
                    contender.result()
                timings = list(measure(pair, effort).values())
                found.append(Threads(case, quantity, *timings))
    return found
