"""What happened at every step of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = ["History"]


@dataclass
class History:
    """One entry a step in every list.

    Attributes
    ----------
    loss : list of float
        After the step. `start_loss` is the one before the first.
    damping, gain_ratio, step_norm, gradient_norm : list of float
    validation_loss : list of float
        Empty without validation data.
    trials : list of int
        Losses evaluated in the step.
    step_time, time : list of float
        Seconds of the step, and since the start.
    """

    start_loss: float = float("nan")
    loss: list[float] = field(default_factory=list)
    damping: list[float] = field(default_factory=list)
    gain_ratio: list[float] = field(default_factory=list)
    step_norm: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    trials: list[int] = field(default_factory=list)
    step_time: list[float] = field(default_factory=list)
    time: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loss)

    def to_dict(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> History:
        return cls(**values)

    def save(self, path: str | Path) -> Path:
        """A JSON file, readable by `History.load` and by anything else."""
        path = Path(path)
        path.write_text(json.dumps(self.to_dict()) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> History:
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
