"""Write julia/quadrature/sobol_numbers.jl: the direction numbers of Joe and Kuo, as SciPy ships them.

    python scripts/sobol_numbers.py > julia/quadrature/sobol_numbers.jl

A dimension after the first is a primitive polynomial over GF(2), written as an integer with its
leading and trailing bit, and the first direction numbers m_1, m_2, ..., as many as its degree.
Source: S. Joe and F. Y. Kuo, SIAM J. Sci. Comput. 30 (2008) 2635, file new-joe-kuo-6.21201.
"""

from pathlib import Path

import numpy as np
import scipy.stats

DIMENSIONS = 256
WIDTH = 130

HEAD = """\
# Written by scripts/sobol_numbers.py; not to be edited.
# One entry a dimension, from the second on: primitive polynomial (all its bits), then m_1, m_2, ...
# Source: S. Joe and F. Y. Kuo, SIAM J. Sci. Comput. 30 (2008) 2635, file new-joe-kuo-6.21201.
const SOBOL_NUMBERS = [
"""


def entries() -> list[str]:
    """One tuple a dimension, as Julia writes it."""
    table = Path(scipy.stats.__file__).with_name("_sobol_direction_numbers.npz")
    with np.load(table) as data:
        polynomials, initial = data["poly"], data["vinit"]
    found = []
    for polynomial, numbers in zip(polynomials[1:DIMENSIONS], initial[1:DIMENSIONS]):
        degree = int(polynomial).bit_length() - 1
        found.append(f"[{', '.join(map(str, [polynomial, *numbers[:degree]]))}],")
    return found


def main() -> None:
    """Fill lines up to the width."""
    lines, line = [], "   "
    for entry in entries():
        if len(line) + 1 + len(entry) > WIDTH:
            lines.append(line)
            line = "   "
        line += " " + entry
    print(HEAD + "\n".join([*lines, line]) + "\n]")


if __name__ == "__main__":
    main()
