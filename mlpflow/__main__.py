"""``python -m mlpflow`` is the command ``mlpflow``."""

import sys

from .cli import main

sys.exit(main())
