"""A short phase of Adam ahead of Gauss–Newton, for networks that start where others were stuck.

From random weights the linearised fit may foresee nothing: the ridge of least leave-one-out risk is
then so strong that no step is taken. Adam needs no forecast. It moves by the sign of the gradient,
leaves the plateau, and hands over an iterate near which the linearisation holds. The anchor of the
ridge stays at the random weights, which have seen no data.
"""

from __future__ import annotations

from typing import Any

import torch

from pinngate.optim.first_order import FirstOrder, FirstOrderOptions
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.parts import Parts
from pinngate.optim.race import Candidate

STEPS = 300  # of Adam; freed every stuck run of nonlinear-source, other numbers were not tried
STEPS_AN_ITERATION = 30  # of the race, so that it can be watched and interrupted
RATE = 1e-2
WARMUP = 20  # steps in which the rate rises


class WarmStart:
    """Adam on all terms at equal weight, coefficients included, then physics at full weight.

    Args:
        parts: the problem.
        solver: whose network and coefficients are moved.

    Cost: `STEPS` gradients of all terms.
    """

    def __init__(self, parts: Parts, solver: Candidate) -> None:
        self.solver = solver
        self.adam = FirstOrder(
            parts.model,
            solver.network,
            solver.coefficients,
            parts.batches.twin("warm start", 1),
            FirstOrderOptions(STEPS, RATE, warmup=WARMUP),
            lambda parameters, rate: torch.optim.Adam(parameters, lr=rate),
        )

    @property
    def is_over(self) -> bool:
        """Whether the solver may begin."""
        return self.adam.iteration >= STEPS

    def step(self) -> dict[str, float]:
        """Take the steps of one iteration of the race and return the last one's figures.

        Raises:
            SolveError: the loss is not finite.
        """
        for _ in range(STEPS_AN_ITERATION):
            self.adam.step()
        if self.is_over and isinstance(self.solver, PopulationRiskGaussNewton):
            self.solver.physics.skip_ramp()
        return self.adam.log_row()

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return self.adam.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.adam.load_state_dict(state)
