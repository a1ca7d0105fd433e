"""A PyTorch module, trained here to a minimum and handed back."""

import numpy as np
import torch
from torch import nn

import mlpflow as mf

torch.manual_seed(0)
module = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)).double()
x = np.linspace(-1, 1, 100)[:, None]
y = np.exp(-4 * x**2)

start = mf.Params.from_torch(module)
net = mf.Net(start.layer_spec, x, y)
result = mf.train(net, start, maxT=100, maxiterations_optim=1000, min_gnorm=1e-11)
trained = result.params.to_torch()

with torch.no_grad():
    before = nn.functional.mse_loss(module(torch.from_numpy(x)), torch.from_numpy(y)).item()
    after = nn.functional.mse_loss(trained(torch.from_numpy(x)), torch.from_numpy(y)).item()
print(f"PyTorch says: loss {before:.6g} before, {after:.6g} after")
print(f"mlpflow says: loss {result.loss:.6g}, gradient norm {result.gnorm:.1e}, {result.status}")
