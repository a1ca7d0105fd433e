"""The system image: found only where it matches, built whole or not at all, no harm when broken.

Builds here run a Julia and a C compiler of a few lines; the real image is used where there is one.
"""

import json
import os
import threading
from pathlib import Path

import pytest

import mlpflow as mf
from mlpflow import juliaimage
from mlpflow.engine import image
from mlpflow.engine.discovery import Julia, engine_root, find_julia
from mlpflow.engine.image import cache_folder, find_image, image_place, image_state
from mlpflow.juliaimage import ImageError, build_image, set_up_image

FAKE_JULIA = """#!/bin/sh
echo "$@" >> {folder}/calls
case "$*" in
    *--version*) echo julia version 1.5.3 ;;
    *image_file*) printf '/base.so\\n/bin\\n/stdlib\\n' ;;
    *--output-o*) while [ "$1" != --output-o ]; do shift; done; echo compiled > "$2" ;;
esac
{extra}
"""
FAKE_COMPILER = '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho linked > "$2"\n'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; the worker starts anew before and after."""
    monkeypatch.setenv("MLPFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLPFLOW_IMAGE", raising=False)
    monkeypatch.setattr(image, "_rejected", set())
    mf.shutdown()
    yield tmp_path / "cache"
    mf.shutdown()


@pytest.fixture
def engine(tmp_path):
    """A folder with the files of an engine."""
    root = tmp_path / "engine"
    for name in ("Project.toml", "scripts/system_image.jl", "src/MLPFlow.jl", "julia/a/b.jl"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture
def fake_julia(tmp_path, monkeypatch):
    """Makes a Julia that pretends to compile; `extra` are further lines of shell."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "fakecc").write_text(FAKE_COMPILER)
    (tools / "fakecc").chmod(0o755)
    monkeypatch.setenv("CC", str(tools / "fakecc"))

    def make(extra=""):
        path = tools / "julia"
        path.write_text(FAKE_JULIA.format(folder=tools, extra=extra))
        path.chmod(0o755)
        return Julia(str(path), (1, 5, 3), "PATH")

    return make


def calls(julia, what):
    lines = Path(julia.path).with_name("calls").read_text().splitlines()
    return sum(what in line for line in lines)


def put_image(place, content=b"image", size=None):
    """An image that looks whole, of `size` bytes as its label says."""
    place.path.parent.mkdir(parents=True, exist_ok=True)
    place.path.write_bytes(content)
    facts = {"size": len(content) if size is None else size, "engine": str(engine_root())}
    place.label.write_text(json.dumps(facts))
    return place


def test_the_cache_folder(monkeypatch):
    monkeypatch.setenv("MLPFLOW_CACHE", "/named")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/named")
    monkeypatch.delenv("MLPFLOW_CACHE")
    assert cache_folder() == Path("/xdg/mlpflow")
    monkeypatch.setenv("HOME", "/somebody")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/somebody/.cache/mlpflow")


def test_an_image_belongs_to_one_julia_processor_and_engine(cache, engine, fake_julia, monkeypatch):
    julia = fake_julia()
    place = image_place(julia, engine)
    os.utime(engine / "julia/a/b.jl", (0, 0))
    assert image_place(julia, engine) == place
    newer = Julia(julia.path, (1, 6, 0), "PATH")
    assert image_place(newer, engine) != place
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(image, "processor_identity", lambda: "another processor")
        assert image_place(julia, engine).family != place.family
    for name in ("Project.toml", "scripts/system_image.jl", "src/MLPFlow.jl", "julia/a/b.jl"):
        before = (engine / name).read_bytes()
        (engine / name).write_bytes(before + b"#")
        changed = image_place(julia, engine)
        assert changed.family == place.family and changed.path != place.path
        (engine / name).write_bytes(before)
    (engine / "julia/a/new.jl").touch()
    assert image_place(julia, engine).path != place.path
    fake_julia("# another Julia in the same place")
    assert image_place(julia, engine).family != place.family


