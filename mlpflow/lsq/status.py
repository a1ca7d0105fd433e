"""How a least-squares run ended, each with a sentence."""

from __future__ import annotations

import enum

__all__ = ["LsqStatus"]


class LsqStatus(enum.StrEnum):
    """Every way a run of `lsq.fit` can end; ``status.message`` explains it."""

    gradient = "gradient"
    step = "step"
    rounding = "rounding"
    loss = "loss"
    minloss = "minloss"
    max_steps = "max_steps"
    max_time = "max_time"
    patience = "patience"
    callback = "callback"
    interrupted = "interrupted"
    stalled = "stalled"
    nonfinite = "nonfinite"

    @property
    def message(self) -> str:
        """What happened, and what to try."""
        return _SENTENCES[self.value]

    @property
    def converged(self) -> bool:
        """Whether a tolerance was met."""
        return self.value in ("gradient", "step", "rounding", "loss", "minloss")


_SENTENCES = {
    "gradient": "The gradient is zero to the tolerance: a stationary point, as a rule a minimum.",
    "step": "The steps are down to rounding: the parameters are as exact as the residuals allow.",
    "rounding": (
        "The damping fell below the rounding of the system, and further steps did not halve the "
        'loss; solver="qr" resolves more, in more time.'
    ),
    "loss": "The loss falls by less than its tolerance a step; lower loss_tolerance to go on.",
    "minloss": "The loss fell below minloss.",
    "max_steps": "The steps ran out before convergence; raise max_steps to go on from here.",
    "max_time": "The time ran out before convergence; raise max_time to go on from here.",
    "patience": "No better loss for `patience` steps; the best weights are kept.",
    "callback": "The callback asked to stop.",
    "interrupted": "Interrupted from the keyboard; the best weights so far are kept.",
    "stalled": (
        "No step lowers the loss, although the gradient is not zero: the residuals are noisy or "
        "not smooth here; try float64, model.eval(), or residuals without kinks."
    ),
    "nonfinite": (
        "The Jacobian is not finite at the best point: a square root or a division at zero, as a "
        "rule; shift the parameters or rewrite the residual there."
    ),
}
