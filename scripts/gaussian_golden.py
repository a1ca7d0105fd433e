"""Golden values of Gaussian expectations of pairs of activations, by mpmath.

    python scripts/gaussian_golden.py FILE [--rows 500]

One line a pair: f, g, r1, b1, r2, b2, u, then with z1 = b1 + r1 xi, z2 = b2 + r2 (u xi + s eta),
s = sqrt(1 - u^2) the sixteen expectations of f(z1) g(z2); f'(z1) g(z2) times 1, xi, eta; and
f''(z1) g(z2), then f'(z1) g'(z2), each times 1, xi, eta, xi^2 - 1, xi eta, eta^2 - 1. Jumps of f'
count as point masses in f''. Nothing here is shared with the engine: nested Gauss-Legendre rules of
18 nodes on panels graded towards 0 of either argument, in 30 digits (their error is below 1e-16). Rows are functions of their
number, so that any few of them can be made again; lines that FILE has already are kept.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from pathlib import Path

import mpmath
from mpmath import mp, mpf

mp.dps = 30

ONE, ZERO = mpf(1), mpf(0)
REACH, WIDEST = mpf(10), mpf("3.4")
EDGES = [mpf(e) for e in ("0.5", "1.5", "3", "5.5", "9", "16", "40")]
SMOOTHED = [mpf(c) for c in ("1.2", "2.4", "3.6", "5", "7", "10")]
SELU = mpf("1.05070098"), mpf("1.05070098") * mpf("1.67326324")
COEFFICIENTS = (mpf("0.5"), mpf("-0.25"), mpf("0.125"), mpf("0.0625"))


def _legendre(n):
    pairs = []
    for k in range(1, n + 1):
        x = mpmath.cos(mp.pi * (4 * k - 1) / (4 * n + 2))
        for _ in range(8):  # Newton's method; it doubles the digits
            before, p = ZERO, ONE
            for j in range(1, n + 1):
                before, p = p, ((2 * j - 1) * x * p - (j - 1) * before) / j
            slope = n * (x * p - before) / (x * x - 1)
            x -= p / slope
        pairs.append((x, 2 / ((1 - x * x) * slope**2)))
    return pairs


NODES = _legendre(18)


def density(x):
    """The standard normal density."""
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mp.pi)


def cdf(x):
    """The standard normal distribution function."""
    return mpmath.erfc(-x / mpmath.sqrt(mpf(2))) / 2


def _logistic(z):
    if z >= 0:
        e = mpmath.exp(-z)
        s = 1 / (1 + e)
        return s, e * s * s, -e * (1 - e) * s**3, z + mpmath.log1p(e)
    e = mpmath.exp(z)
    s = 1 / (1 + e)
    return e * s, e * s * s, e * (1 - e) * s**3, mpmath.log1p(e)


def sigmoid(z):
    return _logistic(z)[:3]


def softplus(z):
    s, s1, _, value = _logistic(z)
    return value, s, s1


def silu(z):
    s, s1, s2, _ = _logistic(z)
    return z * s, s + z * s1, 2 * s1 + z * s2


def tanh(z):
    s, s1, s2, _ = _logistic(2 * z)
    return 2 * s - 1, 4 * s1, 8 * s2


def g(z):
    s, s1, s2, _ = _logistic(4 * z)
    p, p1, p2 = softplus(z)
    return s + p, 4 * s1 + p1, 16 * s2 + p2


def gelu(z):
    c, d = cdf(z), density(z)
    return z * c, c + z * d, (2 - z * z) * d


def normal_cdf(z):
    d = density(z)
    return cdf(z), d, -z * d


def sigmoid2(z):
    d = 2 * density(z)
    return mpmath.erf(z / mpmath.sqrt(mpf(2))), d, -z * d


def selu(z):
    if z > 0:
        return SELU[0] * z, SELU[0], ZERO
    e = SELU[1] * mpmath.exp(z)
    return e - SELU[1], e, e


def poly(z):
    a, b, c, d = COEFFICIENTS
    return a + z * (b + z * (c + z * d)), b + z * (2 * c + 3 * d * z), 2 * c + 6 * d * z


def exp(z):
    e = mpmath.exp(z)
    return e, e, e


FUNCTIONS = {
    "identity": lambda z: (z, ONE, ZERO),
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": lambda z: (z, ONE, ZERO) if z > 0 else (ZERO, ZERO, ZERO),
    "softplus": softplus,
    "gelu": gelu,
    "silu": silu,
    "selu": selu,
    "square": lambda z: (z * z / 2, z, ONE),
    "cube": lambda z: (z**3, 3 * z * z, 6 * z),
    "exp": exp,
    "g": g,
    "sigmoid2": sigmoid2,
    "normal_cdf": normal_cdf,
    "poly": poly,
}
JUMPS = {"relu": ONE, "selu": SELU[0] - SELU[1]}
POLYNOMIALS = ("identity", "square", "cube", "poly", "exp")  # nowhere steep


def panels(places, reach, smoothed=()):
    """Nodes and Gaussian weights on panels graded towards the zeros of the (mean, slope) pairs.

    ``smoothed`` are places (centre, width) of kinks that an inner integral has smoothed.
    """
    cuts = {-reach, reach}
    for centre, width in smoothed:
        cuts |= {x for c in SMOOTHED for x in (centre - c * width, centre + c * width)}
        cuts = {x for x in cuts if abs(x) <= reach}
    for mean, slope in places:
        if slope == 0:
            continue
        for z in [ZERO, *EDGES, *(-e for e in EDGES)]:
            x = (z - mean) / slope
            if abs(x) < reach:
                cuts.add(x)
    ordered = sorted(cuts)
    for left, right in itertools.pairwise(ordered):
        count = int(mpmath.ceil((right - left) / WIDEST))
        half = (right - left) / (2 * count)
        for k in range(count):
            centre = left + (2 * k + 1) * half
            for node, weight in NODES:
                x = centre + half * node
                yield x, half * weight * density(x)


def inner(name, mean, slope, reach):
    """E[g], E[g eta], E[g (eta^2 - 1)] and the same of g' for g(mean + slope eta)."""
    function = FUNCTIONS[name]
    if slope == 0:
        value, d1, _ = function(mean)
        return [value, ZERO, ZERO, d1, ZERO, ZERO]
    steep = [] if name in POLYNOMIALS else [(mean, slope)]
    sums = [ZERO] * 6
    for x, w in panels(steep, reach):
        value, d1, _ = function(mean + slope * x)
        he2 = x * x - 1
        a, b = w * value, w * d1
        for i, term in enumerate((a, a * x, a * he2, b, b * x, b * he2)):
            sums[i] += term
    return sums


