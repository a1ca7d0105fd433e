"""The engine suite once more with Julia inside the process, by a stand-in for juliacall.

Where the real juliacall is installed, ``MLPFLOW_TEST_ENGINE=juliacall`` runs any test with it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlpflow.engine.discovery import engine_root, find_julia
from mlpflow.engine.environment import worker_environment
from mlpflow.engine.image import find_image

HERE = Path(__file__).parent


@pytest.mark.skipif(
    os.environ["MLPFLOW_ENGINE"] == "juliacall", reason="the suite runs inside a process already"
)
def test_the_engine_suite_inside_the_process():
    julia, root = find_julia(), engine_root()
    environment = worker_environment(julia, root)
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE / "embedded"), *sys.path])
    environment |= {"MLPFLOW_TEST_ENGINE": "juliacall", "PYTHON_JULIACALL_EXE": julia.path}
    environment["PYTHON_JULIACALL_PROJECT"] = str(root)
    image = find_image(julia, root)
    if image is not None:
        environment["PYTHON_JULIACALL_SYSIMAGE"] = str(image.path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_engine.py"],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
