"""`python -m benchmarks.lsq`."""

import sys

from ..one_thread import pin

if __name__ == "__main__":
    pin()  # before NumPy, SciPy and PyTorch are imported: they look once
    from .run import main

    sys.exit(main())
