"""Which minima does a small network have on the penguins? Several starts, sorted by loss."""

from pathlib import Path

import numpy as np

import mlpflow as mf

table = np.loadtxt(Path(__file__).parent / "data" / "penguins.csv", delimiter=",", skiprows=1)
table = (table - table.mean(axis=0)) / table.std(axis=0)
net = mf.Net([(3, "tanh", True), (1, "identity", True)], table[:, :4], table[:, 4])

starts = [mf.random_params(net, rng=seed) for seed in range(6)]
runs = mf.train_many(net, starts, workers=2, maxT=300, maxiterations_optim=500, min_gnorm=1e-12)

print("      loss  gradient  smallest eigenvalue  largest parameter  status              kind")
for run in sorted(runs, key=lambda run: run.loss):
    found = mf.classify(run)
    print(
        f"{run.loss:10.7f}  {run.gnorm:8.1e}  {found.eigenvalues[0]:19.1e}  "
        f"{np.abs(run.params.flat).max():17.1f}  {run.status!s:18}  {found.kind}"
    )
print("Large parameters with a tiny eigenvalue: a neuron that has become nearly a step.")
