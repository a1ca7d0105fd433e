"""Julia's cache is written by one process at a time; starts from a finished cache do not wait."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlpflow.engine import firststart
from mlpflow.engine.discovery import Julia, find_julia
from mlpflow.engine.firststart import one_at_a_time
from mlpflow.engine.image import KEEPS_NATIVE_CODE

JULIA = Julia("/opt/julia", (1, 5, 3), "PATH")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An engine's folder, and an empty depot next to it."""
    monkeypatch.setenv("JULIA_DEPOT_PATH", f"{tmp_path / 'depot'}:/elsewhere")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "MLPFlow.jl").touch()
    return tmp_path


def cache(root):
    return root / "depot" / "compiled" / "v1.5" / "MLPFlow"


class Starts:
    """Starts in threads, which count how many are under way and end when they are told to."""

    def __init__(self, root):
        self.root = root
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def begin(self):
        thread = threading.Thread(target=self._run)
        thread.start()
        return thread

    def _run(self):
        with one_at_a_time(JULIA, self.root):
            self.entered.release()
            self.go_on.acquire()


def test_the_second_waits_for_the_first(root):
    starts = Starts(root)
    threads = [starts.begin() for _ in range(3)]
    assert starts.entered.acquire(timeout=20)
    assert not starts.entered.acquire(timeout=0.2)
    (cache(root) / "engine.ji").touch()
    starts.go_on.release()
    # From a finished cache all the others start at once.
    assert starts.entered.acquire(timeout=20)
    assert starts.entered.acquire(timeout=20)
    starts.go_on.release(2)
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("change", ["src/MLPFlow.jl", "julia/new.jl", "cache"])
def test_the_next_change_locks_again(root, change):
    with one_at_a_time(JULIA, root):
        (cache(root) / "engine.ji").touch()
    if change == "cache":
        (cache(root) / "engine.ji").unlink()
    else:
        (root / change).parent.mkdir(exist_ok=True)
        (root / change).write_text("changed")
    starts = Starts(root)
    threads = [starts.begin() for _ in range(2)]
    assert starts.entered.acquire(timeout=20)
    assert not starts.entered.acquire(timeout=0.2)
    starts.go_on.release(2)
    for thread in threads:
        thread.join()


def test_a_start_that_fails_is_no_finished_cache(root):
    with pytest.raises(LookupError), one_at_a_time(JULIA, root):
        raise LookupError
    (note,) = cache(root).glob("*.start")
    assert note.read_text() == ""
    with one_at_a_time(JULIA, root):
        pass
    assert note.read_text() != ""


def test_the_wait_has_an_end(root, monkeypatch):
    monkeypatch.setattr(firststart, "LONGEST_WAIT", 0.0)
    with one_at_a_time(JULIA, root), one_at_a_time(JULIA, root):
        pass


def test_no_lock_where_none_can_be_or_is_needed(root):
    with one_at_a_time(Julia("/opt/julia", (1, 10, 0), "PATH"), root):
        assert not (root / "depot").exists()
    (root / "depot").touch()
    with one_at_a_time(JULIA, root):
        pass


@pytest.mark.skipif(find_julia().version >= KEEPS_NATIVE_CODE, reason="this Julia locks itself")
def test_many_first_starts_at_once(tmp_path):
    """Where Julia has compiled nothing yet; without the lock some would read half a file."""
    environment = {**os.environ, "JULIA_DEPOT_PATH": str(tmp_path), "MLPFLOW_IMAGE": "no"}
    command = [sys.executable, "-c", "import mlpflow; print(mlpflow.engine_info()['engine'])"]
    starts = [
        subprocess.Popen(
            command,
            env=environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(5)
    ]
    assert [start.communicate(timeout=300)[0] for start in starts] == ["worker\n"] * 5
