"""The doctor finds what is missing and names the command that mends it."""

import importlib.metadata

import pytest

from mlpflow import doctor
from mlpflow.cli import main
from mlpflow.doctor import examine, format_findings, healthy
from mlpflow.engine import EngineError
from mlpflow.engine.discovery import Julia

JULIA = Julia("/opt/julia", (1, 5, 3), "PATH")
INFO = {
    "engine": "worker",
    "threads": 1,
    "sysimage": "/opt/sys.so",
    "cpu": "skylake",
    "blas": {
        "library": "/opt/openblas.so",
        "kernel": "SkylakeX",
        "config": "OpenBLAS 0.3.9 DYNAMIC_ARCH",
        "threads": 1,
    },
}


def named(findings):
    return {finding.name: finding for finding in findings}


def test_all_is_well_here(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for name in ("Python", "numpy", "Julia", "engine", "threads", "BLAS", "system image"):
        assert f"\n  {name} " in printed
    assert printed.endswith("All is well.\n")


def test_what_the_engine_says_is_shown():
    findings = named(examine(lambda: JULIA, lambda: INFO))
    assert findings["Julia"].value == "1.5.3, /opt/julia (from PATH)"
    assert findings["BLAS"].value == "OpenBLAS 0.3.9, kernel SkylakeX, /opt/openblas.so"
    assert findings["system image"].value.startswith("Julia's own, /opt/sys.so")
    assert findings["threads"].value == "1 Julia, 1 BLAS"


@pytest.mark.parametrize(
    ("state", "said", "mended"),
    [
        ("not needed", "Julia's own, /opt/sys.so", False),
        ("off", "as MLPFLOW_IMAGE says", False),
        ("stale", "mlpflow's is stale", True),
        ("missing", "mlpflow's has not been built", True),
    ],
)
def test_why_the_system_image_is_julias(monkeypatch, state, said, mended):
    monkeypatch.setattr(doctor, "image_state", lambda julia, root: state)
    findings = examine(lambda: JULIA, lambda: INFO)
    finding = named(findings)["system image"]
    assert said in finding.value
    assert finding.mend.endswith("-m mlpflow setup") == mended
    assert healthy(findings)


def test_the_system_image_with_the_engine(monkeypatch):
    monkeypatch.setenv("MLPFLOW_CACHE", "/kept")
    info = {**INFO, "sysimage": "/kept/images/julia.so"}
    finding = named(examine(lambda: JULIA, lambda: info))["system image"]
    assert finding.value == "with the engine compiled in, /kept/images/julia.so"
    assert not finding.mend


def test_no_julia(monkeypatch):
    def find():
        raise EngineError("no Julia of version 1.5 or newer found", kind="worker")

    monkeypatch.delenv("MLPFLOW_JULIA", raising=False)
    findings = examine(find, lambda: INFO)
    assert not healthy(findings)
    assert named(findings)["Julia"].mend.endswith("-m mlpflow setup")
    text = format_findings(findings)
    assert "mend: " in text and text.endswith("Needs mending: Julia.")


def test_a_wrong_mlpflow_julia(monkeypatch, capsys):
    monkeypatch.setenv("MLPFLOW_JULIA", "/nowhere/julia")
    assert main(["doctor"]) == 1
    assert "mend: unset MLPFLOW_JULIA" in capsys.readouterr().out


def test_an_engine_that_does_not_start():
    def info():
        raise EngineError("the worker ended", kind="worker", trace="first\nsystem image is broken")

    findings = examine(lambda: JULIA, info)
    assert not healthy(findings)
    assert "system image is broken" in named(findings)["engine"].value


def test_no_matplotlib_is_told_but_no_reason_to_fail(monkeypatch):
    version = importlib.metadata.version

    def without_matplotlib(name):
        if name == "matplotlib":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_matplotlib)
    findings = examine(lambda: JULIA, lambda: INFO)
    assert healthy(findings)
    finding = named(findings)["matplotlib"]
    assert finding.value == "missing; optional, for pictures"
    assert finding.mend.endswith("-m pip install matplotlib")


def test_works_without_any_dependency(run_python):
    """Only the standard library may be needed to say that NumPy is missing."""
    program = """
import sys
for name in ("numpy", "msgpack", "tqdm", "matplotlib", "torch"):
    sys.modules[name] = None
from mlpflow.cli import main
assert main(["doctor"]) == 1
"""
    assert "Needs mending: engine" in run_python(program).stdout
