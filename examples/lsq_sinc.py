"""sin(10 pi x)/(10 pi x) by a sigmoid network of 300 parameters: Levenberg-Marquardt in float64.

Default options: above 100 parameters steps may lead uphill along a curved valley. `--quick` takes
fewer points and steps.
"""

import sys

import torch

from mlpflow import lsq

quick = "--quick" in sys.argv
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(0)

points, width, steps = (200, 40, 400) if quick else (1000, 100, 1000)

# A Latin hypercube (one point in each of equal cells) and both ends.
inside = (torch.arange(points - 2) + torch.rand(points - 2)) / (points - 2)
x = (2 * torch.cat([torch.zeros(1), inside, torch.ones(1)]) - 1).reshape(-1, 1)
net = torch.nn.Sequential(
    torch.nn.Linear(1, width), torch.nn.Sigmoid(), torch.nn.Linear(width, 1, bias=False)
)

result = lsq.fit(net, (x, torch.sinc(10 * x)), max_steps=steps)

grid = torch.linspace(-1, 1, 100_000).reshape(-1, 1)
with torch.no_grad():
    error = (net(grid) - torch.sinc(10 * grid)).abs().max()
print(f"{lsq.parameter_count(net)} parameters, {result}")
print(f"largest error on {len(grid):,} points: {error:.1e}")
