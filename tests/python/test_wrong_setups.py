"""Wrong set-ups: each gets one sentence that mends it, from the first call and from the doctor."""

import os
import re
import sys
import threading
import types

import pytest

import mlpflow as mf
from mlpflow.doctor import examine
from mlpflow.engine import automatic, discovery, embedding, process, selection
from mlpflow.engine.embedding import DEFAULTS
from mlpflow.engine.juliacall import JuliacallEngine
from mlpflow.engine.mending import OTHERWISE, mend_of_start

VERSION = 'case "$*" in *--version*) echo julia version {0}; exit 0;; esac\n'


class Place:
    """A place to spoil: files, variables and modules, all put back by pytest."""

    def __init__(self, monkeypatch, folder):
        self.patch = monkeypatch
        self.folder = folder

    def env(self, **variables):
        for name, value in variables.items():
            self.patch.setenv(name, str(value))

    def julia(self, body="", version="1.9.0", name="julia", mode=0o755):
        script = self.folder / name
        script.write_text("#!/bin/sh\n" + VERSION.format(version) + body)
        script.chmod(mode)
        return script

    def worker(self, body):
        self.env(MLPFLOW_JULIA=self.julia(body))

    def juliacall(self, source=None, **module):
        self.env(MLPFLOW_ENGINE="juliacall")
        if source is not None:
            package = self.folder / "packages" / "juliacall"
            package.mkdir(parents=True)
            (package / "__init__.py").write_text(source)
            self.patch.syspath_prepend(str(package.parent))
        elif module:
            self.patch.setitem(sys.modules, "juliacall", types.SimpleNamespace(**module))


@pytest.fixture
def place(monkeypatch, tmp_path):
    """No Julia, no juliacall, no engine that runs; PATH leads nowhere."""
    for name in [*os.environ]:
        if name.startswith(("MLPFLOW_", "PYTHON_JULIA")):
            monkeypatch.delenv(name)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    monkeypatch.setenv("PATH", str(bin_))
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path))
    monkeypatch.setenv("JULIA_DEPOT_PATH", str(tmp_path / "depot"))
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "embedded" not in p])
    for name in ("juliacall", "torch"):  # other tests import torch
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(selection, "_engine", None)
    monkeypatch.setattr(selection, "_chosen", None)
    monkeypatch.setattr(embedding, "_started", None)
    monkeypatch.setattr(embedding, "_forked", False)
    yield Place(monkeypatch, tmp_path)
    mf.shutdown()
    sys.modules.pop("juliacall", None)


def old_julia_on_path(place):
    place.env(PATH=place.julia(version="1.4.2").parent)


def no_engine_files(place):
    place.patch.setattr(discovery, "_PACKAGE", place.folder)
    place.patch.setattr(process, "engine_root", discovery.engine_root.__wrapped__)
    for module in ("mlpflow.doctor", "mlpflow.engine.worker"):
        place.patch.setattr(f"{module}.engine_root", discovery.engine_root.__wrapped__)
    place.worker("exit 1\n")


def forked(place):
    place.juliacall(CONFIG={"inited": True})
    place.patch.setattr(embedding, "_forked", True)


RESTART = "restart Python"
USE_WORKER = r'use_engine\("worker"\)'
UNSET_ENGINE = "unset MLPFLOW_ENGINE"

