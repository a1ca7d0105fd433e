"""What the tests of mlpflow.lsq share."""

import itertools

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def one_thread_float64_seeded():
    """Two threads are slower than one on small matrices; every test starts from the same seed."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(20240607)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


@pytest.fixture
def mlp():
    """A function from widths to an MLP of linear layers and tanh."""

    def make(*widths, activation=torch.nn.Tanh):
        parts = []
        for a, b in itertools.pairwise(widths):
            parts += [torch.nn.Linear(a, b), activation()]
        return torch.nn.Sequential(*parts[:-1])

    return make


@pytest.fixture
def slow_jacobian():
    """One backward pass a residual: the independent reference."""

    def jacobian(params, residuals):
        params = list(params)
        rows = []
        for entry in residuals.reshape(-1):
            grads = torch.autograd.grad(entry, params, retain_graph=True, allow_unused=True)
            rows.append(
                torch.cat(
                    [
                        (torch.zeros_like(p) if g is None else g).reshape(-1)
                        for p, g in zip(params, grads, strict=True)
                    ]
                )
            )
        return torch.stack(rows)

    return jacobian
