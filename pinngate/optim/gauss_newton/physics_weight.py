"""The weight of the equations: raised from the data alone, stiffer the quieter the data."""

from __future__ import annotations

from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import SAME


class PhysicsWeight:
    """The ramp of the physics, as a multiple of its final weight at the reference noise.

    Args:
        options: of the solver.

    Attributes:
        value: now.
        stiffness: where the ramp ends; grows as the estimate of the noise falls.
    """

    def __init__(self, options: GaussNewtonOptions) -> None:
        self.options = options
        self.value = options.first_physics_weight if options.mechanisms.ramp else 1.0
        self.stiffness = 1.0

    @property
    def is_full(self) -> bool:
        """Whether the ramp has ended, but for the drift of the noise estimate."""
        return self.value >= SAME * self.stiffness

    def stiffen(self, noise: float) -> None:
        """Let the end of the ramp follow the falling noise, given in units of the fields."""
        if self.value < SAME or not self.options.mechanisms.stiffening:
            return
        wanted = self.options.reference_noise / max(noise, 1e-300)
        self.stiffness = max(self.stiffness, min(self.options.max_stiffness, wanted))

    def soften(self) -> None:
        """Start the ramp once more, from twice its first weight."""
        self.value, self.stiffness = 2 * self.options.first_physics_weight, 1.0

    def advance(self) -> None:
        """Raise the weight by one step of the ramp."""
        self.value = min(self.stiffness, self.value * self.options.ramp)

    def state_dict(self) -> dict[str, float]:
        """Return where the ramp stands."""
        return {"value": self.value, "stiffness": self.stiffness}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from `state_dict`."""
        self.value, self.stiffness = state["value"], state["stiffness"]
