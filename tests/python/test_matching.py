"""Matching of student and teacher neurons: permutations, symmetries, duplicates, the dead."""

import sys

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.symmetries import Symmetry, symmetry


def network(activation, incoming, outgoing, bias=None, inputs=2):
    """A TeacherNet from one row [w b] a neuron and one row of outgoing weights a neuron."""
    incoming, outgoing = np.asarray(incoming), np.asarray(outgoing)
    layers = [
        (len(incoming), activation, True),
        (outgoing.shape[1], "identity", bias is not None),
    ]
    p = mf.Params([(incoming[:, :-1], incoming[:, -1]), (outgoing.T, bias)])
    return mf.TeacherNet(layers, inputs=inputs, params=p.flat)


def random_teacher(activation, rng, neurons=5, outputs=2):
    return network(
        activation,
        rng.normal(size=(neurons, 3)),
        rng.normal(size=(neurons, outputs)),
        rng.normal(size=outputs),
    )


def rows(net):
    (w1, b1), (w2, b2) = net.params.layers
    return np.column_stack([w1, b1]), w2.T.copy(), b2


@pytest.mark.parametrize(
    "activation",
    ["tanh", "sigmoid", "sigmoid2", "normal_cdf", "square", "softplus", "relu", "cube"],
)
def test_a_disguised_teacher_is_found(activation, rng):
    """Permuted, with signs and scales turned, split, with silent, constant neurons and noise."""
    teacher = random_teacher(activation, rng)
    own = symmetry(activation)
    incoming, outgoing, bias = rows(teacher)
    order = rng.permutation(5)
    signs = rng.choice([-1, 1], 5) if own.parity else np.ones(5)
    scales = rng.uniform(0.5, 2, 5) if own.degree else np.ones(5)
    v = signs[:, None] * scales[:, None] * incoming[order]
    a = outgoing[order] / scales[:, None] ** own.degree
    if own.parity < 0:
        bias = bias + (own.constant * a)[signs < 0].sum(axis=0)
        a = np.where(signs[:, None] < 0, -a, a)
    # The first becomes two, with parts 0.7 and 0.3; then a silent neuron.
    v = np.vstack([v, v[:1], rng.normal(size=(1, 3))])
    a = np.vstack([0.7 * a[:1], a[1:], 0.3 * a[:1], np.zeros((1, 2))])
    noise = 1e-6
    student = network(activation, v + noise * rng.normal(size=v.shape), a, bias)
    x = rng.normal(size=(50, 2))
    assert student(x) == pytest.approx(teacher(x), abs=1e-3)

    found = mf.match_neurons(student, teacher)
    assert [match.teacher for match in found.matches] == [0, 1, 2, 3, 4]
    for position, original in enumerate(order):
        match = found.matches[original]
        assert match.student == position
        assert match.flipped == (signs[position] < 0)
        assert match.distance < 20 * noise
    members = found.matches[order[0]].students
    assert [m.neuron for m in members] == [0, 5]
    assert [m.part for m in members] == pytest.approx([0.7, 0.3], abs=1e-5)
    assert [(extra.student, extra.kind) for extra in found.extras] == [(6, "silent")]
    assert found.missing == () and found.distance < 20 * noise
    assert found.constant == pytest.approx(np.zeros(2), abs=1e-9)
    assert found.aligned.flat == pytest.approx(teacher.params.flat, abs=20 * noise)
    assert "silent" in repr(found) and "(0.7)" in repr(found)


def test_the_hungarian_method_finds_the_least_sum():
    """Nearest first would take student 0 for teacher 0 and pay for it."""
    teacher = network("softplus", [[0.0, 1, 0], [0.0, 2, 0]], [[1.0], [1.0]])
    student = network("softplus", [[0.0, 1.4, 0], [0.0, -1, 0]], [[1.0], [1.0]])
    found = mf.match_neurons(student, teacher)
    assert [match.student for match in found.matches] == [1, 0]


def test_without_output_bias_a_constant_neuron_can_stand_for_it():
    """Turning a sigmoid leaves a constant, here made by a neuron with incoming weights 0."""
    t = np.array([[1.0, 2.0, 0.3], [-1.5, 0.5, -0.2]])
    teacher = network("sigmoid", t, [[2.0], [0.7]])
    student = network("sigmoid", [-t[0], t[1], [0, 0, 0]], [[-2.0], [0.7], [4.0]])
    x = np.random.default_rng(0).normal(size=(20, 2))
    assert student(x) == pytest.approx(teacher(x))
    found = mf.match_neurons(student, teacher)
    assert [match.flipped for match in found.matches] == [True, False]
    assert found.extras[0].role == "the constant 2: its incoming weights are 0"
    assert found.constant == pytest.approx([0], abs=1e-14)
    missing = network("sigmoid", [-t[0], t[1]], [[-2.0], [0.7]])
    assert mf.match_neurons(missing, teacher).constant == pytest.approx([-2.0])


