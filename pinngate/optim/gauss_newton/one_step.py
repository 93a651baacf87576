"""Coefficients from linearised minimisers: efficient although the iteration still creeps.

While stiff physics lets the iterate creep along a valley, the coefficients of the linearised
minimiser hardly move. One Gauss–Newton step from a consistent estimate is efficient (L. Le Cam,
1956; A. W. van der Vaart, Asymptotic Statistics, 5.7). It is taken under a smaller ridge than the
field's: the ridge of least risk balances bias against variance of the field, but a coefficient,
which averages over the field, has little variance to gain and keeps the bias (undersmoothing:
L. Goldstein and K. Messer, Ann. Statist. 20, 1992, 1306-1328). Used by the solver alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pinngate.linear.system import LinearisedSystem

UNDERSMOOTHING = 0.1  # part of the ridge; docs/decisions.md has the errors for 1 to 0.01
# in raw coefficients (of size one) from the best iterate: beyond, linear is far off
MAX_ONE_STEP = 0.3


class OneStep:
    """The mean of the last linearised minimisers.

    Args:
        count: how many are kept.
        undersmoothing: part of the field's ridge that coefficients are found at.

    Attributes:
        steps: raw coefficients (K,) of each, the latest last.
    """

    def __init__(self, count: int, undersmoothing: float = UNDERSMOOTHING) -> None:
        self.count, self.undersmoothing = count, undersmoothing
        self.steps: list[Tensor] = []

    def record(self, raw: Tensor, system: LinearisedSystem, ridge: float, b: Tensor) -> None:
        """Add the minimiser of ``‖b + A v + C c‖² + α‖v‖²`` at a tenth of the ridge.

        Args:
            raw: coefficients of the present iterate, (K,).
            system: of [A C].
            ridge: α of the field.
            b: (N,).
        """
        less = self.undersmoothing * ridge
        _, change = system.minimiser(less if system.is_definite(less) else ridge, b)
        self.steps.append(raw + change)
        del self.steps[: -self.count]

    def agreeing(self, raw: Tensor) -> Tensor | None:
        """Return the minimisers (k, K); None where there are too few or they are far from `raw`."""
        if len(self.steps) < self.count:
            return None
        steps = torch.stack(self.steps)
        steps = steps[torch.isfinite(steps).all(1)]
        is_near = (steps - raw).abs() < MAX_ONE_STEP
        return steps if len(steps) and bool(is_near.all()) else None

    def covariance(
        self, raw: Tensor, system: LinearisedSystem, ridge: float, variance: float
    ) -> Tensor:
        """Return the covariance (K, K) of the estimate.

        Args:
            raw: the estimate, (K,).
            system: of all rows at the answer.
            ridge: α of the field.
            variance: σ̂² of the noise.

        That of the undersmoothed fit, and what the draws of the collocation points leave in the
        mean.
        """
        found: Tensor = variance * system.unpenalised_covariance(self.undersmoothing * ridge)
        steps = self.agreeing(raw)
        if steps is not None and len(steps) > 1:
            found = found + torch.diag(steps.var(0) / len(steps))
        return found

    def state_dict(self) -> list[Tensor]:
        """Return the minimisers."""
        return [step.clone() for step in self.steps]

    def load_state_dict(self, state: Sequence[Tensor]) -> None:
        """Go on from `state_dict`."""
        self.steps = [step.clone() for step in state]
