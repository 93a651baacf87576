"""One stage of collocation: the ridge of least risk, a step, until the fit is the one foreseen.

The basis and the weight of the physics are held. Above `working_space`; `basis_solver` does the
iterations, `ascent` says what follows a stage that has come to rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinngate.linear.linearisation import Linearisation
from pinngate.linear.system import RidgeFit
from pinngate.optim.collocation.stages import Stage
from pinngate.optim.collocation.working_space import WorkingSpace
from pinngate.optim.gauss_newton.data_noise import DataNoise
from pinngate.optim.gauss_newton.descent import step_down
from pinngate.optim.gauss_newton.iterate import Figures
from pinngate.optim.gauss_newton.trust_region import Restraint

LEAST_DAMPING = 1e-3  # of the ridge
RIDGES = 3  # a decade
DECADES = 25  # below the largest eigenvalue
RESTING = 0.01  # difference of actual and foreseen risk at which a stage has come to rest
SETTLED = 3.0  # at the goal, times d/n: a fifth of a standard deviation of what is free
MOST_IN_STAGE = 20  # iterations; a stage that needs more took too large a step


class StageIteration:
    """The iteration of the present stage.

    Args:
        space: the basis.
        noise: of the observations.
        is_linear: whether the problem is.

    Attributes:
        ridge: α of the latest fit.
        damping: μ of the trust region.
        num_steps: in this stage.
    """

    def __init__(self, space: WorkingSpace, noise: DataNoise, *, is_linear: bool) -> None:
        self.space, self.noise, self.is_linear = space, noise, is_linear
        self.ridge, self.damping = 0.0, 0.0
        self.num_steps = 0

    def choose_ridge(self, line: Linearisation) -> RidgeFit:
        """Return the fit at the ridge of least risk, scanned at the beginning of each stage."""
        most = 0 if self.is_linear else 1
        if self.num_steps > most and self.ridge > 0:
            return line.system.fits([self.ridge], line.target)[0]
        top = float(line.system.spectrum(line.target)[0][0])
        coarse = [top * 10.0**-k for k in range(DECADES)]
        fit = line.system.best_fit(coarse, line.target)
        fine = [fit.ridge * 10 ** (k / RIDGES) for k in range(1 - RIDGES, RIDGES)]
        fit = line.system.best_fit(fine, line.target)
        self.ridge = fit.ridge
        return fit

    def is_at_rest(self, fit: RidgeFit, figures: Figures) -> bool:
        """Whether actual and foreseen risk agree, or nothing more is to be waited for.

        At the goal they agree to a share of the part that the fit's own freedom has in the risk.
        """
        share = RESTING
        if self.space.weight.is_at_goal:
            share = RESTING * min(1.0, SETTLED * fit.effective_dimension / len(fit.leverage))
        difference = abs(figures.risk - figures.lookahead)
        is_resting = difference <= share * figures.lookahead and self.num_steps > 0
        return is_resting or self.num_steps >= MOST_IN_STAGE

    def descend(self, line: Linearisation) -> float:
        """Take a step; return actual over predicted reduction."""
        self.num_steps += 1
        space, least = self.space, LEAST_DAMPING * self.ridge
        spread = float(line.residual.square().sum()) / len(line.observed)
        restraint = Restraint(self.ridge, max(self.damping, least), least, spread)
        step = step_down(space.trial, space.batches, line, restraint, mixing=space.mixing)
        self.damping = step.damping
        return step.gain

    def reached(self, fit: RidgeFit, figures: Figures) -> Stage:
        """Return the stage as it came to rest."""
        return Stage(
            self.space.resolution,
            dict(self.space.scales),
            self.space.theta,
            figures.errors.clone(),
            self.ridge,
            self.space.weight.value,
            figures.risk,
            figures.misfit,
            fit.effective_dimension,
            self.noise.state_dict(),
            self.space.constrained_at,
            self.space.tempering,
        )

    def restore(self, stage: Stage) -> None:
        """Come back to a stage: its basis and weights, its ridge and noise."""
        self.space.constrained_at, self.space.tempering = stage.constrained_at, stage.tempering
        self.space.build(stage.resolution, stage.scales)
        self.space.theta = stage.theta
        self.ridge, self.damping = stage.ridge, 0.0
        self.noise.load_state_dict(stage.noise)

    def state_dict(self) -> dict[str, Any]:
        """Return ridge, damping and the number of steps."""
        return {"ridge": self.ridge, "damping": self.damping, "in_stage": self.num_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.ridge, self.damping = state["ridge"], state["damping"]
        self.num_steps = state["in_stage"]