def test_opposite_neurons_are_one():
    """3 tanh(z) - tanh(-z) = 4 tanh(z), and z^2/2 is even."""
    for activation, second, total in [("tanh", -1.0, 4.0), ("square", 1.0, 4.0)]:
        teacher = network(activation, [[1.0, 2.0, 0.5]], [[total]])
        student = network(activation, [[1.0, 2.0, 0.5], [-1.0, -2.0, -0.5]], [[3.0], [second]])
        (match,) = mf.match_neurons(student, teacher).matches
        assert [(m.neuron, m.sign) for m in match.students] == [(0, 1), (1, -1)]
        assert match.distance < 1e-14


TURNABLE = ["softplus", "gelu", "silu", "relu", mf.Poly(0, 0.5, 1, 0, 2)]


@pytest.mark.parametrize("activation", TURNABLE)
def test_turned_neurons_whose_linear_functions_cancel(activation):
    """softplus(z) - softplus(-z) = z: a pair can be turned when its weights add up to 0."""
    t = np.array([[1.0, 2.0, 0.3], [-1.5, 0.5, -0.2], [-0.5, -1.0, 0.7]])
    a = np.array([[1.0], [0.6], [2.0]])  # 1 * t[0] + 2 * t[2] = (0, 0, 1.7)
    teacher = network(activation, t, a, [0.1])
    student = network(
        activation,
        np.vstack([-t[[2, 0]], t[[1]]]),
        a[[2, 0, 1]],
        [0.1 + 1.7 * symmetry(activation).slope],
    )
    x = np.random.default_rng(0).normal(size=(20, 2))
    assert student(x) == pytest.approx(teacher(x))
    found = mf.match_neurons(student, teacher)
    assert [m.student for m in found.matches] == [1, 2, 0]
    assert [m.flipped for m in found.matches] == [True, False, True]
    assert found.distance < 1e-14
    assert found.constant == pytest.approx([0], abs=1e-14) and not found.linear.any()
    assert found.aligned.flat == pytest.approx(teacher.params.flat, abs=1e-14)


def test_what_turning_leaves_is_the_difference_of_the_functions(rng):
    teacher = network("softplus", [[1.0, 2.0, 0.3], [-1.5, 0.5, -0.2]], [[1.0], [0.6]], [0.0])
    incoming, outgoing, bias = rows(teacher)
    student = network("softplus", incoming * [[-1], [1]], outgoing, bias)
    found = mf.match_neurons(student, teacher)
    assert [m.flipped for m in found.matches] == [True, False] and found.distance == 0
    x = rng.normal(size=(20, 2))
    difference = found.constant + x @ found.linear.T
    assert student(x) - teacher(x) == pytest.approx(difference) and np.ptp(difference) > 1
    # A linear function that is worse than the distances: nothing is turned.
    loud = network("softplus", incoming * [[-1], [1]], 10 * outgoing, bias)
    large = network("softplus", incoming, 10 * outgoing, bias)
    found = mf.match_neurons(loud, large)
    assert not any(m.flipped for m in found.matches) and not found.linear.any()


def test_opposite_softplus_neurons_are_two():
    """Unlike those of an odd or even activation."""
    teacher = network("softplus", [[1.0, 2.0, 0.5], [-1.0, -2.0, -0.5]], [[1.0], [0.7]])
    found = mf.match_neurons(teacher, teacher)
    assert [m.student for m in found.matches] == [0, 1] and found.distance == 0


def test_saturated_neurons_are_dead_and_count_as_a_constant(rng):
    teacher = network("sigmoid", [[1.0, 0.5, 0.1]], [[1.0]], [0.25])
    student = network("sigmoid", [[0.1, 0.1, 50.0], [1.0, 0.5, 0.1]], [[0.75], [1.0]], [-0.5])
    assert mf.match_neurons(student, teacher).extras[0].kind == "other"
    found = mf.match_neurons(student, teacher, inputs=rng.normal(size=(30, 2)))
    assert [(e.student, e.kind, e.role) for e in found.extras] == [
        (0, "dead", "dead: it is 1 on all 30 inputs")
    ]
    assert found.constant == pytest.approx([0.0], abs=1e-12)


def test_cancelled_dead_and_other_neurons(rng):
    teacher = network("relu", [[1.0, 0.5, 0.1]], [[1.0]])
    student = network(
        "relu",
        [[1.0, 0.5, 0.1], [2.0, -1, 0.3], [2.0, -1, 0.3], [0.1, 0.1, -50], [0.3, 0.9, -0.2]],
        [[1.0], [0.8], [-0.8], [1.0], [0.4]],
    )
    found = mf.match_neurons(student, teacher, inputs=rng.normal(size=(30, 2)))
    assert [(e.student, e.kind) for e in found.extras] == [
        (1, "cancelled"),
        (2, "cancelled"),
        (3, "dead"),
        (4, "other"),
    ]
    assert found.extras[2].role == "dead: it is 0 on all 30 inputs"


