"""The figures of a direct fit: what the race compares, and its row of the log.

Above `through_solver`, below `tangent_model`, which makes them. A fit is one iterate and meets the
physics exactly, so that its score is its risk, and the risk that it foresees the one it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class FitFigures:
    """What a fit is judged by, in units of the fields' size.

    Attributes:
        unit: that size.
        risk: mean squared leave-one-out error.
        training_risk: mean squared residual.
        errors: leave-one-out errors of all values, (n,).
        dimension: effective number of what was fitted.
    """

    unit: float
    risk: float
    training_risk: float
    errors: Tensor
    dimension: float

    def best(self, iteration: int) -> dict[str, Any]:
        """Return the entry of `Stopping` for a fit that is the only iterate.

        Args:
            iteration: its number.
        """
        return {
            "score": self.risk,
            "errors": self.errors,
            "risk": self.risk * self.unit**2,
            "physics": 1.0,
            "dimension": self.dimension,
            "iteration": iteration,
        }

    def row(
        self, num_functions: int, coefficients: Mapping[str, tuple[float, float]]
    ) -> dict[str, float]:
        """Return the row of the log, losses and risks in squared data units.

        Args:
            num_functions: of the trial space.
            coefficients: value and standard deviation by name.
        """
        risk, training_risk = self.risk * self.unit**2, self.training_risk * self.unit**2
        found = {
            "loss": training_risk,
            "leave_one_out_risk": risk,
            "training_risk": training_risk,
            "lookahead_risk": risk,
            "selection_risk": risk,
            "effective_dimension": float(self.dimension),
            "functions": float(num_functions),
        }
        for name, (value, deviation) in coefficients.items():
            found[f"coefficient_{name}"], found[f"coefficient_{name}_std"] = value, deviation
        return found