def test_states(cache, engine, fake_julia, monkeypatch):
    julia = fake_julia()
    assert image_state(julia, engine) == "missing"
    place = put_image(image_place(julia, engine))
    assert image_state(julia, engine) == "ready"
    assert find_image(julia, engine) == place
    (engine / "src/MLPFlow.jl").write_text("changed")
    assert image_state(julia, engine) == "stale"
    assert find_image(julia, engine) is None
    assert image_state(Julia(julia.path, (1, 9, 0), "PATH"), engine) == "not needed"
    monkeypatch.setenv("MLPFLOW_IMAGE", "no")
    assert image_state(julia, engine) == "off"


@pytest.mark.parametrize("size", [4, 6])
def test_a_part_of_an_image_is_none(cache, engine, fake_julia, size):
    julia = fake_julia()
    place = put_image(image_place(julia, engine), size=size)
    assert find_image(julia, engine) is None
    place.label.write_text("{")
    assert find_image(julia, engine) is None


def test_a_build(cache, engine, fake_julia, capsys):
    julia = fake_julia()
    path = build_image(julia, engine)
    assert path.read_text() == "linked\n"
    assert find_image(julia, engine).path == path
    said = capsys.readouterr().err
    assert "compiling the engine" in said and "done in" in said
    kinds = sorted(file.suffix for file in path.parent.iterdir())
    assert kinds == sorted([".json", ".lock", ".log", image.SUFFIX])
    assert build_image(julia, engine) == path
    assert "already built" in capsys.readouterr().err
    assert calls(julia, "--output-o") == 1


def test_old_images_are_removed(cache, engine, fake_julia, tmp_path):
    julia = fake_julia()
    old = build_image(julia, engine)
    folder = old.parent
    others = {}
    for name, origin in {"mine": engine, "theirs": tmp_path, "lost": tmp_path / "gone"}.items():
        others[name] = folder / f"{image_place(julia, engine).family}{name}{image.SUFFIX}"
        others[name].touch()
        others[name].with_suffix(".json").write_text(json.dumps({"engine": str(origin)}))
    unlabelled = folder / f"{image_place(julia, engine).family}half{image.SUFFIX}"
    unlabelled.touch()
    stranger = folder / f"julia-1.6.0-abc-def{image.SUFFIX}"
    stranger.touch()
    (folder / "building-left").mkdir()
    (engine / "src/MLPFlow.jl").write_text("changed")
    new = build_image(julia, engine)
    assert sorted(folder.glob(f"*{image.SUFFIX}")) == sorted([new, others["theirs"], stranger])
    assert sorted(folder.glob("*.json")) == sorted(
        path.with_suffix(".json") for path in (new, others["theirs"])
    )
    assert not list(folder.glob("building-*"))


def test_two_builds_at_once_are_one(cache, engine, fake_julia):
    julia = fake_julia()
    paths = []
    builds = [
        threading.Thread(target=lambda: paths.append(build_image(julia, engine))) for _ in range(4)
    ]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert paths == [image_place(julia, engine).path] * 4
    assert calls(julia, "--output-o") == 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("case $* in *image_file*) exit 1;; esac", "julia does not start .exit code 1; see"),
        ("case $* in *compiled*) exit 2;; esac\nexit 3", "julia does not start"),
        ("case $* in *.a*) exit 2;; esac", "julia could not compile the engine .exit code 2"),
        ("case $* in *workload*) kill -SEGV $$;; esac", "image that was built does not work"),
    ],
)
def test_a_build_that_fails_leaves_nothing(cache, engine, fake_julia, extra, message):
    julia = fake_julia(extra)
    with pytest.raises(ImageError, match=message):
        build_image(julia, engine)
    assert find_image(julia, engine) is None
    assert sorted(p.name for p in (cache / "images").iterdir()) == ["build.lock", "build.log"]


def test_files_that_change_during_a_build(cache, engine, fake_julia):
    julia = fake_julia(f"case $* in *workload*) echo '#' >> {engine}/src/MLPFlow.jl;; esac")
    with pytest.raises(ImageError, match="changed meanwhile"):
        build_image(julia, engine)
    assert not list((cache / "images").glob(f"*{image.SUFFIX}"))


