"""Which ridge: that of least leave-one-out risk, followed from iteration to iteration."""

from __future__ import annotations

from torch import Tensor

from pinngate.linear.system import LinearisedSystem, RidgeFit

STEPS = 8  # ridges scanned on each side of the present one
LEAST_RIDGE = 1e-10  # in units of the squared size of the fields; below, rounding decides


def followed(system: LinearisedSystem, b: Tensor, ridge: float, factor: float) -> RidgeFit:
    """Return the fit of b (N,) at the ridge of least risk from α/factor to α·factor.

    Args:
        system: the linearised problem.
        b: its right-hand side, (N,).
        ridge: α of the iteration before.
        factor: most by which it moves at once.

    Cost: one eigendecomposition.
    """
    ridges = [ridge * factor ** (k / STEPS) for k in range(-STEPS, STEPS + 1)]
    return system.best_fit([max(LEAST_RIDGE, r) for r in ridges], b)
