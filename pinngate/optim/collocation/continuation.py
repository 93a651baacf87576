"""How the weight of the physics rises, and when leave-one-out errors are worse than others.

A pure controller: from the data alone the weight goes up stage by stage, faster where that is easy,
until what it leaves free is a small part of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from pinngate.optim.best_arm import SIGNIFICANT

FACTOR = 4.0  # of the first step
MOST_FACTOR = 64.0  # of one step
MATTERS = 0.5  # standard errors of the risk itself; a smaller rise is certain but of no account


@dataclass
class Continuation:
    """The weight λ of the physics, as a multiple of its reference.

    Attributes:
        value: the weight now tried.
        goal: at which the physics is exact to a small part of the noise.
        accepted: the last weight at which the fit came to rest, 0 before.
        factor: of the next step.
    """

    value: float
    goal: float
    accepted: float = 0.0
    factor: float = FACTOR

    @property
    def is_at_goal(self) -> bool:
        """Whether the weight now tried is the last one."""
        return self.value >= self.goal * (1 - 1e-9)

    def begin_again(self, value: float) -> None:
        """Go back to a first weight; the goal stays."""
        self.value, self.accepted, self.factor = value, 0.0, FACTOR

    def rise(self, factor: float) -> None:
        """Go on to a larger weight."""
        self.accepted = self.value
        self.value = min(self.goal, self.value * factor)

    def ease(self, num_steps: int) -> None:
        """Take larger steps where one iteration came to rest, the first one again where not."""
        self.factor = min(self.factor * FACTOR, MOST_FACTOR) if num_steps <= 1 else FACTOR


def is_worse(errors: Tensor, before: Tensor) -> bool:
    """Whether leave-one-out errors (n,) are worse than others of the same observations.

    Judged by the paired difference e² − e'² against its standard error, and against that of the
    risk.
    """
    squares, reference = errors.square(), before.square()
    difference = squares - reference
    mean, root = float(difference.mean()), math.sqrt(len(errors))
    if not math.isfinite(mean):
        return True
    if len(errors) < 2:
        return mean > 0
    paired, own = float(difference.std()) / root, float(reference.std()) / root
    return mean > SIGNIFICANT * paired and mean > MATTERS * own
