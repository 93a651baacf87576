"""How population-risk Gauss–Newton goes: weights, ramp, ridge, trust region, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass

from pinngate.optim.mechanisms import ALL, Mechanisms
from pinngate.statement.options import GaussNewtonSolveOptions

DECLARED = GaussNewtonSolveOptions()


@dataclass(frozen=True)
class GaussNewtonOptions:
    """How the solver goes; every default has its reason.

    Attributes:
        equation_weight: final weight of an equation's residual, in units of its characteristic size
            (`model.scales.characteristic_size`) against the data's own unit.
        condition_weight: the same for exact conditions; never ramped, they are easy.
        first_physics_weight: where the ramp starts, as a fraction of `equation_weight`: from random
            weights the data must be met before the equation holds the solution at zero.
        ramp: factor an iteration; 12 iterations from 0.05 to 1, about what a sine network needs to
            find the solution.
        reference_noise: noise, in units of the fields' size, at which the weights above are right.
            Quieter data demand proportionally stiffer physics, or the equation's residual bends to
            what the data would have forbidden (sand column: v 2.4 % off in place of 0.5 %).
        max_stiffness: most by which the physics is stiffened; beyond, rounding takes over.
        ridge: first α, in units of the squared size of the fields; follows the risk from there.
        ridge_factor: most by which α moves an iteration: the linearisation changes with it.
        damping: first trust-region parameter μ, in units of the squared size of the fields.
        patience: iterations at full weight without a fall of the risk before stopping.
        tolerance: fall of the risk that counts as one, in standard errors of a risk.
        max_iterations: a limit for networks that creep; small sine networks stop after 20 to 40,
            the inverse Burgers problem needed 81.
        mechanisms: which are on.
    """

    equation_weight: float = DECLARED.weights.equations
    condition_weight: float = DECLARED.weights.conditions
    first_physics_weight: float = 0.05
    ramp: float = 1.3
    reference_noise: float = 0.33
    max_stiffness: float = 100.0
    ridge: float = 1.0
    ridge_factor: float = 3.0
    damping: float = 1.0
    patience: int = 6
    tolerance: float = 0.01
    max_iterations: int = DECLARED.iterations
    mechanisms: Mechanisms = ALL

    @property
    def is_robust(self) -> bool:
        """Whether a noise model with heavy tails is tried; Gaussian data keep weights of one."""
        return self.mechanisms.robust
