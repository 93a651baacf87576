"""Population-risk Gauss–Newton on a tensor basis, from the data alone to exact physics.

A basis is linear in its weights, so that the data alone give a first fit by one linear solve: a
smoothing spline whose ridge the leave-one-out risk chooses. From there the weight of the physics
rises and the basis is refined (`ascent`); unknown coefficients follow. That is generalised
profiling (J. O. Ramsay et al., J. R. Statist. Soc. B 69, 2007) with the number of functions and the
ridge left to the data. A linear problem without unknown coefficients is one solve at the full
weight.

One candidate of the race beside networks; the caller drives it one iteration at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pinngate.inference.posterior import Posterior
from pinngate.linear.forms import DenseForm, Form
from pinngate.linear.jacobian import Batches
from pinngate.linear.linearisation import Linearisation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import FieldScale
from pinngate.optim.collocation.ascent import FIRST_WEIGHT, LARGEST_GOAL, Ascent
from pinngate.optim.collocation.basis_linearisation import BasisLinearisation
from pinngate.optim.collocation.continuation import Continuation
from pinngate.optim.collocation.stage_iteration import StageIteration
from pinngate.optim.collocation.stages import Stage
from pinngate.optim.collocation.tempering import Tempering
from pinngate.optim.collocation.working_space import WorkingSpace
from pinngate.optim.gauss_newton.data_noise import DataNoise, Verdict
from pinngate.optim.gauss_newton.iterate import figures_of, log_row, variance_of
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.parts import Parts
from pinngate.statement.linearity import is_linear


class Collocation:
    """One candidate: see the module.

    Args:
        parts: the problem.
        options: weights of equations and conditions at the reference.

    Attributes:
        space: the basis at work.
        stage: the iteration of the present stage.
        ascent: what follows a stage.
        reason: None while it goes on, else a sentence that says why to stop.
    """

    is_sampling = False

    def __init__(self, parts: Parts, options: GaussNewtonOptions) -> None:
        self.parts, self.options = parts, options
        self.form: Form = DenseForm(is_factored=True)
        self.coefficients: Coefficients = parts.coefficients()
        self.noise = DataNoise([t.name for t in parts.batches.terms if t.kind == "observation"])
        self.iteration = 0
        self.reason: str | None = None
        self.last_score = self.last_lookahead = math.inf
        is_linear_problem = is_linear(parts.problem)
        self.weight = Continuation(FIRST_WEIGHT, LARGEST_GOAL)
        self.space = WorkingSpace(
            parts, self.coefficients, options, self.weight, is_linear=is_linear_problem
        )
        self.linearisation = BasisLinearisation(
            self.space, self.noise, self.form, is_linear=is_linear_problem
        )
        self.stage = StageIteration(self.space, self.noise, is_linear=is_linear_problem)
        self.tempering = Tempering(self.stage, is_on=options.mechanisms.octaves)
        self.ascent = Ascent(self.space, is_linear=is_linear_problem, restore=self.stage.restore)
        self.unit = self.network.unit

    @property
    def network(self) -> Network:
        """The fields as they are."""
        return self.space.network

    @property
    def model(self) -> ResidualModel:
        """The residuals of everything stated and observed."""
        return self.space.model

    @property
    def ridge(self) -> float:
        """α of the latest fit."""
        return self.stage.ridge

    def linearise(self, batches: Batches, *, is_answer: bool = False) -> Linearisation:
        """Linearise at the present iterate, at the nodes and with the data of `batches`."""
        has_coefficients = self.weight.accepted > self.ascent.release
        return self.linearisation.at(batches, self.ridge, has_coefficients=has_coefficients)

    def step(self, batches: Batches) -> dict[str, float]:
        """Do one iteration and return its row of the log.

        Raises:
            SolveError: residuals are not finite.
        """
        line = self.linearise(self.space.batches)
        fit = self.stage.choose_ridge(line)
        figures = figures_of(line, fit, self.noise, self.space.misfit(line))
        self.last_score, self.last_lookahead = figures.score, figures.lookahead
        row = log_row(
            line,
            fit,
            figures,
            noise=self.noise,
            coefficients=self.coefficients,
            unit=self.network.unit,
            damping=self.stage.damping,
            physics_weight=self.weight.value * self.options.equation_weight,
        )
        row["functions"] = float(self.network.num_parameters)
        if self.stage.is_at_rest(fit, figures):
            variance = variance_of(line.observed, fit)
            reached = self.stage.reached(fit, figures)
            if not self.tempering.begin(line, variance, reached):
                self._end_stage(self.tempering.end(reached), math.sqrt(variance))
        else:
            row["gain_ratio"] = self.stage.descend(line)
            verdict = self.noise.update(line, fit, is_full=self.weight.is_at_goal)
            if verdict is Verdict.GAUSSIAN and self.ascent.is_over:
                self.reason = self.ascent.ending
            elif verdict is Verdict.HEAVY:
                self.ascent.begin_anew()
                self.stage.num_steps = 0
        self.iteration += 1
        self.ascent.age += 1
        if self.reason is None and self.ascent.age >= self.options.max_iterations:
            self.reason = self.ascent.run_out(self.options.max_iterations)
            self.stage.num_steps = 0
        return row

    def _end_stage(self, reached: Stage, noise: float) -> None:
        """Go on to the next stage, judge the tails of the noise, or stop."""
        num_steps, self.stage.num_steps = self.stage.num_steps, 0
        self.ascent.set_goal(noise, self.options.reference_noise)
        self.ascent.end(reached, num_steps)
        if not self.ascent.is_over:
            return
        self.finish()
        if self.options.is_robust and not self.noise.is_judging:
            self.turn_robust()
        else:
            self.reason = self.ascent.ending

    @property
    def score(self) -> float:
        """Risk and misfit of the physics of the best stage, in units of the fields.

        Infinite while the physics rises: softer stages do not compare with networks.
        """
        ascent = self.ascent
        return math.inf if ascent.best is None or not ascent.has_answer else ascent.best.score

    @property
    def stopping(self) -> Stopping:
        """The best stage, as the race asks for it."""
        found, best = Stopping(self.options), self.ascent.best
        if best is not None and self.score < math.inf:
            found.best = {
                "score": self.score,
                "errors": best.errors,
                "risk": best.risk * self.unit**2,
                "physics": best.weight,
                "dimension": best.dimension,
                "iteration": self.iteration,
            }
        return found

    def finish(self) -> None:
        """Put the best stage back into the network and the coefficients."""
        self.ascent.finish()

    def turn_robust(self) -> None:
        """Judge the tails of the noise from now on."""
        self.noise.judge_tails()

    @property
    def is_poor(self) -> bool:
        """Whether data and exact physics disagree in fields that networks may follow better."""
        return self.ascent.is_lost and len(self.parts.problem.axes) > 1

    def complete(self, posterior: Posterior) -> None:
        """Nothing is missing."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on: tensors, numbers, strings and containers of them."""
        return {
            "theta": self.space.theta,
            "resolution": dict(self.space.resolution),
            "constrained_at": self.space.constrained_at,
            "tempering": self.space.tempering,
            "untempered": None if (before := self.tempering.before) is None else before.to_state(),
            "scales": {name: (f.size, f.centre) for name, f in self.space.scales.items()},
            "noise": self.noise.state_dict(),
            "ascent": self.ascent.state_dict(),
            **self.stage.state_dict(),
            **{name: getattr(self, name) for name in _PLAIN},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        scales = {name: FieldScale(*pair) for name, pair in state["scales"].items()}
        self.noise.load_state_dict(state["noise"])
        self.ascent.load_state_dict(state["ascent"])
        self.space.constrained_at = state["constrained_at"]
        self.space.tempering = state["tempering"]
        before = state["untempered"]
        self.tempering.before = None if before is None else Stage.of(before)
        self.space.build(dict(state["resolution"]), scales)
        self.space.theta = state["theta"]
        self.stage.load_state_dict(state)
        for name in _PLAIN:
            setattr(self, name, state[name])


_PLAIN = ("iteration", "reason", "last_score", "last_lookahead")
