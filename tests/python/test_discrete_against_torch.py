"""The discrete dynamics against torch.optim in Float64, step for step.

Every iterate agrees to 1e-12 of the largest parameter. Both sides add up the same samples in
different orders, so that single gradients differ by rounding, about 1e-16. An iteration at the edge
of stability amplifies that without bound (PyTorch departs from itself by 1e-3 within 500 steps when
its samples are reordered and the rate of RMSprop is 1e-3); the learning rates here stay below it.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import mlpflow as mf

TOLERANCE = 1e-12
STEPS = 1000
LAYERS = [(6, "softplus", True), (2, "identity", True)]
SAMPLES, BATCH = 45, 16  # batches of 16, 16, 13


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """More threads than that make PyTorch up to ten times slower on tensors of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def regression(weights=None, precision="float64"):
    rng = np.random.default_rng(11)
    x = rng.standard_normal((SAMPLES, 3))
    y = np.column_stack([np.sin(x[:, 0] + x[:, 1]), x[:, 1] * x[:, 2]])
    return mf.Net(LAYERS, x, y, weights=weights, precision=precision)


def classes():
    rng = np.random.default_rng(12)
    x = rng.standard_normal((SAMPLES, 3))
    layers = [(6, "tanh", True), (3, "identity", True)]
    labels = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    return mf.Net(layers, x, labels, losstype="cross_entropy")


def torch_loss(net, module, indices):
    outputs = module(torch.from_numpy(net.inputs[indices]))
    targets = torch.from_numpy(net.targets[indices])
    if net.losstype == "cross_entropy":
        terms = torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
    else:
        terms = ((outputs - targets) ** 2).sum(1)
    if net.weights is not None:
        terms = terms * torch.from_numpy(net.weights[indices])
    return terms.mean()


def torch_iterates(net, p, make_optimizer, make_scheduler, batches, steps):
    """Flat parameters after each step, from `batches`, which gives sample numbers by epoch."""
    module = p.to_torch()
    optimizer = make_optimizer(module)
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    iterates, epoch = [], 0
    while len(iterates) < steps:
        for indices in batches(epoch):
            optimizer.zero_grad()
            torch_loss(net, module, indices).backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            vector = torch.nn.utils.parameters_to_vector(module.parameters())
            iterates.append(vector.detach().numpy().copy())
        epoch += 1
    return np.array(iterates[:steps])


def our_iterates(net, p, rule, steps, **keywords):
    records = []
    result = mf.train(
        net,
        p,
        alg=rule,
        maxiterations_ode=steps,
        maxtime_ode=np.inf,
        maxtime_optim=0,
        min_gnorm=0.0,
        minloss=-np.inf,
        callback=records.append,
        **keywords,
    )
    assert result.status == "maxiterations"
    assert [record.iteration for record in records] == list(range(1, steps + 1))
    return np.array([record.params.flat for record in records]), result


def check_equal(ours, theirs):
    scale = np.abs(theirs).max(axis=1)
    difference = np.abs(ours - theirs).max(axis=1) / scale
    worst = int(difference.argmax())
    assert difference[worst] <= TOLERANCE, f"{difference[worst]:.3g} at step {worst + 1}"


def compare(net, rule, make_optimizer, make_scheduler=None, steps=STEPS, **keywords):
    p = mf.random_params(net, rng=3)
    if "batchsize" in keywords:
        choice = {k: v for k, v in keywords.items() if k in ("batchseed", "replacement")}

        def batches(epoch):
            return mf.minibatches(net, keywords["batchsize"], epoch=epoch, **choice)
    else:

        def batches(epoch):
            return [np.arange(SAMPLES)]

    theirs = torch_iterates(net, p, make_optimizer, make_scheduler, batches, steps)
    ours, result = our_iterates(net, p, rule, steps, **keywords)
    check_equal(ours, theirs)
    return result


def sgd(**options):
    return lambda module: torch.optim.SGD(module.parameters(), **options)


def adam(**options):
    return lambda module: torch.optim.Adam(module.parameters(), **options)


def adamw(**options):
    return lambda module: torch.optim.AdamW(module.parameters(), **options)


def rmsprop(**options):
    return lambda module: torch.optim.RMSprop(module.parameters(), **options)


