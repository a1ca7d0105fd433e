"""Tables: a regression and a classification, beside gradient boosting where scikit-learn is there.

The penguins of `data/` always; scikit-learn's bundled diabetes and breast cancer tables, and its
gradient boosting, when it is installed. A quarter of the rows is the test set; of the rest a fifth
decides, as validation data, when the parameters are best: for boosting likewise. `--quick` leaves
the larger table out.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from mlpflow import lsq

try:
    from sklearn import datasets, ensemble
except ImportError:
    ensemble = None

quick = "--quick" in sys.argv
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
rng = np.random.default_rng(0)


def split(x, y):
    """Training, validation and test rows, with the columns standardised by the training rows."""
    order = rng.permutation(len(x))
    test, check, train = np.split(order, [len(x) // 4, len(x) // 4 + 3 * len(x) // 20])
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    return [(x[rows], y[rows]) for rows in (train, check, test)]


def network(inputs, outputs):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, 6), torch.nn.Tanh(), torch.nn.Linear(6, outputs)
    )


def spread(errors):
    return np.sqrt(np.mean(errors**2))


def regression(name, x, y):
    """Root mean square of the error on the test rows, relative to the spread of the target."""
    train, check, test = split(x, (y - y.mean()) / y.std())
    net = network(x.shape[1], 1)
    tensors = [[torch.from_numpy(a).reshape(len(a), -1) for a in part] for part in (train, check)]
    result = lsq.fit(net, tuple(tensors[0]), validation=tuple(tensors[1]), patience=20)
    with torch.no_grad():
        values = net(torch.from_numpy(test[0])).numpy().ravel()
    line = f"{name}: error {spread(test[1] - values):.3f} of the target's spread"
    line += f" with {lsq.parameter_count(net)} parameters in {result.time:.2f} s ({result.status})"
    if ensemble is not None:
        trees = ensemble.GradientBoostingRegressor(random_state=0)
        values = boosted(trees, train, check, test, lambda v, y: np.mean((v - y) ** 2))
        line += f"; gradient boosting {spread(test[1] - values):.3f}"
    print(line)


def classification(name, x, y):
    """The share of the test rows that is classified right."""
    train, check, test = split(x, y)
    net = network(x.shape[1], int(y.max()) + 1)
    tensors = [tuple(map(torch.from_numpy, part)) for part in (train, check)]
    result = lsq.fit(
        net, tensors[0], validation=tensors[1], loss="cross_entropy", max_steps=200, patience=20
    )
    with torch.no_grad():
        labels = net(torch.from_numpy(test[0])).argmax(dim=1).numpy()
    line = f"{name}: {np.mean(labels == test[1]):.1%} of {len(labels)} right"
    line += f" with {lsq.parameter_count(net)} parameters in {result.time:.2f} s ({result.status})"
    if ensemble is not None:
        trees = ensemble.GradientBoostingClassifier(random_state=0)
        labels = boosted(trees, train, check, test, lambda v, y: np.mean(v != y))
        line += f"; gradient boosting {np.mean(labels == test[1]):.1%}"
    print(line)


def boosted(trees, train, check, test, loss):
    """What the number of trees that is best on the validation rows says on the test rows."""
    trees.fit(*train)
    losses = [loss(values, check[1]) for values in trees.staged_predict(check[0])]
    return list(trees.staged_predict(test[0]))[int(np.argmin(losses))]


table = np.loadtxt(Path(__file__).parent / "data" / "penguins.csv", delimiter=",", skiprows=1)
regression("penguins, body mass", table[:, :4], table[:, 4])
classification("penguins, sex", table[:, [0, 1, 2, 4]], table[:, 3].astype(np.int64))
if ensemble is not None and not quick:
    regression("diabetes", *datasets.load_diabetes(return_X_y=True))
    classification("breast cancer", *datasets.load_breast_cancer(return_X_y=True))
if ensemble is None:
    print("scikit-learn is not installed: no gradient boosting beside it")
