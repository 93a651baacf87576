"""How the weight of the physics rises: accept, reject, and the factor of the next step.

A pure controller. A stage is one weight at which Gauss–Newton has come to rest. It is accepted
where the leave-one-out errors of the observations are no worse than at the best accepted stage, by
the paired difference of their squares: what the physics costs the fit beyond chance it must not
cost. After an acceptance the factor grows, after a rejection it shrinks to its root.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

FIRST_FACTOR = 4.0
LARGEST_FACTOR = 32.0
LEAST_FACTOR = 1.3  # below, another step gains nothing
SIGNIFICANT = 2.0  # standard errors of the paired difference
MATTERS = 0.5  # standard errors of the risk itself; a smaller rise is certain but of no account


@dataclass
class Continuation:
    """The weight λ of the physics, as a multiple of its reference.

    Attributes:
        accepted: the last weight that was accepted, 0 before.
        value: the weight now tried.
        goal: at which the physics is exact to a small part of the noise.
        factor: of the next step.
    """

    value: float
    goal: float
    accepted: float = 0.0
    factor: float = FIRST_FACTOR

    @property
    def is_at_goal(self) -> bool:
        """Whether the weight now tried is the last one."""
        return self.value >= self.goal * (1 - 1e-9)

    def accept(self) -> None:
        """Go on to a larger weight."""
        self.accepted = self.value
        self.value = min(self.goal, self.value * self.factor)

    def reject(self) -> bool:
        """Go back and on by a smaller factor; return whether that is still worth it."""
        self.factor = math.sqrt(min(self.factor, self.value / max(self.accepted, 1e-300)))
        self.value = self.accepted * self.factor
        return self.accepted > 0 and self.factor > LEAST_FACTOR


def is_worse(errors: Tensor, before: Tensor) -> bool:
    """Whether leave-one-out errors (n,) are worse than others of the same observations.

    Judged by the paired difference e² − e'² against its standard error, and against that of the
    risk.
    """
    squares, reference = errors.square(), before.square()
    difference = squares - reference
    root = math.sqrt(len(errors))
    mean = float(difference.mean())
    if not math.isfinite(mean):
        return True
    paired = float(difference.std()) / root if len(errors) > 1 else 0.0
    own = float(reference.std()) / root if len(errors) > 1 else float(reference.mean())
    return mean > SIGNIFICANT * paired and mean > MATTERS * own
