"""Bad input: one sentence with expected and actual, and nothing reaches the engine."""

import numpy as np
import pytest

import mlpflow as mf
from mlpflow.engine import current_engine

X = np.linspace(-1, 1, 40).reshape(20, 2)
Y = X[:, :1] ** 2
LAYERS = [(3, "tanh", True), (1, "identity", True)]
CLASSES = [(3, "tanh", True), (3, "identity", True)]


def net(layers=LAYERS, x=X, y=Y, **keywords):
    return mf.Net(layers, x, y, **keywords)


def with_value(array, place, value):
    changed = np.array(array, dtype=float)
    changed[place] = value
    return changed


BAD_NETS = {
    "no layers": ({"layers": []}, ValueError, r"layers: expected at least one.*got none"),
    "text for layers": ({"layers": "3:tanh"}, TypeError, r"layers: expected a list such as"),
    "one triple": ({"layers": (1, "identity", True)}, TypeError, r"write \[\(1, 'identity', True"),
    "a pair": (
        {"layers": [(1, "tanh")]},
        TypeError,
        r"layers\[0\]: expected \(width, activation, b",
    ),
    "width 0": ({"layers": [(0, "tanh", True)]}, ValueError, "expected at least 1 neuron, got 0"),
    "width 1.5": (
        {"layers": [(1.5, "tanh", True)]},
        TypeError,
        "whole number of neurons, got 1.5",
    ),
    "bias 1": ({"layers": [(1, "tanh", 1)]}, TypeError, "expected True or False for the bias"),
    "unknown activation": (
        {"layers": [(3, "sigmiod", True), (1, "identity", True)]},
        ValueError,
        r"layers\[0\]: expected an activation .*'sigmiod'; did you mean \"sigmoid\"\?",
    ),
    "a function": (
        {"layers": [(1, np.tanh, True)]},
        TypeError,
        r'got <ufunc .*did you mean "tanh"',
    ),
    "softmax": ({"layers": [(1, "softmax", True)]}, ValueError, 'losstype="cross_entropy"'),
    "too few activations": (
        {"layers": [(3, ["tanh", "relu"], True), (1, "identity", True)]},
        ValueError,
        "expected one activation or 3 of them, one a neuron, got 2",
    ),
    "1-d inputs": ({"x": X[:, 0]}, ValueError, r"expected shape \(N, Din\), got \(20,\).*None\]"),
    "3-d inputs": ({"x": X[None]}, ValueError, r"expected shape \(N, Din\).*got \(1, 20, 2\)"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, ValueError, r"at least one sample.*got \(0, 2\)"),
    "ragged": ({"x": [[1, 2], [3]]}, ValueError, "rectangular array, got rows of different"),
    "text": (
        {"x": [["a", "b"]]},
        TypeError,
        "inputs: expected real numbers, got text such as 'a'",
    ),
    "complex": ({"x": X + 1j}, TypeError, "expected real numbers, got complex numbers"),
    "objects": ({"x": np.array([[None]])}, TypeError, "got an array of object"),
    "None": ({"x": None}, TypeError, "inputs: expected real numbers, got a NoneType"),
    "NaN inputs": (
        {"x": with_value(X, (3, 1), np.nan)},
        ValueError,
        r"inputs: expected finite numbers, got nan at index \(3, 1\)$",
    ),
    "Inf targets": (
        {"y": with_value(Y, (slice(4, 6), 0), np.inf)},
        ValueError,
        r"targets: expected finite numbers, got inf at index \(4, 0\) and 1 more",
    ),
    "transposed inputs": (
        {"x": X.T},
        ValueError,
        r"inputs \(2, 20\) and targets \(20, 1\); inputs look transposed",
    ),
    "transposed targets": (
        {"y": Y.T},
        ValueError,
        r"targets \(1, 20\); targets look transposed: pass targets.T",
    ),
    "both transposed": (
        {"x": X.T, "y": Y.T},
        ValueError,
        r"both look transposed: pass inputs.T and targets.T",
    ),
    "both transposed, square": (
        {"layers": [(2, "identity", True)], "x": X.T, "y": X.T},
        ValueError,
        r"expected targets of shape \(N, 2\).*got \(2, 20\).*pass inputs.T and targets.T",
    ),
    "fewer targets": ({"y": Y[:7]}, ValueError, r"\(20, 2\) and targets \(7, 1\); they must have"),
    "wrong width": (
        {"layers": [(2, "identity", True)]},
        ValueError,
        r"expected targets of shape \(N, 2\)",
    ),
    "weights of the wrong length": (
        {"weights": np.ones(7)},
        ValueError,
        r"weights: expected shape \(20,\).*got \(7,\)",
    ),
    "a negative weight": (
        {"weights": with_value(np.ones(20), 5, -2)},
        ValueError,
        r"weights: expected numbers >= 0, got -2.0 at index 5",
    ),
    "a NaN weight": (
        {"weights": with_value(np.ones(20), 5, np.nan)},
        ValueError,
        "weights: expected finite",
    ),
    "unknown loss": (
        {"losstype": "crossentropy"},
        ValueError,
        "got 'crossentropy'; did you mean \"cross_en",
    ),
    "label too large": (
        {"layers": CLASSES, "y": np.arange(20) % 4, "losstype": "cross_entropy"},
        ValueError,
        "expected labels from 0 to 2, one a neuron of the last layer, got 3 at index 3$",
    ),
    "labels from 1": (
        {"layers": CLASSES, "y": np.arange(20) % 3 + 1, "losstype": "cross_entropy"},
        ValueError,
        "got 3 at index 2; labels count from 0",
    ),
    "negative label": (
        {"layers": CLASSES, "y": -(np.arange(20) % 3), "losstype": "cross_entropy"},
        ValueError,
        "got -1 at index 1",
    ),
    "labels as floats": (
        {"layers": CLASSES, "y": np.zeros(20), "losstype": "cross_entropy"},
        TypeError,
        r"expected integer labels .*got float64 of shape \(20,\); write targets.astype\(int\)",
    ),
    "no probabilities": (
        {"layers": CLASSES, "y": np.ones((20, 3)), "losstype": "cross_entropy"},
        ValueError,
        "expected rows of probabilities.*got the sum 3 and the smallest entry 1 in row 0",
    ),
    "negative probabilities": (
        {"layers": CLASSES, "y": np.tile([2.0, -0.5, -0.5], (20, 1)), "losstype": "cross_entropy"},
        ValueError,
        "the smallest entry -0.5 in row 0",
    ),
}


