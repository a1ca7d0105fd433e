"""One rank of a fit, `worker RANK SIZE FILE CORE P N STEPS`: a line of JSON.

SIZE 1: alone, with the samples of all. A negative SIZE: alone, with that share of the samples.
"""

import json
import os
import resource
import sys
import time


def main() -> None:
    """Fit, time, print."""
    rank, size, core, nparams, samples, steps = (int(sys.argv[k]) for k in (1, 2, 4, 5, 6, 7))
    os.sched_setaffinity(0, {core})

    import torch
    from torch import distributed as dist

    from mlpflow import lsq

    from .networks import Case

    torch.set_num_threads(1)
    if size > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=size
        )
    net, x, y = Case(nparams, samples, outputs=3).make()
    shares = abs(size)
    x, y = x[rank::shares].clone(), y[rank::shares].clone()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if steps > 1:  # what is loaded at first use is not timed
        lsq.fit(Case(nparams, 64, outputs=3).make()[0], (x[:64], y[:64]), max_steps=2)
    if size > 1:
        dist.barrier()
    print("ready", flush=True)
    sys.stdin.readline()  # all start together
    start = time.perf_counter()
    result = lsq.fit(net, (x, y), max_steps=steps)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {
        "seconds": seconds,
        "losses": result.history.loss,
        "trials": result.history.trials,
        "before": before * 1024,
        "peak": peak * 1024,
        "nparams": lsq.parameter_count(net),
    }
    print(json.dumps(found), flush=True)
    if size > 1:
        dist.barrier()  # a rank that leaves early breaks the other's connection
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
