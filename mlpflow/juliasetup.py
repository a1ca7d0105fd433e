"""What `mlpflow setup` does: find a Julia or install one, compile the engine, and try it."""

from __future__ import annotations

import os
import subprocess
import sys

from .engine.discovery import engine_root
from .juliaimage import set_up_image

__all__ = ["set_up_julia"]


def set_up_julia() -> int:
    """Run scripts/julia.sh, build the system image, run the doctor; 0 when all is well."""
    script = engine_root() / "scripts" / "julia.sh"
    environment = {**os.environ, "MLPFLOW_PYTHON": sys.executable}
    # Its messages go to standard error as they come; the path on standard output is for scripts.
    found = subprocess.run(
        ["bash", str(script)], env=environment, stdout=subprocess.PIPE, check=False
    )
    if found.returncode:
        return 1
    set_up_image()
    from .doctor import examine, format_findings, healthy

    findings = examine()
    print(format_findings(findings))
    return 0 if healthy(findings) else 1
