"""The weight of the equations: raised as the iterate follows, stiffer the quieter the data."""

from __future__ import annotations

import math

from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import SAME

RISEN = 1.1  # risk over the least so far above which a stiffer physics has cost the fit to the data
NEGLIGIBLE = 0.01  # risk as a share of the physics' misfit below which the data hold nothing back


class PhysicsWeight:
    """The ramp of the physics, as a multiple of its final weight at the reference noise.

    Args:
        options: of the solver.
        has_coefficients: whether unknown coefficients are fitted; the ramp then waits longer.

    Attributes:
        value: now.
        stiffness: where the ramp ends; grows as the estimate of the noise falls.
        is_released: whether it has risen for the first time; coefficients are held until then.
        least_risk: of the iterates since then.
        is_capped: whether the network was found to follow no further.
    """

    def __init__(self, options: GaussNewtonOptions, *, has_coefficients: bool) -> None:
        self.options, self.has_coefficients = options, has_coefficients
        self.value = options.first_physics_weight
        self.stiffness = 1.0
        self.num_held = 0
        self.is_released = False
        if not options.mechanisms.ramp:
            self.skip_ramp()
        self.least_risk = math.inf
        self.is_capped = False

    @property
    def is_full(self) -> bool:
        """Whether the ramp has ended, but for the drift of the noise estimate."""
        return self.value >= SAME * self.stiffness

    def stiffen(self, noise: float) -> None:
        """Let the end of the ramp follow the falling noise, given in units of the fields."""
        if self.value < SAME or self.is_capped or not self.options.mechanisms.stiffening:
            return
        wanted = self.options.reference_noise / max(noise, 1e-300)
        self.stiffness = max(self.stiffness, min(self.options.max_stiffness, wanted))

    def skip_ramp(self) -> None:
        """Begin at the full weight: the iterate has met the data and the equation already."""
        self.value, self.is_released = 1.0, True

    def soften(self) -> None:
        """Start the ramp once more, from twice its first weight; coefficients stay free."""
        self.value, self.stiffness = 2 * self.options.first_physics_weight, 1.0
        self.least_risk, self.is_capped, self.num_held = math.inf, False, 0

    def advance(self, risk: float, lookahead: float, misfit: float, share: float) -> None:
        """Raise the weight once the iterate has followed it to the linearised minimiser.

        Where it does not follow and the risk has risen, the network cannot obey the equation any
        better without leaving the data: the weight goes back one step and stays there.

        Args:
            risk: leave-one-out risk of the iterate.
            lookahead: that of the linearised minimiser.
            misfit: of the physics, as a mean over the observations.
            share: effective dimension over the number of observations.
        """
        following = 1 + share if self.has_coefficients else self.options.following
        follows = risk <= following * lookahead or not self.options.mechanisms.following
        if self.is_released:
            follows = follows or risk <= NEGLIGIBLE * misfit
            self.least_risk = min(risk, self.least_risk)
        patience = self.options.max_held // (4 if self.is_released else 1)
        if not follows and self.num_held < patience:
            self.num_held += 1
            return
        self.num_held = 0
        has_cost = self.value >= 1.0 and risk > RISEN * self.least_risk
        if not follows and has_cost and self.options.mechanisms.backing_off:
            self.value /= self.options.ramp
            self.stiffness, self.is_capped = self.value, True
            return
        self.is_released = True
        self.value = min(self.stiffness, self.value * self.options.ramp)

    def state_dict(self) -> dict[str, float]:
        """Return where the ramp stands."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from `state_dict`."""
        for name in _STATE:
            setattr(self, name, state[name])


_STATE = ("value", "stiffness", "num_held", "is_released", "least_risk", "is_capped")
