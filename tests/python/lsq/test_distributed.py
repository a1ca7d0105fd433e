"""Two ranks take the steps of one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

RANK = Path(__file__).with_name("ranks.py")


def test_two_ranks_take_the_steps_of_one(tmp_path):
    command = [sys.executable, str(RANK)]
    started = [
        subprocess.Popen(
            [*command, str(rank), str(size), str(tmp_path / "meet")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, size in ((0, 1), (0, 2), (1, 2))
    ]
    ended = [process.communicate(timeout=300) for process in started]
    assert all(process.returncode == 0 for process in started), ended
    alone, first, second = (json.loads(out) for out, _ in ended)
    assert first == second
    for solver, history in alone.items():
        # Sums in another order differ by 1e-16 a step, and that grows from step to step.
        np.testing.assert_allclose(first[solver], history, rtol=1e-10, err_msg=solver)