def test_no_compiler_no_room_no_folder(cache, fake_julia, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("MLPFLOW_JULIA", fake_julia().path)
    with monkeypatch.context() as without:
        without.setenv("CC", "nosuchcc")
        without.setattr(juliaimage, "COMPILERS", ())
        assert not set_up_image()
    assert "none is built: it takes a C compiler to link it: install gcc" in capsys.readouterr().err
    with monkeypatch.context() as full:
        full.setattr(juliaimage, "ROOM", 1 << 62)
        assert not set_up_image()
    assert "MB of room in" in capsys.readouterr().err
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLPFLOW_CACHE", str(tmp_path / "file"))
    assert not set_up_image()
    assert "Everything works without it" in capsys.readouterr().err


def test_none_is_built_where_none_is_needed(cache, fake_julia, monkeypatch, capsys):
    julia = fake_julia()
    monkeypatch.setenv("MLPFLOW_JULIA", julia.path)
    monkeypatch.setenv("MLPFLOW_IMAGE", "no")
    assert set_up_image()
    assert "MLPFLOW_IMAGE says so" in capsys.readouterr().err
    monkeypatch.delenv("MLPFLOW_IMAGE")
    with monkeypatch.context() as newer:
        newer.setattr(juliaimage, "find_julia", lambda: Julia(julia.path, (1, 10, 0), "PATH"))
        assert set_up_image()
    assert not cache.exists()


needs_images = pytest.mark.skipif(
    find_julia().version >= image.KEEPS_NATIVE_CODE, reason="this Julia needs no image"
)


@needs_images
def test_a_broken_image_is_told_once_and_done_without(cache, capfd):
    julia = find_julia()
    place = put_image(image_place(julia, engine_root()), b"no image at all")
    assert mf.engine_info()["sysimage"] != str(place.path)
    told = capfd.readouterr().err
    assert f"mlpflow: starting without the system image {place.path}: the Julia worker" in told
    assert "`mlpflow setup` builds a new one" in told
    assert not place.path.exists() and not place.label.exists()
    mf.shutdown()
    mf.engine_info()
    assert capfd.readouterr().err == ""


@needs_images
def test_an_image_that_was_killed_is_kept(cache, capfd, tmp_path, monkeypatch):
    """Something outside, such as a lack of memory, has ended the process."""
    script = tmp_path / "julia"
    real = find_julia().path
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *--sysimage*) kill -9 $$;; esac\nexec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("MLPFLOW_JULIA", str(script))
    place = put_image(image_place(find_julia(), engine_root()))
    assert mf.engine_info()["sysimage"] != str(place.path)
    assert "was killed by SIGKILL before it was ready" in capfd.readouterr().err
    assert place.path.exists()
    mf.shutdown()
    mf.engine_info()
    assert capfd.readouterr().err == ""  # not tried again by this process


has_image = pytest.mark.skipif(
    image_state(find_julia(), engine_root()) != "ready", reason="no system image was built here"
)

BITS = """
import numpy as np
import mlpflow as mf
rng = np.random.default_rng(3)
x = rng.standard_normal((70, 2))
names = ["sigmoid", "tanh", "relu", "softplus", "gelu", "silu", "selu", "square", "cube", "exp",
         "g", "sigmoid2", "normal_cdf", "identity"]
digest = []
def keep(values):
    digest.append(np.asarray(values, dtype=float).tobytes().hex())
for losstype, target in (("mse", x[:, :2]), ("cross_entropy", (x[:, 0] > 0).astype(int))):
    net = mf.Net([(14, names, True), (2, "identity", True)], x, target, losstype=losstype)
    p = mf.random_params(net, rng=4)
    keep(mf.loss(net, p))
    keep(mf.gradient(net, p).flat)
    keep(mf.hessian(net, p))
    keep(mf.hvp(net, p, p.flat))
    keep(net(p, x[:9]))
    for solver in ("newton", "bfgs"):
        result = mf.train(net, p, maxT=1, optim_solver=solver, maxiterations_optim=20)
        keep(result.params.flat)
print(mf.engine_info()["sysimage"])
print("\\n".join(digest))
"""


@has_image
def test_the_image_is_used_and_gives_the_same_bits(run_python):
    path = find_image(find_julia(), engine_root()).path
    with_image = run_python(BITS).stdout.splitlines()
    without = run_python(BITS, env={**os.environ, "MLPFLOW_IMAGE": "no"}).stdout.splitlines()
    assert with_image[0] == str(path) != without[0]
    assert with_image[1:] == without[1:]
