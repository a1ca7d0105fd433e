"""The wheel carries the engine and works without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_carries_what_the_engine_needs(unpacked):
    scripts = ["scripts/julia*.sh", "scripts/system_image.jl"]
    for pattern in ["Project.toml", "src/*", "julia/**/*", *scripts, "examples/data/*"]:
        files = [file for file in ROOT.glob(pattern) if file.is_file()]
        assert files
        for file in files:
            carried = unpacked / "mlpflow" / "_engine" / file.relative_to(ROOT)
            assert carried.read_bytes() == file.read_bytes()
    assert (unpacked / "mlpflow" / "py.typed").is_file()
    assert not list(unpacked.glob("tests*"))


def test_works_from_an_empty_folder(unpacked, tmp_path):
    """The doctor starts the engine; what it names must lie in the wheel."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "mlpflow", "doctor"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert str(unpacked / "mlpflow" / "_engine") in "".join(run.stdout.split())