@pytest.fixture
def silent_engine(monkeypatch):
    """Fails the test when anything is sent, and checks that the engine works afterwards."""
    engine = current_engine()
    engine.call("ping", {})

    def refuse(*args, **keywords):
        raise AssertionError("bad input reached the engine")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "call", refuse)
        yield
    assert engine.call("echo", {"value": 1}) == 1


def check(function, error, message):
    with pytest.raises(error, match=message) as caught:
        function()
    text = str(caught.value)
    assert "\n" not in text
    assert "expected" in text


@pytest.mark.parametrize("case", BAD_NETS)
def test_bad_networks(case, silent_engine):
    keywords, error, message = BAD_NETS[case]
    check(lambda: net(**keywords), error, message)


P = np.zeros(13)

BAD_CALLS = {
    "too short": (lambda n: mf.loss(n, P[:9]), ValueError, r"shape \(13,\) .*got \(9,\)"),
    "a matrix": (lambda n: mf.gradient(n, np.zeros((13, 1))), ValueError, r"got \(13, 1\)"),
    "text": (lambda n: mf.hessian(n, "abc"), TypeError, "parameters: expected real numbers"),
    "other layers": (
        lambda n: mf.loss(n, mf.Params([(np.zeros((1, 2)), None)])),
        ValueError,
        r"expected the layers 3 x 2 \+ bias, 1 x 3 \+ bias, got 1 x 2",
    ),
    "no net": (lambda n: mf.loss(P, n), TypeError, "expected a mlpflow.Net as the first argument"),
    "a negative maxnorm": (
        lambda n: mf.loss(n, P, maxnorm=-1),
        ValueError,
        "maxnorm: expected a number of at least 0",
    ),
    "maxnorm NaN": (lambda n: mf.loss(n, P, maxnorm=np.nan), ValueError, "maxnorm: .*got nan"),
    "maxnorm as text": (
        lambda n: mf.loss(n, P, maxnorm="1"),
        TypeError,
        "expected a number, got '1'",
    ),
    "merge of two": (
        lambda n: mf.loss(n, P, merge=(0, 1)),
        TypeError,
        r"merge: expected \(layer, \(",
    ),
    "merge layer": (
        lambda n: mf.loss(n, P, merge=(2, (0, 1), 1)),
        ValueError,
        "a layer from 0 to 1, got 2",
    ),
    "merge neuron": (
        lambda n: mf.hessian_spectrum(n, P, merge=(0, (0, 3), 1)),
        ValueError,
        r"two different neurons from 0 to 2 of layer 0, got \(0, 3\)",
    ),
    "merge with itself": (
        lambda n: mf.loss(n, P, merge=(0, (1, 1), 1)),
        ValueError,
        r"got \(1, 1\)",
    ),
    "merge strength": (
        lambda n: mf.loss(n, P, merge=(0, (0, 1), -1)),
        ValueError,
        "strength: expected a number of",
    ),
    "transposed x": (
        lambda n: n(P, X.T),
        ValueError,
        r"x: expected shape \(N, 2\), got \(2, 20\); x looks tra",
    ),
    "one sample": (lambda n: n(P, [1.0, 2.0]), ValueError, r"a single sample is x\[None, :\]"),
    "NaN in x": (
        lambda n: n(P, [[1.0, np.nan]]),
        ValueError,
        "x: expected finite numbers, got nan",
    ),
    "unknown keyword": (
        lambda n: mf.train(n, P, maxtime_odee=3),
        TypeError,
        "unexpected keyword 'maxtime_odee'; did you mean \"maxtime_ode\"",
    ),
    "case": (lambda n: mf.train(n, P, maxt=3), TypeError, 'did you mean "maxT"'),
    "losstype": (lambda n: mf.train(n, P, losstype="mse"), TypeError, "belongs to mlpflow.Net"),
    "unknown alg": (lambda n: mf.train(n, P, alg="dp5"), ValueError, 'did you mean "DP5"'),
    "unknown solver": (
        lambda n: mf.train(n, P, optim_solver="newtn"),
        ValueError,
        'did you mean "newton"',
    ),
    "negative budget": (
        lambda n: mf.train(n, P, maxtime_ode=-1),
        ValueError,
        "maxtime_ode: expected a number of at l",
    ),
    "tolerance 0": (
        lambda n: mf.train(n, P, abstol=0),
        ValueError,
        "abstol: expected a number above",
    ),
    "half an iteration": (
        lambda n: mf.train(n, P, maxiterations_optim=0.5),
        ValueError,
        "expected a whole number, got 0.5",
    ),
    "iterations as text": (
        lambda n: mf.train(n, P, patience="many"),
        TypeError,
        "patience: expected a whole number",
    ),
    "batches": (lambda n: mf.train(n, P, batchsize=10), ValueError, "batchsize: expected None"),
    "batches of a flow": (
        lambda n: mf.train(n, P, alg="DP5", batchsize=10),
        ValueError,
        "batchsize: expected None with alg='DP5', because a gradient flow uses all samples",
    ),
    "a batch too large": (
        lambda n: mf.train(n, P, alg=mf.Adam(), batchsize=21),
        ValueError,
        "batchsize: expected at most the number of samples, 20, got 21",
    ),
    "an empty batch": (
        lambda n: mf.train(n, P, alg="Adam", batchsize=0),
        ValueError,
        "batchsize: expected a whole number of at least 1, got 0",
    ),
    "a negative batchseed": (
        lambda n: mf.train(n, P, alg="Adam", batchsize=3, batchseed=-1),
        ValueError,
        "batchseed: expected a whole number of at least 0, got -1",
    ),
    "a batchseed beyond 64 bits": (
        lambda n: mf.train(n, P, alg="Adam", batchsize=3, batchseed=2**63),
        ValueError,
        r"batchseed: expected a number below 2\*\*63",
    ),
    "replacement": (
        lambda n: mf.train(n, P, alg="Adam", replacement="yes"),
        TypeError,
        "replacement: expected True or False, got 'yes'",
    ),
    "a rule in lower case": (
        lambda n: mf.train(n, P, alg="rmsprop"),
        ValueError,
        'alg: expected one of .*did you mean "RMSprop"',
    ),
    "a rule without its rate": (
        lambda n: mf.train(n, P, alg="GradientDescent"),
        ValueError,
        r"such as mlpflow.GradientDescent\(learning_rate=0.1\), got 'GradientDescent'",
    ),
    "a class for a rule": (
        lambda n: mf.train(n, P, alg=mf.Adam),
        ValueError,
        "alg: expected one of",
    ),
    "minibatches of p": (
        lambda n: mf.minibatches(P, 3),
        TypeError,
        "minibatches: expected a mlpflow.Net",
    ),
    "minibatches too large": (
        lambda n: mf.minibatches(n, 100),
        ValueError,
        "batchsize: expected at most the number of samples, 20, got 100",
    ),
    "minibatches of epoch -1": (
        lambda n: mf.minibatches(n, 3, epoch=-1),
        ValueError,
        "epoch: expected a whole number of at least 0, got -1",
    ),
    "a learning rate of 0": (
        lambda n: mf.Adam(learning_rate=0),
        ValueError,
        "Adam.learning_rate: expected a number above 0, got 0",
    ),
    "an infinite learning rate": (
        lambda n: mf.GradientDescent(learning_rate=np.inf),
        ValueError,
        "GradientDescent.learning_rate: expected a finite number, got inf",
    ),
    "a learning rate as text": (
        lambda n: mf.RMSprop(learning_rate="0.1"),
        TypeError,
        "RMSprop.learning_rate: expected a number, got '0.1'",
    ),
    "momentum 1": (
        lambda n: mf.HeavyBall(learning_rate=0.1, momentum=1),
        ValueError,
        "HeavyBall.momentum: expected a number of at least 0 and below 1, got 1",
    ),
    "dampening 2": (
        lambda n: mf.HeavyBall(learning_rate=0.1, dampening=2),
        ValueError,
        "HeavyBall.dampening: expected a number of at least 0 and at most 1, got 2",
    ),
    "a negative weight decay": (
        lambda n: mf.AdamW(weight_decay=-1),
        ValueError,
        "AdamW.weight_decay: expected a number of at least 0, got -1",
    ),
    "beta2 NaN": (
        lambda n: mf.Adam(beta2=np.nan),
        ValueError,
        "Adam.beta2: expected a number.*got nan",
    ),
    "amsgrad 1": (
        lambda n: mf.Adam(amsgrad=1),
        TypeError,
        "Adam.amsgrad: expected True or False, got 1",
    ),
    "a schedule's name": (
        lambda n: mf.Adam(schedule="cosine"),
        TypeError,
        r"Adam.schedule: expected a schedule such as mlpflow.Cosine\(1000\), got 'cosine'",
    ),
    "a cosine of 0 steps": (
        lambda n: mf.Cosine(0),
        ValueError,
        "Cosine.steps: expected a whole number of at least 1, got 0",
    ),
    "a cosine that ends above 1": (
        lambda n: mf.Cosine(10, final=1.5),
        ValueError,
        "Cosine.final: expected a number of at least 0 and at most 1, got 1.5",
    ),
    "a decay to 0": (
        lambda n: mf.StepDecay(10, factor=0),
        ValueError,
        "StepDecay.factor: expected a number above 0 and at most 1, got 0",
    ),
    "a warm-up from 0": (
        lambda n: mf.WarmUp(10, start=0),
        ValueError,
        "WarmUp.start: expected a number above 0 and at most 1, got 0",
    ),
    "a warm-up before a number": (
        lambda n: mf.WarmUp(10, after=3),
        TypeError,
        "WarmUp.after: expected a schedule such as",
    ),
    "short tauinv": (
        lambda n: mf.train(n, P, tauinv=np.ones(3)),
        ValueError,
        r"tauinv: .*\(13,\).*got \(3,\)",
    ),
    "negative tauinv": (
        lambda n: mf.train(n, P, tauinv=-1.0),
        ValueError,
        "tauinv: expected a number of at least 0",
    ),
    "progress": (lambda n: mf.train(n, P, progress="yes"), TypeError, "progress: expected True, F"),
    "callback": (lambda n: mf.train(n, P, callback=3), TypeError, "callback: expected a function"),
    "train of p": (lambda n: mf.train(P, n), TypeError, "train: expected a mlpflow.Net"),
    "no rng": (
        lambda n: mf.random_params(n, rng=None),
        TypeError,
        "rng: expected a numpy.random.Ge",
    ),
    "distribution": (
        lambda n: mf.random_params(n, rng=0, distribution="glorot"),
        ValueError,
        "distribution: expected one of glorot_normal, glorot_uniform, got 'glorot'",
    ),
    "teacher without params": (
        lambda n: mf.TeacherNet(LAYERS, inputs=2),
        TypeError,
        "expected params, or rng",
    ),
    "teacher inputs": (
        lambda n: mf.TeacherNet(LAYERS, inputs=0, rng=0),
        ValueError,
        "inputs: expected at least 1",
    ),
    "teacher inputs as an array": (
        lambda n: mf.TeacherNet(LAYERS, inputs=X, rng=0),
        TypeError,
        "inputs: expected the number",
    ),
    "no coefficients": (lambda n: mf.Poly(), ValueError, "expected at least one coefficient"),
    "empty activation": (
        lambda n: mf.Activation("a", "sin", "", "cos"),
        TypeError,
        "Julia function.*for deriv, got ''",
    ),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_calls(case, silent_engine):
    call, error, message = BAD_CALLS[case]
    good = net()
    check(lambda: call(good), error, message)
