"""A stage of collocation that has come to rest: enough to compare it and to come back to it.

Between `spaces` and `basis_solver`, which goes from stage to stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pinngate.model.scales import FieldScale
from pinngate.optim.collocation.spaces import Resolution

LEAST_SHARE = 1 / 300  # of d in n, below which nothing is told


@dataclass
class Stage:
    """An accepted stage: everything needed to come back to it."""

    resolution: Resolution
    scales: dict[str, FieldScale]
    theta: Tensor
    errors: Tensor
    ridge: float
    weight: float
    risk: float
    misfit: float
    dimension: float
    noise: dict[str, Any]
    constrained_at: float
    tempering: Tensor | None

    @property
    def score(self) -> float:
        """Risk and misfit, in units of the fields."""
        return self.risk + self.misfit

    @property
    def freedom_in_risk(self) -> float:
        """The part of the risk that the noise in d free numbers makes, risk · d/n or a little."""
        return self.risk * max(self.dimension / len(self.errors), LEAST_SHARE)

    def to_state(self) -> dict[str, Any]:
        """Return plain values and tensors."""
        scales = {name: (f.size, f.centre) for name, f in self.scales.items()}
        return {**vars(self), "resolution": dict(self.resolution), "scales": scales}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Stage:
        """Return the stage that `to_state` was asked of."""
        scales = {name: FieldScale(*pair) for name, pair in state["scales"].items()}
        return cls(**{**state, "scales": scales})
