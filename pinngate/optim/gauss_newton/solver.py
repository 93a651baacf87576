"""Population-risk Gauss–Newton: ridge steps whose ridge is chosen by the exact leave-one-out risk.

The solver of choice where the network is small (up to some thousand weights). The rule of Litman &
Guo (arXiv 2605.01172), move only where the signal exceeds the sampling noise, is applied in the
eigenbasis of the kernel J Jᵀ, where it is exact linear algebra (`linear.system`): each iteration
linearises all residuals, chooses the ridge α that minimises the leave-one-out risk of the
observations, and takes a trust-region step on

    ‖r(θ)‖² + α ‖w − w₀‖²        (w the weights; unknown coefficients are never penalised).

The weight of the equations rises from a small fraction to its full value. The answer is the iterate
of least risk; no validation set is used. It stands above the trainer, which supplies the batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from pinngate.errors import InputError
from pinngate.inference.posterior import Posterior
from pinngate.linear.forms import DenseForm, Form, Trial
from pinngate.linear.jacobian import Batches, assign, flatten
from pinngate.linear.linearisation import Linearisation, linearise
from pinngate.linear.system import RidgeFit
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.optim.gauss_newton.data_noise import DataNoise, Verdict
from pinngate.optim.gauss_newton.descent import step_down
from pinngate.optim.gauss_newton.iterate import (
    Figures,
    figures_of,
    log_row,
    misfit_of,
    variance_of,
)
from pinngate.optim.gauss_newton.physics_weight import PhysicsWeight
from pinngate.optim.gauss_newton.ridge_choice import followed
from pinngate.optim.gauss_newton.row_balance import balanced_rows
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.gauss_newton.trust_region import Restraint


class PopulationRiskGaussNewton:
    """Gauss–Newton with ridge and stopping by the leave-one-out risk.

    Args:
        model: the terms; at least one must be an observation.
        network: its present weights are the start and the centre w₀ of the ridge.
        coefficients: unknown coefficients, may be empty.
        options: see `GaussNewtonOptions`.
        form: whether the Jacobian is formed; formed by default.

    Attributes:
        reason: None while it goes on, else a sentence that says why to stop.
        stopping: the best iterate, and when to stop.
        ridge: α of the latest fit.
        noise: of every observation set.
        physics: the weight of the equations and how it rises.

    Raises:
        InputError: no observations; network not in double precision.

    Cost of a step: forming the smaller of J Jᵀ and JᵀJ, and its eigendecomposition.
    """

    is_sampling = True

    def __init__(
        self,
        model: ResidualModel,
        network: Network,
        coefficients: Coefficients,
        options: GaussNewtonOptions | None = None,
        form: Form | None = None,
    ) -> None:
        self.observation_terms = [t for t in model.terms if t.kind == "observation"]
        if not self.observation_terms:
            raise InputError(
                "the problem has no observations",
                expected="population-risk-gauss-newton chooses its ridge by the risk on data",
                hint="state observations, or solve with another optimizer",
            )
        if network.low.dtype != torch.float64:
            raise InputError(
                "population-risk-gauss-newton needs double precision", expected="precision: float64"
            )
        self.model, self.network, self.coefficients = model, network, coefficients
        self.trial = Trial(model, network, coefficients)
        self.options, self.form = options or GaussNewtonOptions(), form or DenseForm()
        self.anchor = flatten(network, coefficients)[: network.num_parameters].clone()
        # fields of any size and unit are brought to size one, so that ridge and damping have none
        self.unit = network.unit
        self.ridge = self.options.ridge
        self.damping = self.options.damping
        self.iteration = 0
        self.last_score = self.last_lookahead = math.inf
        names = [t.name for t in self.observation_terms]
        self.noise = DataNoise(names)
        self.physics = PhysicsWeight(self.options)
        self.stopping = Stopping(self.options)
        self.reason: str | None = None

    def row_weights(self, batches: Batches) -> RowWeights:
        """Return the weights of the rows, in units of the fields' size."""
        return balanced_rows(self.model, batches, self.options, self.physics.value, self.unit)

    def linearise(self, batches: Batches, *, is_answer: bool = False) -> Linearisation:
        """Linearise all residuals at the present iterate, in units of the fields' size.

        Args:
            batches: points and data.
            is_answer: whether variances will be asked for: J is factorised then, where it has
                as many rows as weights.
        """
        weights = self.row_weights(batches)
        is_tall = weights.observed.stop >= self.network.num_parameters
        return linearise(
            self.form.factored if is_answer and is_tall else self.form,
            self.trial,
            batches,
            weights,
            self.anchor,
            ridge=self.ridge,
            noise=self.noise.of_rows(batches),
        )

    def step(self, batches: Batches) -> dict[str, float]:
        """Do one iteration on these points and return its row of the log.

        The figures belong to the iterate *before* the step (`Figures`).

        Raises:
            SolveError: residuals are not finite.
        """
        line = self.linearise(batches)
        fit = followed(line.system, line.target, self.ridge, self.options.ridge_factor)
        self.ridge = fit.ridge
        self.physics.stiffen(math.sqrt(variance_of(line.observed, fit)))
        misfit = misfit_of(line, self.model.terms, self.physics.value) / len(line.observed)
        figures = figures_of(line, fit, self.noise, misfit)
        self.last_score, self.last_lookahead = figures.score, figures.lookahead
        row = log_row(
            line,
            fit,
            figures,
            noise=self.noise,
            coefficients=self.coefficients,
            unit=self.unit,
            damping=self.damping,
            physics_weight=self.physics.value * self.options.equation_weight,
        )
        self._judge(figures, row)
        # the correction for curvature costs more on networks than it saves
        restraint = Restraint(self.ridge, self.damping)
        is_accelerated = self.options.mechanisms.acceleration and self.form.is_formed
        step = step_down(self.trial, batches, line, restraint, is_accelerated=is_accelerated)
        self.damping, row["gain_ratio"] = step.damping, step.gain
        self._update_noise(line, fit)
        self.physics.advance()
        self.iteration += 1
        if self.reason is None and self.iteration >= self.options.max_iterations:
            self.reason = f"the limit of {self.options.max_iterations} iterations is reached"
        return row

    def _judge(self, figures: Figures, row: Mapping[str, float]) -> None:
        """Keep the best iterate; stop, or turn robust, when neither risk nor score falls."""
        options, stopping = self.options, self.stopping
        if not self.physics.is_full:
            stopping.num_stale = 0
            return
        risk = row["leave_one_out_risk"]
        stopping.judge(
            figures.score,
            risk,
            self.physics.value,
            len(figures.errors),
            lambda: {
                "theta": flatten(self.network, self.coefficients),
                "ridge": self.ridge,
                "dimension": row["effective_dimension"],
                "errors": figures.errors.clone(),
                "iteration": self.iteration,
                "noise": self.noise.state_dict(),
            },
        )
        if stopping.is_stale():
            if options.is_robust and not self.noise.is_judging:
                self.turn_robust()
            else:
                self.reason = "the leave-one-out risk stopped falling"

    def go_on(self) -> None:
        """Go on from here on other data: what was fitted before does not compare."""
        self.reason = None
        self.stopping.forget()

    def turn_robust(self) -> None:
        """Judge the tails of the noise from now on, where that is allowed."""
        if self.options.is_robust:
            self.noise.judge_tails()

    def _update_noise(self, line: Linearisation, fit: RidgeFit) -> None:
        """Refit the noise of each set.

        Tails are judged only once the Gaussian fit has converged: before, a misfit that is local (a
        front) would pass for outliers. Gaussian data then stop where they stood. Where tails are
        heavy the physics softens once more and rises again: the outliers had hidden what the stiff
        fit missed, and its misfit at a front would pass for outliers now.
        """
        verdict = self.noise.update(line, fit, is_full=self.physics.is_full)
        if verdict is Verdict.GAUSSIAN:
            self.reason = "the leave-one-out risk stopped falling"
        elif verdict is Verdict.FROZEN:
            self.stopping.forget()
        elif verdict is Verdict.HEAVY:
            self.physics.soften()
            self.stopping.forget()

    def finish(self) -> None:
        """Put the best iterate back into the network and the coefficients."""
        best = self.stopping.best
        if best is not None:
            assign(self.network, self.coefficients, best["theta"])
            self.ridge = best["ridge"]
            self.noise.load_state_dict(best["noise"])
            self.physics.value = best["physics"]

    @property
    def score(self) -> float:
        """Risk and physics misfit in units of the fields: of the best iterate at full weight.

        Before there is one, of the last iterate, its misfit taken at full weight.
        """
        return self.last_score if self.stopping.best is None else self.stopping.score

    is_poor = False

    def complete(self, posterior: Posterior) -> None:
        """Nothing is missing."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on: tensors, numbers, strings and dicts of them."""
        return {
            "theta": flatten(self.network, self.coefficients),
            "anchor": self.anchor.clone(),
            "noise": self.noise.state_dict(),
            "physics": self.physics.state_dict(),
            "stopping": self.stopping.state_dict(),
            **{name: getattr(self, name) for name in _PLAIN_STATE},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; on the same batches the iterations are bitwise the same."""
        assign(self.network, self.coefficients, state["theta"])
        self.anchor = state["anchor"].clone()
        self.noise.load_state_dict(state["noise"])
        self.physics.load_state_dict(state["physics"])
        self.stopping.load_state_dict(state["stopping"])
        for name in _PLAIN_STATE:
            setattr(self, name, state[name])


_PLAIN_STATE = ("ridge", "damping", "iteration", "last_score", "last_lookahead", "reason")
