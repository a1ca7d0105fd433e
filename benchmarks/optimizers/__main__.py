"""`python -m benchmarks.optimizers`."""

import sys

from ..one_thread import pin

if __name__ == "__main__":
    pin()  # before NumPy and SciPy are imported: they look once
    from .run import main

    sys.exit(main())