def test_fewer_neurons_than_the_teacher(rng):
    teacher = random_teacher("tanh", rng, neurons=4)
    incoming, outgoing, bias = rows(teacher)
    student = network("tanh", incoming[[2, 0]], outgoing[[2, 0]], bias)
    found = mf.match_neurons(student, teacher)
    assert [(match.teacher, match.student) for match in found.matches] == [(0, 1), (2, 0)]
    assert found.missing == (1, 3) and np.isnan(found.distance)
    assert np.array_equal(found.aligned["w1"][[0, 2]], incoming[[0, 2], :2])
    assert not found.aligned["w1"][[1, 3]].any()
    assert "teacher 3: missing" in repr(found)


def test_neurons_are_matched_within_their_activation():
    layers = [(3, ["tanh", "relu", "tanh"], False), (1, "identity", False)]
    teacher = mf.TeacherNet(layers, inputs=1, params=[1.0, 2.0, 3.0, 1.0, 1.0, 1.0])
    order = [(3, ["relu", "tanh", "tanh"], False), (1, "identity", False)]
    student = mf.TeacherNet(order, inputs=1, params=[2.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    assert [m.student for m in mf.match_neurons(student, teacher).matches] == [2, 0, 1]
    only = mf.TeacherNet([(1, "relu", False), layers[1]], inputs=1, params=[2.0, 1.0])
    found = mf.match_neurons(only, teacher)
    assert found.missing == (0, 2) and [m.teacher for m in found.matches] == [1]


def test_a_trained_student_and_plain_parameters():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((500, 2))
    layers = [(2, "tanh", False), (1, "identity", False)]
    teacher = mf.TeacherNet(layers, inputs=2, params=[1.0, 0.3, -0.4, 1.2, 1.5, -2.0])
    net = mf.Net([(3, "tanh", False), layers[1]], x, teacher(x))
    runs = [mf.train(net, mf.random_params(net, rng=s), maxT=200) for s in range(3)]
    result = min(runs, key=lambda run: run.loss)
    assert result.loss < 1e-20
    unnamed = mf.Params([([[1.0, 0.3], [-0.4, 1.2]], None), ([[1.5, -2.0]], None)])
    assert mf.match_neurons(result, unnamed).distance < 1e-6


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (mf.Poly(0, 1, 0, 2), Symmetry(-1)),
        (mf.Poly(3, 1), Symmetry(-1, constant=6.0)),
        (mf.Poly(1, 0, 2), Symmetry(1)),
        (mf.Poly(0, 0, 0, 2), Symmetry(-1, degree=3)),
        (mf.Poly(1, 1, 1), Symmetry(slope=2.0)),
        (mf.Poly(0, 1, 1, 1), Symmetry()),
        (mf.Activation("sine", "sin", "cos", "x -> -sin(x)"), Symmetry()),
    ],
)
def test_symmetries_of_polynomials(activation, expected):
    assert symmetry(activation) == expected


@pytest.mark.parametrize("name", mf.ACTIVATIONS)
def test_symmetries_hold(name):
    own = symmetry(name)
    net = mf.TeacherNet([(1, name, False)], inputs=1, params=[1.0])
    z = np.linspace(-3, 3, 13)[:, None]
    if own.parity:
        constant = own.constant if own.parity < 0 else 0.0
        assert net(-z) == pytest.approx(constant + own.parity * net(z), abs=1e-14)
    else:
        for parity in (-1, 1):
            assert np.ptp(net(-z) - parity * net(z)) > 0.1
    if own.slope:
        assert net(-z) == pytest.approx(net(z) - own.slope * z, abs=1e-14)
    if own.degree:
        assert net(1.7 * z) == pytest.approx(1.7**own.degree * net(z), abs=1e-12)


def test_without_scipy(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    teacher = random_teacher("tanh", rng)
    with pytest.raises(ImportError, match="expected SciPy to be installed, got none; pip install"):
        mf.match_neurons(teacher, teacher)


def test_bad_input(rng):
    teacher = random_teacher("tanh", rng)
    deep = mf.TeacherNet(
        [(2, "tanh", True), (2, "tanh", True), (1, "identity", True)], inputs=2, rng=0
    )
    with pytest.raises(ValueError, match="student: expected one hidden layer, got 2"):
        mf.match_neurons(deep, teacher)
    with pytest.raises(TypeError, match="teacher: expected a TeacherNet, a TrainResult or Params"):
        mf.match_neurons(teacher, np.zeros(3))
    with pytest.raises(ValueError, match="expected parameters that know their activations"):
        mf.match_neurons(mf.Params([([[1.0]], None), ([[1.0]], None)]), teacher)
    with pytest.raises(ValueError, match="expected inputs, outputs and output activation"):
        mf.match_neurons(random_teacher("tanh", rng, outputs=1), teacher)
    with pytest.raises(ValueError, match="tolerance"):
        mf.match_neurons(teacher, teacher, tolerance=0)