RULES = {
    "gradient descent": (mf.GradientDescent(learning_rate=0.05), sgd(lr=0.05)),
    "gradient descent, weight decay": (
        mf.GradientDescent(learning_rate=0.05, weight_decay=0.01),
        sgd(lr=0.05, weight_decay=0.01),
    ),
    "heavy ball": (mf.HeavyBall(learning_rate=0.01), sgd(lr=0.01, momentum=0.9)),
    "heavy ball, dampening": (
        mf.HeavyBall(learning_rate=0.02, momentum=0.8, dampening=0.3, weight_decay=0.001),
        sgd(lr=0.02, momentum=0.8, dampening=0.3, weight_decay=0.001),
    ),
    "Nesterov": (
        mf.Nesterov(learning_rate=0.01, weight_decay=0.001),
        sgd(lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.001),
    ),
    "Adam": (mf.Adam(), adam()),
    "Adam, all options": (
        mf.Adam(learning_rate=1e-3, beta1=0.3, beta2=0.99, epsilon=1e-2, weight_decay=0.01),
        adam(lr=1e-3, betas=(0.3, 0.99), eps=1e-2, weight_decay=0.01),
    ),
    "amsgrad": (mf.Adam(amsgrad=True), adam(amsgrad=True)),
    "AdamW": (mf.AdamW(), adamw()),
    "AdamW, all options": (
        mf.AdamW(learning_rate=2e-3, beta1=0.8, beta2=0.95, weight_decay=0.1, amsgrad=True),
        adamw(lr=2e-3, betas=(0.8, 0.95), weight_decay=0.1, amsgrad=True),
    ),
    "RMSprop": (mf.RMSprop(learning_rate=2e-4), rmsprop(lr=2e-4)),
    "RMSprop, centered": (
        mf.RMSprop(learning_rate=1e-3, alpha=0.9, epsilon=0.1, centered=True, weight_decay=0.01),
        rmsprop(lr=1e-3, alpha=0.9, eps=0.1, centered=True, weight_decay=0.01),
    ),
    "RMSprop, momentum": (
        mf.RMSprop(learning_rate=1e-4, momentum=0.9, centered=True),
        rmsprop(lr=1e-4, momentum=0.9, centered=True),
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_full_batch(case):
    compare(regression(), *RULES[case])


@pytest.mark.parametrize("case", RULES)
def test_minibatches(case):
    weights = np.random.default_rng(5).uniform(0.2, 2.0, SAMPLES)
    compare(regression(weights), *RULES[case], batchsize=BATCH, batchseed=7, steps=300)


def test_cross_entropy():
    compare(classes(), *RULES["Adam"])
    compare(classes(), *RULES["Nesterov"], batchsize=BATCH, steps=300)


def test_batches_with_replacement_and_of_one():
    compare(regression(), *RULES["heavy ball"], batchsize=BATCH, replacement=True, steps=300)
    small = mf.GradientDescent(learning_rate=0.005)
    compare(regression(), small, sgd(lr=0.005), batchsize=1, steps=300)


def warm_cosine(optimizer):
    warm = lr_scheduler.LinearLR(optimizer, start_factor=1 / 3, total_iters=50)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    return lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[50])


# Factors of the learning rate as PyTorch's schedulers make them.
SCHEDULES = {
    "cosine": (
        mf.Cosine(STEPS + 1),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS + 1),
    ),
    "cosine, final": (
        mf.Cosine(STEPS, final=0.25),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.25 * 0.02),
    ),
    "steps": (
        mf.StepDecay(150, factor=0.6),
        lambda o: lr_scheduler.StepLR(o, step_size=150, gamma=0.6),
    ),
    "warm-up": (
        mf.WarmUp(40, start=0.1),
        lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=40),
    ),
    "warm-up, cosine": (mf.WarmUp(50, after=mf.Cosine(STEPS)), warm_cosine),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_schedules(case):
    ours, theirs = SCHEDULES[case]
    rule = mf.HeavyBall(learning_rate=0.02, momentum=0.5, schedule=ours)
    result = compare(regression(), rule, sgd(lr=0.02, momentum=0.5), theirs)
    optimizer = sgd(lr=0.02)(torch.nn.Linear(1, 1))
    scheduler, rates = theirs(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    # PyTorch makes each rate from the one before, which gathers rounding errors.
    assert result.flow.t == pytest.approx(sum(rates), rel=1e-12)


@pytest.mark.parametrize("case", ["Adam", "AdamW", "heavy ball", "RMSprop"])
def test_tauinv_is_a_learning_rate_a_parameter(case):
    """As in PyTorch's parameter groups; zero keeps the parameter to the bit."""
    net = regression()
    rule, make = RULES[case]
    factors = [0.5, 2.0, 0.0, 1.0]

    def grouped(module):
        optimizer = make(module)
        settings = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
        groups = [
            settings | {"params": [part], "lr": rule.learning_rate * factor}
            for part, factor in zip(module.parameters(), factors, strict=True)
        ]
        return type(optimizer)(groups)

    p = mf.random_params(net, rng=3)
    parts = [np.full(np.shape(a), f) for a, f in zip(_parts(p), factors, strict=True)]
    tauinv = mf.Params([(parts[2 * k], parts[2 * k + 1]) for k in range(2)])
    result = compare(net, rule, grouped, tauinv=tauinv, steps=300)
    assert np.array_equal(result.flow.params["w2"], p["w2"])
    assert not np.array_equal(result.flow.params["w1"], p["w1"])


def _parts(p):
    return [part for pair in p.layers for part in pair]


def test_penalties_are_in_every_batch():
    net = regression()
    p = mf.random_params(net, rng=3)
    module = p.to_torch()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.02)
    theirs = []
    for epoch in range(20):
        for indices in mf.minibatches(net, BATCH, epoch=epoch):
            optimizer.zero_grad()
            flat = torch.cat([part.ravel() for part in module.parameters()])
            excess = torch.clamp((flat**2).sum() / (2 * len(flat)) - 0.02, min=0.0)
            rows = torch.cat([module[0].weight, module[0].bias[:, None]], dim=1)
            merge = 0.35 * ((rows[1] - rows[4]) ** 2).sum()
            (torch_loss(net, module, indices) + excess**3 / 3 + merge).backward()
            optimizer.step()
            vector = torch.nn.utils.parameters_to_vector(module.parameters())
            theirs.append(vector.detach().numpy().copy())
    rule = mf.GradientDescent(learning_rate=0.02)
    penalties = {"maxnorm": 0.02, "merge": (0, (1, 4), 0.7)}
    ours, _ = our_iterates(net, p, rule, 60, batchsize=BATCH, **penalties)
    check_equal(ours, np.array(theirs))


def test_single_precision():
    """Gradients in Float32, steps in Float64: near the run in Float64."""
    p = mf.random_params(regression(), rng=3)
    single, _ = our_iterates(
        regression(precision="float32"), p, mf.Adam(), 200, batchsize=BATCH, batchseed=1
    )
    double, _ = our_iterates(regression(), p, mf.Adam(), 200, batchsize=BATCH, batchseed=1)
    assert not np.array_equal(single, double)
    np.testing.assert_allclose(single, double, atol=1e-4)
