"""The set-up finds the Julia it should, and says in one sentence what to do where there is none.

Nothing is installed here: PATH holds only a few basic commands, and no apt-get.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
BASICS = ["bash", "cat", "dirname", "grep", "head", "id", "ls", "mktemp", "readlink", "rm", "sed"]


def make_julia(path, version):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "julia version {version}"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def find(tmp_path):
    """Run julia.sh where only the given folders and the basic commands are on PATH."""
    basics = tmp_path / "basics"
    basics.mkdir()
    for name in BASICS:
        (basics / name).symlink_to(shutil.which(name))

    def run(*folders, **environment):
        return subprocess.run(
            [basics / "bash", SCRIPTS / "julia.sh"],
            env={"PATH": ":".join(map(str, [*folders, basics])), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_named_julia_comes_first(find, tmp_path):
    named = make_julia(tmp_path / "named" / "julia", "1.10.8")
    on_path = make_julia(tmp_path / "path" / "julia", "1.9.0")
    run = find(on_path.parent, MLPFLOW_JULIA=str(named))
    assert (run.returncode, run.stdout) == (0, f"{named}\n")
    assert "version 1.10.8 (from MLPFLOW_JULIA)" in run.stderr


def test_julia_on_path(find, tmp_path):
    on_path = make_julia(tmp_path / "path" / "julia", "1.5.0")
    run = find(on_path.parent)
    assert (run.returncode, run.stdout) == (0, f"{on_path}\n")


@pytest.mark.parametrize("version", ["1.4.2", "0.7.0"])
def test_old_julia_is_passed_over(find, tmp_path, version):
    run = find(make_julia(tmp_path / "path" / "julia", version).parent)
    assert run.returncode == 1 and run.stdout == ""
    assert f"version {version} is older than 1.5" in run.stderr
    assert "set MLPFLOW_JULIA to its path" in run.stderr


def test_wrong_name_is_not_replaced_by_another_julia(find, tmp_path):
    on_path = make_julia(tmp_path / "path" / "julia", "1.9.0")
    run = find(on_path.parent, MLPFLOW_JULIA="/nowhere/julia")
    assert run.returncode == 1 and run.stdout == ""
    assert "which is not a working Julia of version 1.5 or newer: correct it or unset it" in (
        run.stderr
    )


def test_no_julia_at_all(find):
    run = find()
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "no Julia found: install Julia 1.5 or newer" in run.stderr


@pytest.fixture
def clone(tmp_path):
    """A copy of the repository as far as the set-up needs it."""
    root = tmp_path / "clone"
    shutil.copytree(SCRIPTS, root / "scripts")
    for name in ("pyproject.toml", "constraints.txt", "hatch_build.py"):
        shutil.copy(SCRIPTS.parent / name, root / name)
    return root


def set_up(clone, *arguments, **environment):
    return subprocess.run(
        ["bash", clone / "scripts" / "setup.sh", *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def set_up_clone(clone, tmp_path):
    """A clone in which everything but the system image is set up, and a Python that takes notes."""
    environment = clone / ".venv"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(
        f'#!/bin/sh\n[ $1 = -c ] && exec {sys.executable} "$@"\n'
        f'echo "$MLPFLOW_JULIA: $*" >> {tmp_path}/calls\nexit 1\n'
    )
    python.chmod(0o755)
    (environment / "julia-path").write_text(f"{make_julia(tmp_path / 'julia', '1.5.3')}\n")
    stamp = "cat pyproject.toml constraints.txt hatch_build.py scripts/setup.sh && pwd"
    command = f"{{ {stamp}; }} | cksum > .venv/mlpflow-setup"
    subprocess.run(["bash", "-c", command], cwd=clone, check=True)
    return clone


def test_set_up_again_does_nothing(set_up_clone):
    (set_up_clone / ".venv" / "image-tried").touch()
    run = set_up(set_up_clone)
    assert (run.returncode, run.stdout, run.stderr) == (0, "set-up: nothing to do\n", "")


def test_the_system_image_is_tried_once_and_may_fail(set_up_clone, tmp_path):
    call = f"{tmp_path / 'julia'}: -m mlpflow.juliaimage\n"
    for arguments, expected in ([], 1), ([], 1), (["--image"], 2):
        assert set_up(set_up_clone, *arguments).returncode == 0
        assert (tmp_path / "calls").read_text() == call * expected


def test_too_old_python(clone, tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    old.chmod(0o755)
    run = set_up(clone, PYTHON=str(old))
    assert run.returncode == 1
    assert "is Python 3.9.2: Python 3.11 or newer is needed; set PYTHON to its path" in run.stderr
    assert not (clone / ".venv").exists()


def test_no_python(clone):
    run = set_up(clone, PYTHON="/nowhere/python3")
    assert run.returncode == 1
    assert run.stderr.startswith("set-up: no '/nowhere/python3': install Python 3.11 or newer")
