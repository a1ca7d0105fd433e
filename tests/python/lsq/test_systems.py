"""The three systems answer alike, for any right-hand side, again and again."""

import pytest
import torch

from mlpflow.lsq.systems import NormalSystem, RowSystem, TriangularSystem

SIZE = 12
KINDS = {"normal": NormalSystem, "dual": RowSystem, "qr": TriangularSystem}


def made(kind, B, u):
    """From pieces, scaled by 0.25 as a weight / N scales them."""
    system = KINDS[kind](SIZE, B.device)
    for rows, residuals in zip(B.split(5), u.split(5), strict=True):
        system.add(rows, residuals, 0.25)
    system.finish()
    return system


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("rows", [8, 30])
def test_damped_steps(kind, rows):
    B, u = torch.randn(rows, SIZE), torch.randn(rows)
    system = made(kind, B, u)
    B, u = B / 2, u / 2
    scales = None, torch.rand(SIZE) + 0.5
    frees = None, torch.arange(SIZE) % 3 > 0
    others = system.gradient, B.T @ torch.randn(rows)
    for damping in (0.3, 0.02, 0.3):  # a factor that is kept must not serve another damping
        for scale in scales:
            for free in frees:
                for g in others:
                    D = torch.ones(SIZE) if scale is None else scale
                    keep = torch.arange(SIZE) if free is None else free.nonzero().squeeze(1)
                    A = (B.T @ B + damping * torch.diag(D**2))[keep][:, keep]
                    want = torch.zeros(SIZE)
                    want[keep] = -torch.linalg.solve(A, g[keep])
                    got = system.solve_for(g, damping, scale, free)
                    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-11)
                got = system.solve(damping, scale, free)
                want = system.solve_for(system.gradient, damping, scale, free)
                torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_sums(kind):
    B, u = torch.randn(30, SIZE), torch.randn(30)
    system = made(kind, B, u)
    B, u = B / 2, u / 2
    d = torch.randn(SIZE)
    torch.testing.assert_close(system.gradient, B.T @ u)
    torch.testing.assert_close(system.column_squares(), B.square().sum(dim=0))
    assert system.curvature(d) == pytest.approx(float((B @ d).square().sum()))


def test_solving_leaves_the_normal_equations_alone():
    B, u = torch.randn(30, SIZE), torch.randn(30)
    system = made("normal", B, u)
    before = system.matrix.clone()
    system.solve(0.1)
    assert torch.equal(system.matrix, before)


def test_an_indefinite_matrix_falls_back_to_eigenvalues():
    B = torch.randn(30, SIZE)
    B[:, 1] = B[:, 0]
    system = made("normal", B, torch.randn(30))
    system.matrix[0, 0] -= 1e-9  # as rounding could
    d = system.solve(0.0)
    assert d is not None
    residual = system.matrix @ d + system.gradient
    assert float(residual.norm()) < 1e-6 * float(system.gradient.norm())
    assert system.solve(0.0, torch.ones(SIZE)) is None
