"""Fits the polynomials of julia/math/coefficients.jl and prints that file:

    .venv/bin/python scripts/fit_elementary.py > julia/math/coefficients.jl

Best uniform approximations by Remez' exchange algorithm in 50 digits, for the relative
error of the function that the polynomial ends up in. Nothing runs this at set-up or in the tests:
the coefficients are part of the source.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 50


def exp_tail(r):
    """(exp(r) - 1 - r) / r^2, by its series: the closed form cancels near 0."""
    return sum(r**k / mp.factorial(k + 2) for k in range(40))


def log_tail(z):
    """(2 atanh(s) - 2 s) / (s z) with z = s^2."""
    return sum(2 * z**k / (2 * k + 3) for k in range(60))


def erf_ratio(z):
    """erf(x) / x - 1 with z = x^2: the 1 is exact, so that x + x p(x^2) is rounded once."""
    x = mp.sqrt(z)
    return (mp.erf(x) / x if z > 0 else 2 / mp.sqrt(mp.pi)) - 1


def erf_half_ratio(z):
    """erf(x / sqrt 2) / x - 1 with z = x^2."""
    return (erf_ratio(z / 2) + 1) / mp.sqrt(2) - 1


def mills_shape(t):
    """(u + 1.25) exp(u^2/2) Phi(-u) - 1/2 at t = (u - 5)/(u + 5): nearly flat from u = 0 to infinity."""
    u = 5 * (1 + t) / (1 - t)
    return (u + mp.mpf("1.25")) * mp.exp(u * u / 2) * mp.erfc(u / mp.sqrt(2)) / 2 - 0.5


def erfc_shape(t):
    """(x + 0.875) exp(x^2) erfc(x) - 3/4 at t = (x - 3.5)/(x + 3.5)."""
    x = mp.mpf("3.5") * (1 + t) / (1 - t)
    return (x + mp.mpf("0.875")) * mp.exp(x * x) * mp.erfc(x) - 0.75


def remez(f, weight, a, b, degree, rounds=8):
    """Coefficients of the polynomial with the least max |weight (f - p)| on [a, b]; the maximum."""
    n = degree + 2
    nodes = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * i / (n - 1)) for i in range(n)]
    grid = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * i / (24 * n)) for i in range(24 * n + 1)]
    values, weights = [f(x) for x in grid], [weight(x) for x in grid]
    for _ in range(rounds):
        system = mp.matrix(n, n)
        for i, x in enumerate(nodes):
            for j in range(degree + 1):
                system[i, j] = x**j
            system[i, n - 1] = (-1) ** i / max(weight(x), mp.mpf(10) ** -30)
        solution = mp.lu_solve(system, mp.matrix([f(x) for x in nodes]))
        p = [solution[j] for j in range(degree + 1)]
        errors = [
            w * (v - mp.polyval(p[::-1], x)) for x, v, w in zip(grid, values, weights, strict=True)
        ]
        nodes = extremes(grid, errors, n)
    return p, max(abs(e) for e in errors)


def extremes(grid, errors, n):
    """Where the error is largest in every run of one sign, for the n neighbouring largest runs."""
    peaks = []
    for i, e in enumerate(errors):
        if peaks and (e > 0) == (errors[peaks[-1]] > 0):
            if abs(e) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > n:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    if len(peaks) < n:
        raise RuntimeError(f"expected {n} alternations, found {len(peaks)}")
    return [grid[i] for i in peaks]


def wrapped(numbers, indent, width=118):
    lines, line = [], indent
    for number in numbers:
        if len(line) + len(number) + 2 > width:
            lines.append(line.rstrip())
            line = indent
        line += number + ", "
    return "\n".join([*lines, line.rstrip(", ")])


def literal(c, kind):
    if kind == "Float64":
        return repr(float(c))
    text = str(np.float32(float(c)))
    return text.replace("e", "f") if "e" in text else text + "f0"


def show(name, comment, f, weight, intervals, degrees):
    """Print `name(::Type{T})` with its coefficients for both types."""
    print(f"\n# {comment}")
    for kind, degree in degrees.items():
        a, b = intervals[kind]
        p, error = remez(f, weight, mp.mpf(a), mp.mpf(b), degree)
        print(f"# {kind}: error {mp.nstr(error, 2)}")
        coefficients = wrapped([literal(c, kind) for c in p], "    ")
        print(f"@inline {name}(::Type{{{kind}}}) = (\n{coefficients})")


def shape_interval(centre, end64, end32):
    """From argument 0 to the two ends in the variable (u - centre)/(u + centre)."""
    return {
        "Float64": (-1, (end64 - centre) / (end64 + centre)),
        "Float32": (-1, (end32 - centre) / (end32 + centre)),
    }


def both(a, b):
    return {"Float64": (a, b), "Float32": (a, b)}


def main():
    print(
        "# Coefficients, lowest power first, printed by scripts/fit_elementary.py:"
        " best uniform approximations."
    )
    # Weights that vanish at 0 would spoil the alternation there: small constants keep them away.
    show(
        "exp_tail_coefficients",
        "(exp(r) - 1 - r)/r^2 for |r| <= ln(2)/2, to 0.41 in Float32 (the Gaussian needs it).",
        exp_tail,
        lambda r: r * r + mp.mpf("0.02"),
        {"Float64": ("-0.34663", "0.34663"), "Float32": ("-0.41", "0.41")},
        {"Float64": 9, "Float32": 5},
    )
    show(
        "log_tail_coefficients",
        "(2 atanh(s) - 2s)/s^3 in z = s^2 for |s| <= 1/3, error relative to atanh.",
        log_tail,
        lambda z: z / 2 + mp.mpf("0.01"),
        both(0, mp.mpf(1) / 9),
        {"Float64": 9, "Float32": 3},
    )
    show(
        "erf_coefficients",
        "erf(x)/x - 1 in z = x^2 for |x| <= 0.7, error relative to erf.",
        erf_ratio,
        lambda z: 1 / (1 + erf_ratio(z)),
        both(0, "0.5"),
        {"Float64": 9, "Float32": 4},
    )
    show(
        "erf_half_coefficients",
        "erf(x/sqrt 2)/x - 1 in z = x^2 for |x| <= 1, error relative to erf.",
        erf_half_ratio,
        lambda z: 1 / (1 + erf_half_ratio(z)),
        both(0, 1),
        {"Float64": 10, "Float32": 5},
    )
    show(
        "mills_coefficients",
        "(u + 1.25) exp(u^2/2) Phi(-u) - 1/2 in t = (u - 5)/(u + 5) for 0 <= u <= 39 (Float32: 15).",
        mills_shape,
        lambda t: mp.mpf(2),
        shape_interval(mp.mpf(5), 39, 15),
        {"Float64": 22, "Float32": 10},
    )
    show(
        "erfc_coefficients",
        "(x + 0.875) exp(x^2) erfc(x) - 3/4 in t = (x - 3.5)/(x + 3.5) for 0 <= x <= 27.5"
        " (Float32: 10.5).",
        erfc_shape,
        lambda t: mp.mpf(4) / 3,
        shape_interval(mp.mpf("3.5"), mp.mpf("27.5"), mp.mpf("10.5")),
        {"Float64": 22, "Float32": 10},
    )


if __name__ == "__main__":
    main()
