"""A part of the ridge for each octave of what linear physics leaves free.

A Sobolev norm knows one slope of a spectrum. Directions of a constrained basis stand in the order
of their smoothness; once a stage is at rest, each octave of them is scaled by what the marginal
likelihood says of its strength (`octaves`), and the stage comes to rest again. That stands unless
its risk is worse. Between `stage_iteration`, which brings stages to rest, and `basis_solver`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pinngate.inference.octaves import octave_strengths, octaves
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.linearisation import Linearisation
from pinngate.optim.collocation.continuation import is_worse
from pinngate.optim.collocation.stage_iteration import StageIteration
from pinngate.optim.collocation.stages import Stage


class Tempering:
    """Tempers each constrained basis once.

    Args:
        stage: the iteration, and its basis.
        is_on: whether at all.

    Attributes:
        before: the stage without, while the other one comes to rest.
    """

    def __init__(self, stage: StageIteration, *, is_on: bool) -> None:
        self.stage, self.is_on = stage, is_on
        self.before: Stage | None = None

    def begin(self, line: Linearisation, variance: float, reached: Stage) -> bool:
        """Temper the basis of a stage at rest; return whether there is something to wait for.

        Args:
            line: linearised there.
            variance: of the noise, in units of the rows.
            reached: the stage.
        """
        space = self.stage.space
        is_due = self.is_on and space.gains is not None and space.weight.is_at_goal
        if not is_due or space.tempering is not None:
            return False
        self.before = reached
        space.temper(_factors(line, reached.ridge, variance))
        self.stage.num_steps = 0
        return True

    def end(self, reached: Stage) -> Stage:
        """Return the stage that stands."""
        before, self.before = self.before, None
        if before is None or not is_worse(reached.errors, before.errors):
            return reached
        unscaled = torch.ones(len(before.theta) - 1, dtype=before.theta.dtype)
        before = replace(before, tempering=unscaled)
        self.stage.restore(before)
        return before


def _factors(line: Linearisation, ridge: float, variance: float) -> Tensor:
    """Return the factor of each direction, (f,): λ^(−1/4), halfway to the strength of its octave.

    The last weight is a constant that moves nothing.
    """
    if not isinstance(line.system, FactoredSystem):
        raise TypeError("a constrained basis is factored")
    basis = line.system.basis
    s, v = basis.factors
    jacobian = (s[:, None] * v.T).numpy() / np.sqrt(variance)
    right = basis.coordinates(line.target)[0].numpy() / np.sqrt(variance)
    count = len(v) - 1
    norm = np.full(len(v), ridge / variance)
    strengths = octave_strengths(jacobian, right, norm, octaves(slice(0, count)))
    return torch.as_tensor(strengths[:count] ** -0.25)