def expectations(f, g_name, r1, b1, r2, b2, u):
    """The sixteen expectations."""
    r1, b1, r2, b2, u = map(mpf, (r1, b1, r2, b2, u))
    s = mpmath.sqrt((1 - u) * (1 + u))
    reach = REACH + (r1 if f == "exp" else 0) + (r2 if g_name == "exp" else 0)
    places = [(b1, r1)] if f not in POLYNOMIALS else []
    places += [(b2, r2 * u)] if g_name not in POLYNOMIALS else []
    smoothed = [(-b2 / (r2 * u), abs(s / u))] if g_name in JUMPS and u != 0 and s != 0 else []
    totals = [ZERO] * 16

    def add(start, weight, x, q, count):
        terms = (q[0], x * q[0], q[1], (x * x - 1) * q[0], x * q[1], q[2])
        for i in range(count):
            totals[start + i] += weight * terms[i]

    for x, w in panels(places, reach, smoothed):
        value, d1, d2 = FUNCTIONS[f](b1 + r1 * x)
        q = inner(g_name, b2 + r2 * u * x, r2 * s, reach)
        add(0, w * value, x, q, 1)
        add(1, w * d1, x, q, 3)
        add(4, w * d2, x, q, 6)
        add(10, w * d1, x, q[3:], 6)
    if f in JUMPS:
        x = -b1 / r1
        q = inner(g_name, b2 + r2 * u * x, r2 * s, reach)
        add(4, JUMPS[f] * density(x) / r1, x, q, 6)
    return [float(t) for t in totals]


def row(number):
    """The pair of a number: names, and r1, b1, r2, b2, u as floats."""
    rng = random.Random(number)

    def neuron():
        name = rng.choice(list(FUNCTIONS))
        r = rng.choice([1e-3, 1.0, 10.0, 100.0, 10 ** rng.uniform(-1, 1)])
        if name == "exp":
            r = min(r, 2.0)
        return name, r, rng.choice([0.0, rng.gauss(0, 1), 3 * rng.gauss(0, 1)])

    (f, r1, b1), (h, r2, b2) = neuron(), neuron()
    near = 1 - 1e-8
    u = rng.choice([0.0, 0.5, -0.5, near, -near, 1.0, -1.0, rng.uniform(-1, 1)])
    return f, h, r1, b1, r2, b2, u


def line(number):
    """One line of the file."""
    pair = row(number)
    return "\t".join([*pair[:2], *(repr(v) for v in (*pair[2:], *expectations(*pair)))])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=500)
    arguments = parser.parse_args()
    old = arguments.file.read_text().splitlines() if arguments.file.exists() else []
    kept = {tuple(text.split("\t")[:7]): text for text in old}
    with arguments.file.open("w") as file:
        for number in range(arguments.rows):
            key = tuple(str(v) for v in row(number))
            print(kept.get(key) or line(number), file=file, flush=True)
            print(f"\r{number + 1}", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
