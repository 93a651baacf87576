"""Which ridge: that of least leave-one-out risk, followed from iteration to iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pinngate.linear.system import LinearisedSystem, RidgeFit
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions

STEPS = 8  # ridges scanned on each side of the present one
LEAST_RIDGE = 1e-10  # in units of the squared size of the fields; below, rounding decides


class RidgeChoice:
    """The ridge α and when the risk is scanned over others again.

    Once the ridge of least risk rests, the scan, which takes an eigendecomposition, pauses: between
    two scans one Cholesky factor serves.

    Args:
        options: first ridge, most change an iteration, pause.
    """

    def __init__(self, options: GaussNewtonOptions) -> None:
        self.options = options
        self.ridge = options.ridge
        self.next_scan = 0

    def choose(self, system: LinearisedSystem, b: Tensor, iteration: int) -> RidgeFit:
        """Return the fit of b (N,) at the ridge of least risk nearby, and move there."""
        if iteration < self.next_scan and system.is_definite(self.ridge):
            return system.fits([self.ridge], b)[0]
        factor = self.options.ridge_factor
        ridges = [self.ridge * factor ** (k / STEPS) for k in range(-STEPS, STEPS + 1)]
        fit = system.best_fit(ridges, b)
        is_resting = fit.ridge not in (ridges[0], ridges[-1])
        is_resting = is_resting and self.options.mechanisms.scan_pause
        self.next_scan = iteration + (self.options.scan_pause if is_resting else 1)
        self.ridge = max(fit.ridge, LEAST_RIDGE)
        return fit

    def state_dict(self) -> dict[str, Any]:
        """Return the ridge and the next scan."""
        return {"ridge": self.ridge, "next_scan": self.next_scan}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.ridge, self.next_scan = state["ridge"], state["next_scan"]
