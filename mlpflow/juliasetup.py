"""What `mlpflow setup` does: find a Julia or install one, and try the engine."""

from __future__ import annotations

import os
import subprocess
import sys

from .engine.discovery import engine_root

__all__ = ["set_up_julia"]


def set_up_julia() -> int:
    """Run scripts/julia.sh and then the doctor; the exit code tells whether all is well."""
    script = engine_root() / "scripts" / "julia.sh"
    environment = {**os.environ, "MLPFLOW_PYTHON": sys.executable}
    # Its messages go to standard error as they come; the path on standard output is for scripts.
    found = subprocess.run(
        ["bash", str(script)], env=environment, stdout=subprocess.PIPE, check=False
    )
    if found.returncode:
        return 1
    from .doctor import examine, format_findings, healthy

    findings = examine()
    print(format_findings(findings))
    return 0 if healthy(findings) else 1
