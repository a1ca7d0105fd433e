"""The elementary functions of the Julia engine against mpmath, in units in the last place.

The Julia tests compare a million points with MPFR. This is the second opinion: another library,
fewer points, and the binary files in between instead of a shared program.
"""

import subprocess
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from mlpflow.engine.discovery import find_julia

ROOT = Path(__file__).parents[2]
PROGRAM = """
using MLPFlow
folder, T = ARGS[1], ARGS[2] == "float64" ? Float64 : Float32
for name in ARGS[3:end]
    f = getfield(MLPFlow, Symbol(name))
    x = reinterpret(T, read(joinpath(folder, name * ".in")))
    write(joinpath(folder, name * ".out"), map(f, collect(x)))
end
"""

FUNCTIONS = {
    "vexp": mp.exp,
    "vexpm1": mp.expm1,
    "vlog": lambda x: mp.log(x) if x > 0 else None,
    "vlog1p": lambda x: mp.log1p(x) if x > -1 else None,
    "vtanh": mp.tanh,
    "vsigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "vsoftplus": lambda x: mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x)),
    "verf": mp.erf,
    "verfc": mp.erfc,
    "vnormal_cdf": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "vnormal_pdf": lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi),
    "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    "silu": lambda x: x / (1 + mp.exp(-x)),
    "sigmoid2": lambda x: mp.erf(x / mp.sqrt(2)),
}


def arguments(rng, dtype):
    """Everyday arguments, the tails where results are subnormal, tiny ones, and special ones."""
    wide = 1450 if dtype == np.float64 else 200
    x = np.concatenate(
        [
            3 * rng.standard_normal(120),
            80 * (rng.random(80) - 0.5),
            wide * (rng.random(80) - 0.5),
            10.0 ** (-30 * rng.random(40)) * rng.choice([-1, 1], 40),
        ]
    )
    return x.astype(dtype)


def ulp_error(y, exact, dtype):
    """|y - exact| in units in the last place of the exact value rounded to `dtype`."""
    limits = np.finfo(dtype)
    digits = limits.nmant + 1
    exponent = max(int(mp.frexp(exact)[1]), limits.minexp + 1) if exact else limits.minexp + 1
    return abs(mp.mpf(float(y)) - exact) / mp.ldexp(1, exponent - digits)


@pytest.fixture(scope="module", params=["float64", "float32"])
def results(request, tmp_path_factory):
    """For one precision: name -> (arguments, what the engine makes of them)."""
    folder, dtype = tmp_path_factory.mktemp(request.param), np.dtype(request.param)
    inputs = {}
    for i, name in enumerate(FUNCTIONS):
        inputs[name] = arguments(np.random.default_rng(i), dtype)
        inputs[name].tofile(folder / f"{name}.in")
    command = [find_julia().path, "--startup-file=no", f"--project={ROOT}", "-e", PROGRAM]
    subprocess.run([*command, str(folder), request.param, *FUNCTIONS], check=True, timeout=300)
    return {name: (x, np.fromfile(folder / f"{name}.out", dtype)) for name, x in inputs.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_two_units_in_the_last_place(results, name):
    x, y = results[name]
    assert len(x) == len(y)
    worst, at = 0, None
    largest = float(np.finfo(x.dtype).max)
    with mp.workprec(400):
        for a, b in zip(x, y, strict=True):
            exact = FUNCTIONS[name](mp.mpf(float(a)))
            if exact is None or abs(exact) > largest:
                continue
            error = ulp_error(b, exact, x.dtype)
            worst, at = max((worst, at), (error, float(a)), key=lambda pair: pair[0])
    assert worst <= 2, f"{name} is off by {mp.nstr(worst, 4)} ulp at {at!r}, allowed are 2"


def test_the_measure_of_errors():
    """One step of the grid is one ulp, among normal and among subnormal numbers."""
    for dtype in (np.float64, np.float32):
        for value in (1.5, 1e-3, 12345.0, float(np.finfo(dtype).smallest_subnormal) * 5):
            x = dtype(value)
            assert ulp_error(np.nextafter(x, dtype(np.inf)), mp.mpf(float(x)), dtype) == 1