# A name, what is spoilt, the sentence of the first call, the doctor's mend.
CASES = [
    ("no Julia", lambda p: None, "run `mlpflow setup`, put julia on PATH", "-m mlpflow setup$"),
    ("Julia on PATH too old", old_julia_on_path, r"mlpflow setup.*is version 1\.4\.2", "setup$"),
    (
        "MLPFLOW_JULIA names nothing",
        lambda p: p.env(MLPFLOW_JULIA="/nowhere/julia"),
        "got /nowhere/julia, which does not run: correct it or unset it",
        "unset MLPFLOW_JULIA",
    ),
    (
        "MLPFLOW_JULIA names a folder",
        lambda p: p.env(MLPFLOW_JULIA=p.folder),
        "which does not run: correct it or unset it",
        "unset MLPFLOW_JULIA",
    ),
    (
        "MLPFLOW_JULIA may not be run",
        lambda p: p.env(MLPFLOW_JULIA=p.julia(mode=0o644)),
        "which does not run: correct it or unset it",
        "unset MLPFLOW_JULIA",
    ),
    (
        "MLPFLOW_JULIA is too old",
        lambda p: p.env(MLPFLOW_JULIA=p.julia(version="1.0.5")),
        r"which is version 1\.0\.5: correct it or unset it",
        "unset MLPFLOW_JULIA",
    ),
    (
        "MLPFLOW_JULIA is another program",
        lambda p: p.env(MLPFLOW_JULIA=sys.executable),
        "which does not run: correct it or unset it",
        "unset MLPFLOW_JULIA",
    ),
    ("the engine's files are missing", no_engine_files, "install mlpflow again", "install"),
    (
        "Julia cannot write its cache",
        lambda p: p.worker(
            "echo 'ERROR: IOError: mkdir: permission denied (EACCES)' >&2; exit 1\n"
        ),
        "set JULIA_DEPOT_PATH to a folder that you can write",
        "set JULIA_DEPOT_PATH",
    ),
    (
        "the disk is full",
        lambda p: p.worker("echo 'ERROR: write: No space left on device' >&2; exit 1\n"),
        "make room on the disk",
        "make room",
    ),
    (
        "no memory",
        lambda p: p.worker("echo 'ERROR: OutOfMemoryError()' >&2; exit 1\n"),
        "free some memory",
        "free some memory",
    ),
    ("killed from outside", lambda p: p.worker("kill -9 $$\n"), "more memory or time", "memory"),
    (
        "compiled for another processor",
        lambda p: p.worker("kill -4 $$\n"),
        "run `mlpflow setup` on this machine",
        "setup` on this machine",
    ),
    (
        "a library is missing",
        lambda p: p.worker("echo 'libopenblas.so: cannot open shared object file' >&2; exit 127\n"),
        "name a complete Julia by MLPFLOW_JULIA",
        "complete Julia",
    ),
    (
        "damaged engine files",
        lambda p: p.worker("echo 'ERROR: LoadError: syntax: unexpected end' >&2; exit 1\n"),
        "install mlpflow again",
        "force-reinstall",
    ),
    (
        "files of two versions",
        lambda p: p.worker(
            r"printf '\013\0\0\0\0\0\0\0\201\250protocol\143'; /bin/cat >/dev/null" + "\n"
        ),
        "expected engine files that speak protocol 1, got .*install mlpflow again",
        "force-reinstall",
    ),
    (
        "Julia's own system image is broken",
        lambda p: p.worker("echo 'ERROR: System image file sys.so is corrupt' >&2; exit 1\n"),
        "set MLPFLOW_IMAGE=no, or install Julia again",
        "install Julia again",
    ),
    (
        "Julia ends for a reason unknown",
        lambda p: p.worker("echo 'ERROR: no such luck' >&2; exit 7\n"),
        "no such luck; run `mlpflow doctor`",
        "setup$",
    ),
    (
        "juliacall is not installed",
        lambda p: p.juliacall(),
        "juliacall is not installed: .* -m pip install juliacall; mlpflow" + "." + USE_WORKER,
        UNSET_ENGINE,
    ),
    (
        "juliacall is half installed",
        lambda p: p.juliacall("import juliapkg_that_is_missing\n"),
        "juliacall could not start: No module named 'juliapkg_that_is_missing'; .*" + USE_WORKER,
        UNSET_ENGINE,
    ),
    (
        "juliacall's Julia does not start",
        lambda p: p.juliacall("raise Exception('PythonCall.jl did not start properly')\n"),
        "could not start: PythonCall.jl did not start properly; .*" + USE_WORKER,
        UNSET_ENGINE,
    ),
    (
        "another package's juliacall without its Julia",
        lambda p: p.juliacall(CONFIG={"inited": False}),
        f"juliacall has been imported but its Julia is not running: {RESTART}",
        UNSET_ENGINE,
    ),
    (
        "PYTHON_JULIACALL_EXE alone",
        lambda p: (p.juliacall(""), p.env(PYTHON_JULIACALL_EXE="/usr/bin/julia")),
        "set PYTHON_JULIACALL_PROJECT too, or unset the other",
        UNSET_ENGINE,
    ),
    ("a forked child", forked, r'does not survive a fork: use .*get_context\("spawn"\)', "unset"),
]


def mends():
    """What the doctor says, with an engine of its own."""
    return [finding.mend for finding in examine() if finding.mend and finding.required]


