"""A grid of students, teachers and seeds."""

import sys

import numpy as np
import pytest

import mlpflow as mf

OUTPUT = (1, "identity", True)
STUDENTS = [[(k, "tanh", True), OUTPUT] for k in (1, 2)]
QUICK = {"maxT": 5, "maxiterations_ode": 200, "maxiterations_optim": 50}
X = np.random.default_rng(0).standard_normal((40, 2))


@pytest.fixture(scope="module")
def teacher():
    return mf.TeacherNet([(1, "tanh", True), OUTPUT], inputs=2, rng=3)


def test_one_row_a_run(teacher, tmp_path):
    pd = pytest.importorskip("pandas")
    table = mf.sweep(
        students=STUDENTS,
        teachers={"one": teacher, "sine": lambda x: np.sin(x.sum(axis=1))},
        inputs=X,
        seeds=range(2),
        train=QUICK,
        classify=True,
        workers=1,
        folder=tmp_path,
    )
    assert isinstance(table, pd.DataFrame) and len(table) == 8
    assert list(table["width"]) == [1] * 4 + [2] * 4
    assert list(table["teacher"]) == ["one", "one", "sine", "sine"] * 2
    assert list(table["seed"]) == [0, 1] * 4
    assert table["student"][0] == "2 -> 1 tanh + bias -> 1 identity + bias"
    row = table.iloc[7]
    net = mf.Net(STUDENTS[1], X, np.sin(X.sum(axis=1)))
    alone = mf.train(net, mf.random_params(net, rng=1), **QUICK)
    assert (row["loss"], row["gnorm"], row["status"]) == (alone.loss, alone.gnorm, alone.status)
    assert row["converged"] == alone.converged and row["nparams"] == net.nparams
    assert row["flow_t"] == alone.flow.t and row["optim_iterations"] == alone.optim.iterations
    kind = mf.classify(alone)
    assert (row["kind"], row["index"]) == (kind.kind, kind.index)
    assert mf.load(row["file"]).params.flat.tobytes() == alone.params.flat.tobytes()


def test_a_folder_serves_any_grid_and_later_questions(teacher, tmp_path, monkeypatch):
    """More students and seeds find what is there; the kind can be asked for afterwards."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    run = {"inputs": X, "train": QUICK, "workers": 1, "folder": tmp_path}
    rows = mf.sweep([STUDENTS[0]], [teacher], seeds=[1], **run)
    assert isinstance(rows, list) and rows[0]["kind"] is None and rows[0]["teacher"] == 0
    ended = []
    more = mf.sweep(
        STUDENTS[::-1],
        [teacher],
        seeds=[0, 1],
        progress=lambda i, result: ended.append(i),
        classify=True,
        **run,
    )
    assert more[3]["seconds"] == rows[0]["seconds"]  # loaded, not run again
    assert more[3]["kind"] is not None and ended == [0, 1, 2, 3]
    ended.clear()
    again = mf.sweep(STUDENTS[::-1], [teacher], seeds=[0, 1], classify=True, **run)
    assert again == more
    with pytest.raises(ValueError, match="its maxT is 5.0, not 1.0"):
        mf.sweep([STUDENTS[0]], [teacher], seeds=[1], **{**run, "train": {"maxT": 1}})


def test_a_failed_run_is_a_row(teacher, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    def callback(progress):
        raise RuntimeError("no luck")

    (row,) = mf.sweep(
        STUDENTS[:1], [teacher(X)], X, [0], train={"callback": callback}, classify=True, workers=1
    )
    assert row["status"] == "failed" and row["message"] == "RuntimeError: no luck"
    assert np.isnan(row["loss"]) and row["kind"] is None and not row["converged"]


def test_bad_input(teacher):
    with pytest.raises(TypeError, match="students: expected a list or a dictionary"):
        mf.sweep("tanh", [teacher], X, [0])
    with pytest.raises(ValueError, match="teachers: expected at least one, got none"):
        mf.sweep(STUDENTS, [], X, [0])
    with pytest.raises(TypeError, match="a TeacherNet, a function or an array of targets"):
        mf.sweep(STUDENTS, ["teacher"], X, [0])
    with pytest.raises(ValueError, match="seeds: expected different numbers"):
        mf.sweep(STUDENTS, [teacher], X, [0, 0])
    with pytest.raises(TypeError, match="unexpected keyword"):
        mf.sweep(STUDENTS, [teacher], X, [0], train={"maxt": 1})
