"""Cross-entropy on the penguins: their sex from four measures.

Separable classes drive the weights to infinity; maxnorm keeps them finite, so that there is a
minimum to find.
"""

from pathlib import Path

import numpy as np

import mlpflow as mf

table = np.loadtxt(Path(__file__).parent / "data" / "penguins.csv", delimiter=",", skiprows=1)
measures, labels = table[:, [0, 1, 2, 4]], table[:, 3].astype(int)
measures = (measures - measures.mean(axis=0)) / measures.std(axis=0)

net = mf.Net([(4, "tanh", True), (2, "identity", True)], measures, labels, losstype="cross_entropy")
start = mf.random_params(net, rng=0)
result = mf.train(net, start, maxT=200, maxiterations_optim=500, maxnorm=1.0, min_gnorm=1e-10)

right = np.mean(net(result.params).argmax(axis=1) == labels)
print(f"{result.status}: loss {result.loss:.6f}, gradient norm {result.gnorm:.1e}")
print(f"{right:.1%} of {len(labels)} penguins classified right")
