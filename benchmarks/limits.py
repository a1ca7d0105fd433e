"""What the arithmetic of the machine allows, measured with the same Julia and BLAS."""

from __future__ import annotations

from dataclasses import dataclass, field

from .cases import Case
from .peer_julia import JuliaProcess

__all__ = ["Limits"]

# Ranks of the updates that are tried: the best one is the limit.
_RANKS = (64, 128, 256, 512, 1024)
_FLOPS_A_TRY = 2e8


@dataclass
class Limits:
    """Throughputs of one core, each measured when it is first asked for.

    Attributes
    ----------
    julia : JuliaProcess
    exp : float
        Exponentials a second: `MLPFlow.vexp` over an array in the first-level cache.
    syrk : dict
        Multiplications and additions a second of P x P updates, by P.
    gemm : dict
        The same of products (samples x n) by (n x k), by (n, k).
    """

    julia: JuliaProcess
    exp: float = 0.0
    syrk: dict[int, float] = field(default_factory=dict)
    gemm: dict[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.exp = float(self.julia.ask("exp 2000"))

    def seconds(self, case: Case, quantity: str) -> tuple[float, str] | None:
        """The least time for a quantity, and what bounds it."""
        if quantity == "gradient" and _is_wide(case):
            return self._product_bound(case), "dgemm"
        if quantity == "gradient":
            return case.samples * case.curved_neurons / self.exp, "exp"
        if quantity in ("hessian", "gauss_newton"):
            P = case.nparams
            rows = case.samples * case.outputs
            return rows * P * (P + 1) / self._syrk_rate(P), "dsyrk"
        return None

    def _syrk_rate(self, P: int) -> float:
        if P not in self.syrk:
            self.syrk[P] = max(self._rate("syrk", P * (P + 1) * rank, P, rank) for rank in _RANKS)
        return self.syrk[P]

    def _product_bound(self, case: Case) -> float:
        """Two products a layer (forward, weights) and a third for the layers above the first."""
        total = 0.0
        for number, (out, below, _) in enumerate(case.shapes):
            key = (below, out)
            flops = 2.0 * case.samples * below * out
            if key not in self.gemm:
                m = 1024
                self.gemm[key] = self._rate("gemm", 2.0 * m * out * below, m, out, below)
            total += flops * (2 if number == 0 else 3) / self.gemm[key]
        return total

    def _rate(self, verb: str, flops: float, *sizes: int) -> float:
        repeats = max(1, round(_FLOPS_A_TRY / flops))
        return float(self.julia.ask(" ".join(map(str, (verb, *sizes, repeats)))))


def _is_wide(case: Case) -> bool:
    """Whether matrix products cost more than elementary functions: from 64 inputs on they do."""
    return case.inputs >= 64
