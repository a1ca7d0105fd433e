"""The wheel carries the engine and works without the repository."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import msgpack
import numpy as np
import pytest
import tqdm

import mlpflow as mf
from mlpflow.engine.discovery import engine_root, find_julia
from mlpflow.engine.image import cache_folder, find_image

ROOT = Path(__file__).parents[2]


def build(kind, source, folder):
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(wheel):
    folder = wheel.parent / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_carries_what_the_engine_needs(unpacked):
    scripts = ["scripts/julia*.sh", "scripts/system_image.jl"]
    for pattern in ["Project.toml", "src/*", "julia/**/*", *scripts, "examples/data/*"]:
        files = [file for file in ROOT.glob(pattern) if file.is_file()]
        assert files
        for file in files:
            carried = unpacked / "mlpflow" / "_engine" / file.relative_to(ROOT)
            assert carried.read_bytes() == file.read_bytes()
    assert (unpacked / "mlpflow" / "py.typed").is_file()
    assert (unpacked / "mlpflow" / "juliapkg.json").is_file()
    assert not list(unpacked.glob("tests*"))


def test_the_wheel_of_the_source_archive_is_the_same(wheel, tmp_path):
    archive = build("sdist", ROOT, tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for needed in ("Makefile", "tests/python/conftest.py", "test/runtests.jl", "docs/training.md"):
        assert (source / needed).is_file()
    (tmp_path / "again").mkdir()
    again = build("wheel", source, tmp_path / "again")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())
        for name in first.namelist():
            assert name.endswith("RECORD") or first.read(name) == second.read(name), name


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    engine = tomllib.loads((ROOT / "Project.toml").read_text())["version"]
    assert project == engine == mf.__version__


def test_the_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert {"bench", "dev", "juliacall", "plot", "torch"} <= set(extras)


@pytest.fixture
def installed(wheel, tmp_path):
    """A new environment with the wheel in it; what it depends on is borrowed, not downloaded."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    (site,) = folder.glob("lib/python*/site-packages")
    borrowed = {str(Path(module.__file__).parents[1]) for module in (msgpack, np, tqdm)}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return folder, site


def offline():
    """A command prefix that takes the network away, where the system lets us."""
    prefix = ["unshare", "--net"]
    tried = shutil.which("unshare") and subprocess.run(
        [*prefix, "true"], capture_output=True, check=False
    )
    return prefix if tried and tried.returncode == 0 else []


def test_set_up_and_demo_elsewhere_without_network(installed, tmp_path):
    """Another home, no variables, no repository, no network, nothing written into the package."""
    folder, site = installed
    home = tmp_path / "home"
    home.mkdir()
    julia = find_julia()
    environment = {"HOME": str(home), "PATH": f"/usr/bin:/bin:{Path(julia.path).parent}"}
    environment |= {"LANG": "C.UTF-8", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    # An image that is there fits: it is named by what the engine's files hold. None is built here.
    ready = find_image(julia, engine_root()) is not None
    environment |= {"MLPFLOW_CACHE": str(cache_folder())} if ready else {"MLPFLOW_IMAGE": "no"}
    before = sorted((path, path.stat().st_mtime_ns) for path in site.rglob("*"))
    said = ""
    for arguments in (["setup"], ["demo", "--out", "out"]):
        run = subprocess.run(
            [*offline(), str(folder / "bin" / "mlpflow"), *arguments],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        said += run.stdout
    assert str(site / "mlpflow" / "_engine") in "".join(said.split())
    assert "All is well." in said and "a true minimum" in said
    assert str(ROOT) + os.sep not in said
    assert list((home / "out").rglob("*.png"))
    assert sorted((path, path.stat().st_mtime_ns) for path in site.rglob("*")) == before
