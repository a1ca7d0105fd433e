"""Which Julia runs the engine, in which environment, and what is said when there is none."""

import json
import os

import pytest

import mlpflow as mf
from mlpflow.engine import discovery, environment
from mlpflow.engine.discovery import Julia, engine_root, find_julia


@pytest.fixture
def make_julia(tmp_path):
    """Makes an executable that claims to be a Julia of some version."""

    def make(folder, version):
        path = tmp_path / folder / "julia"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\necho julia version {version}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def nothing_else(monkeypatch, tmp_path):
    """No Julia anywhere but where a test puts it."""
    monkeypatch.delenv("MLPFLOW_JULIA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path / "project"))
    return monkeypatch


def test_the_order_of_places(nothing_else, make_julia, tmp_path):
    managed = make_julia("managed", "1.11.2")
    folder = tmp_path / "project" / "pyjuliapkg"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"executable": managed}))
    assert find_julia() == Julia(managed, (1, 11, 2), "juliapkg")
    on_path = make_julia("path", "1.5.3")
    nothing_else.setenv("PATH", os.path.dirname(on_path) + os.pathsep + "/bin")
    assert find_julia() == Julia(on_path, (1, 5, 3), "PATH")
    named = make_julia("named", "1.10.8")
    nothing_else.setenv("MLPFLOW_JULIA", named)
    assert find_julia() == Julia(named, (1, 10, 8), "MLPFLOW_JULIA")


def test_a_julia_on_path_that_is_too_old_is_passed_over(nothing_else, make_julia):
    old = make_julia("old", "1.4.2")
    nothing_else.setenv("PATH", os.path.dirname(old) + os.pathsep + "/bin")
    with pytest.raises(
        mf.EngineError, match=r"mlpflow setup.*passed over .* \(is version 1\.4\.2\)"
    ):
        find_julia()


def test_no_julia(nothing_else):
    with pytest.raises(mf.EngineError, match="no Julia of version 1.5 or newer found: run"):
        find_julia()


@pytest.mark.parametrize("value", ["/no/such/julia", "/bin/false"])
def test_a_wrong_name_is_not_passed_over(nothing_else, value):
    nothing_else.setenv("MLPFLOW_JULIA", value)
    with pytest.raises(mf.EngineError, match=f"got {value}, which does not run: correct it or uns"):
        find_julia()


def test_damaged_juliapkg_files_do_not_matter(nothing_else, tmp_path):
    folder = tmp_path / "project" / "pyjuliapkg"
    folder.mkdir(parents=True)
    for text in ("", "[]", '{"executable": 3}'):
        (folder / "meta.json").write_text(text)
        with pytest.raises(mf.EngineError, match="no Julia of version"):
            find_julia()


def test_the_engine_s_files(monkeypatch, tmp_path):
    root = engine_root()
    assert (root / "Project.toml").is_file()
    assert (root / "julia" / "statuses.tsv").is_file()
    package = tmp_path / "site-packages" / "mlpflow"
    carried = package / "_engine" / "src"
    carried.mkdir(parents=True)
    monkeypatch.setattr(discovery, "_PACKAGE", package)
    engine_root.cache_clear()
    try:
        with pytest.raises(mf.EngineError, match="found none: install mlpflow again"):
            engine_root()
        (carried / "MLPFlow.jl").touch()
        assert engine_root() == package / "_engine"
    finally:
        engine_root.cache_clear()


AVX512 = frozenset({"avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"})


@pytest.mark.parametrize(
    ("version", "flags", "kernel"),
    [
        ((1, 5, 3), AVX512, "SkylakeX"),
        ((1, 6, 7), frozenset({"avx2", "fma"}), "Haswell"),
        ((1, 5, 3), frozenset({"sse2"}), None),
        ((1, 10, 8), AVX512, None),
    ],
)
def test_the_blas_kernel(monkeypatch, tmp_path, version, flags, kernel):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(environment, "_processor_flags", lambda: flags)
    made = environment.worker_environment(Julia("julia", version, "PATH"), tmp_path)
    assert made.get("OPENBLAS_CORETYPE") == kernel
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    made = environment.worker_environment(Julia("julia", version, "PATH"), tmp_path)
    assert made["OPENBLAS_CORETYPE"] == "Nehalem"


def test_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("JULIA_PROJECT", "/somewhere")
    monkeypatch.setenv("JULIA_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    made = environment.worker_environment(Julia("julia", (1, 5, 3), "PATH"), tmp_path)
    assert made["JULIA_LOAD_PATH"] == f"{tmp_path}:@stdlib"
    assert "JULIA_PROJECT" not in made
    assert made["JULIA_NUM_THREADS"] == "3"
    assert made["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    made = environment.worker_environment(Julia("julia", (1, 5, 3), "PATH"), tmp_path)
    assert made["OPENBLAS_NUM_THREADS"] == "2"
