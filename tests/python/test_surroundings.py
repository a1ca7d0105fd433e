"""Where mlpflow is used: several Pythons at once, spawned processes, notebooks, shared homes."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import mlpflow as mf
from mlpflow.engine.discovery import Julia
from mlpflow.engine.environment import worker_environment
from mlpflow.engine.image import image_place

ROOT = Path(__file__).parents[2]

PROGRAM = """
import numpy as np
import mlpflow as mf

x = np.linspace(-1, 1, 20)[:, None]
net = mf.Net([(3, "tanh", True), (1, "identity", True)], x, np.sin(3 * x))
start = mf.random_params(net, rng=0)
budgets = {"maxiterations_ode": 10, "maxiterations_optim": 20}
"""

AT_ONCE = """
import sys
print("ready", mf.engine_info()["pid"], flush=True)
for line in sys.stdin:
    print(mf.train(net, start, **budgets).loss.hex(), flush=True)
"""


def test_two_pythons_at_once():
    """Both have started their engine before either is asked; each has one of its own."""
    pythons = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM + AT_ONCE],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        ready = [python.stdout.readline().split() for python in pythons]
        for python in pythons:
            python.stdin.write("go\n" * 3)
            python.stdin.flush()
        losses = {python.stdout.readline() for python in pythons for _ in range(3)}
        assert len(losses) == 1
        assert ready[0][1] != ready[1][1]
    finally:
        for python in pythons:
            python.communicate()
    assert [python.returncode for python in pythons] == [0, 0]


def loss_in_a_child(net, p):
    return mf.loss(net, p), mf.engine_info()["pid"]


def test_spawned_processes(small_net, small_params):
    """Networks and parameters travel by pickle; each process starts an engine of its own."""
    here = loss_in_a_child(small_net, small_params)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        there = pool.submit(loss_in_a_child, small_net, small_params).result(timeout=300)
    assert there[0] == here[0] and there[1] != here[1]


def test_one_home_for_many_machines(monkeypatch, tmp_path):
    """What is compiled is named by Julia, processor and engine: nothing is taken for another's."""
    for name in ("MLPFLOW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    engines = []
    for text in ("a = 1", "a = 2"):
        root = tmp_path / text
        (root / "src").mkdir(parents=True)
        (root / "scripts").mkdir()
        for file in ("Project.toml", "src/MLPFlow.jl", "scripts/system_image.jl"):
            (root / file).write_text(text)
        engines.append(root)
    places = set()
    for processor in ("old", "new"):
        monkeypatch.setattr("mlpflow.engine.image.processor_identity", lambda p=processor: p)
        for version in ((1, 5, 3), (1, 6, 7)):
            julia = Julia(sys.executable, version, "PATH")
            places |= {image_place(julia, root).path for root in engines}
    assert len(places) == 8
    assert all(path.is_relative_to(tmp_path / ".cache" / "mlpflow") for path in places)
    # Julia's own cache has a folder for each of its versions; it stays where the user has it.
    monkeypatch.setenv("JULIA_DEPOT_PATH", "/scratch/depot")
    environment = worker_environment(Julia("julia", (1, 10, 8), "PATH"), engines[0])
    assert environment["JULIA_DEPOT_PATH"] == "/scratch/depot"


def test_a_notebook(tmp_path):
    """Executed as Jupyter does: progress and the table of the result are there, errors are none."""
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel runs this")
    pytest.importorskip("ipykernel", reason="pip install nbclient ipykernel runs this")
    import nbformat

    cells = [
        PROGRAM,
        "result = mf.train(net, start, progress=True, **budgets)\nresult",
        "%matplotlib inline\nresult.plot();",
        "mf.engine_info()['engine']",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        resources={"metadata": {"path": str(tmp_path)}},
        kernel_name="python3",
    )
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])})
    _, trained, drawn, engine = (cell["outputs"] for cell in notebook.cells)
    rich = [output["data"] for output in trained if output["output_type"] == "execute_result"]
    assert "<caption>TrainResult</caption>" in rich[0]["text/html"]
    shown = "".join(
        output.get("text", "") + output.get("data", {}).get("text/plain", "")
        for output in trained
        if output["output_type"] != "execute_result"
    )
    assert "loss" in shown, trained
    assert any("image/png" in output.get("data", {}) for output in drawn)
    assert os.environ["MLPFLOW_ENGINE"] in engine[0]["data"]["text/plain"]