@pytest.mark.parametrize(
    ("spoil", "sentence", "mend"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_sentence_that_mends_it(place, spoil, sentence, mend):
    spoil(place)
    with pytest.raises(mf.EngineError, match=sentence) as caught:
        mf.engine_info()
    assert "\n" not in str(caught.value)
    mf.shutdown()
    said = mends()
    assert len(said) == 1 and re.search(mend, said[0]), said


def test_a_wrong_name_of_an_engine(place):
    place.env(MLPFLOW_ENGINE="juliacal")
    with pytest.raises(ValueError, match='MLPFLOW_ENGINE: expected .* mean "juliacall"'):
        mf.engine_info()
    assert mends() == ["unset MLPFLOW_ENGINE, or set it to one of auto, worker, juliacall"]


def test_the_first_call_of_juliacall_from_another_thread(place):
    place.juliacall("")
    said = []

    def call():
        try:
            mf.engine_info()
        except mf.EngineError as error:
            said.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "has to be started from the main thread: call mlpflow.engine_info() there" in said[0]


def test_torch_first_is_explained_once(place):
    place.patch.setitem(sys.modules, "torch", types.SimpleNamespace())
    place.juliacall("raise ImportError('no Julia here')\n")
    with (
        pytest.warns(
            RuntimeWarning, match="torch was imported before Julia .*" + USE_WORKER
        ) as seen,
        pytest.raises(mf.EngineError, match="no Julia here"),
    ):
        mf.engine_info()
    assert len(seen) == 1


RECORDER = """
import os, warnings
seen = {name: os.environ.get(name) for name in %r}
warnings.warn("torch was imported before juliacall. This may cause a segfault.")
CONFIG = {"inited": True}
class Main:
    said = []
    def seval(code):
        Main.said.append(code)
        return Main.said.append if code.startswith("path") else code
"""


def test_the_environment_in_which_juliacall_starts(place):
    """Ours where the user has set nothing, only for the start, and no second warning of torch."""
    place.juliacall(RECORDER % [*DEFAULTS])
    place.env(PYTHON_JULIACALL_HANDLE_SIGNALS="yes")
    for name in set(DEFAULTS) - {"PYTHON_JULIACALL_HANDLE_SIGNALS"}:
        place.patch.delenv(name, raising=False)
    assert embedding.start_julia().module == "MLPFlow"
    import juliacall

    assert juliacall.seen == {**DEFAULTS, "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes"}
    assert not set(DEFAULTS) & set(os.environ) - {"PYTHON_JULIACALL_HANDLE_SIGNALS"}
    assert juliacall.Main.said[1:] == [str(discovery.engine_root()), "import MLPFlow", "MLPFlow"]
    assert embedding.start_julia() is embedding.start_julia()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: None, "juliacall is not installed"),
        (lambda p: p.env(MLPFLOW_JULIA="julia"), "MLPFLOW_JULIA names the worker's Julia"),
        (lambda p: p.juliacall(""), "juliacall would have to download"),
        (
            lambda p: (p.juliacall(""), p.patch.setitem(sys.modules, "torch", 1)),
            "torch was imported",
        ),
        (forked, "does not survive a fork"),
        (lambda p: p.juliacall(CONFIG={"inited": True}), ""),
        (
            lambda p: (
                p.juliacall(""),
                p.env(PYTHON_JULIACALL_EXE="julia", PYTHON_JULIACALL_PROJECT="project"),
            ),
            "",
        ),
        (
            lambda p: (p.juliacall(""), p.patch.setattr(automatic, "_is_resolved", lambda: True)),
            "",
        ),
    ],
)
def test_what_auto_takes(place, spoil, why):
    place.patch.delitem(sys.modules, "torch", raising=False)
    spoil(place)
    found = automatic.why_not_juliacall()
    assert why in found and bool(found) == bool(why)
    place.env(MLPFLOW_ENGINE="auto")
    assert (selection.current_engine().name == "juliacall") == (not why)


def test_an_error_that_leaves_julia_is_told(place):
    """Frames that cannot be read, say: the dispatcher itself answers everything else."""

    class JuliaError(Exception):
        pass

    def fail(address, length):
        raise JuliaError("MessagePackError: cut off\nStacktrace: ...")

    engine = JuliacallEngine()
    engine._serve = types.SimpleNamespace(_jl_call_nogil=fail)
    place.patch.setattr(engine, "_start", lambda: None)
    with pytest.raises(mf.EngineError, match="^MessagePackError: cut off$") as caught:
        engine.call("ping", {})
    assert "Stacktrace" in caught.value.trace and caught.value.kind == "juliacall"


def test_every_mend_is_reached():
    assert mend_of_start("nothing known") == OTHERWISE
