"""One rank of fits by every solver: python ranks.py RANK SIZE FILE; prints the losses."""

import json
import sys

import torch
from torch import distributed as dist

from mlpflow import lsq

rank, size, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=size)
torch.manual_seed(0)
x = torch.randn(301, 2)
y = torch.sin(x.sum(dim=1, keepdim=True))
histories = {}
for solver in ("auto", "normal", "dual"):
    torch.manual_seed(rank)  # rank 0's start is everybody's
    model = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
    # Undamped steps of normal equations, which the radius takes, magnify rounding by the square of
    # the condition number.
    damping = "auto" if solver == "auto" else "nielsen"
    data = (x[rank::size], y[rank::size])
    result = lsq.fit(model, data, solver=solver, damping=damping, max_steps=15)
    histories[solver] = result.history.loss
print(json.dumps(histories), flush=True)
if size > 1:
    dist.barrier()  # a rank that leaves early breaks the other's connection
    dist.destroy_process_group()
