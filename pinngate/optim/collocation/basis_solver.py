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

import torch
from torch import Tensor

from pinngate.inference.posterior import Posterior
from pinngate.linear.forms import DenseForm, Form
from pinngate.linear.jacobian import Batches, weighted_residuals
from pinngate.linear.linearisation import Linearisation, linearise
from pinngate.linear.system import LinearisedSystem, RidgeFit
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.scales import FieldScale
from pinngate.optim.collocation.ascent import FIRST_WEIGHT, LARGEST_GOAL, Ascent
from pinngate.optim.collocation.continuation import Continuation
from pinngate.optim.collocation.stages import Stage
from pinngate.optim.collocation.working_space import WorkingSpace
from pinngate.optim.gauss_newton.data_noise import DataNoise, Verdict
from pinngate.optim.gauss_newton.iterate import coefficient_row
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.gauss_newton.trust_region import descend
from pinngate.optim.parts import Parts
from pinngate.statement.linearity import is_linear

CONVERGED = "the equations hold exactly and the leave-one-out risk stopped falling"
LOST = "the equations hold exactly, and without them the data would be fitted clearly better"
LEAST_DAMPING = 1e-3  # of the ridge
RIDGES = 3  # a decade
DECADES = 25  # below the largest eigenvalue
RESTING = 0.01  # difference of actual and foreseen risk at which a stage has come to rest
SETTLED = 3.0  # at the goal, times d/n: a fifth of a standard deviation of what is free
MOST_IN_STAGE = 20  # iterations; a stage that needs more took too large a step
MOST_FUNCTIONS = 1200  # of all fields: beyond, each of many steps takes seconds
MOST_LINEAR = 2500  # where a handful of solves is all


class Collocation:
    """One candidate: see the module.

    Args:
        parts: the problem.
        options: weights of equations and conditions at the reference.

    Attributes:
        space: the basis at work.
        ascent: what follows a stage.
        reason: None while it goes on, else a sentence that says why to stop.
    """

    is_sampling = False

    def __init__(self, parts: Parts, options: GaussNewtonOptions) -> None:
        self.parts, self.options = parts, options
        self.form: Form = DenseForm(is_factored=True)
        self.coefficients: Coefficients = parts.coefficients()
        self.is_linear = is_linear(parts.problem)
        names = [t.name for t in parts.batches.terms if t.kind == "observation"]
        self.noise = DataNoise(names)
        self.ridge, self.damping = 0.0, 0.0
        self.iteration = self.in_stage = 0
        self.reason: str | None = None
        self.last_score = self.last_lookahead = math.inf
        self._kept: tuple[Batches, Linearisation] | None = None
        most = MOST_LINEAR if self.is_linear else MOST_FUNCTIONS
        self.weight = Continuation(FIRST_WEIGHT, LARGEST_GOAL)
        self.space = WorkingSpace(parts, self.coefficients, options, self.weight, most)
        self.ascent = Ascent(self.space, is_linear=self.is_linear, restore=self._restore)
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
    def is_exact(self) -> bool:
        """Whether the physics came to its full weight."""
        return self.ascent.is_exact

    def linearise(self, batches: Batches) -> Linearisation:
        """Linearise at the present iterate, at the nodes and with the data of `batches`."""
        data = {n: b for n, b in batches.items() if n in self.noise.models}
        space, is_at_nodes = self.space, batches is self.space.batches
        own = {**space.batches, **data}
        weights = space.row_weights(own)
        if self._kept is not None and is_at_nodes and self._kept[0] is batches:
            kept = self._kept[1]
            plain = weighted_residuals(*space.trial, own, weights)
            rooted = weights.with_roots(self.noise.row_roots(plain, weights))
            if rooted.are_equal(kept.weights):
                return self._moved(kept.system, rooted, plain)
        found = linearise(
            self.form,
            space.trial,
            own,
            weights,
            space.anchor,
            ridge=self.ridge,
            noise_roots=self.noise.row_roots,
            has_coefficients=self.weight.accepted > self.ascent.release or not is_at_nodes,
            mixing=space.mixing,
        )
        self._kept = (batches, found) if self.is_linear and is_at_nodes else None
        return found

    def _moved(self, system: LinearisedSystem, weights: RowWeights, plain: Tensor) -> Linearisation:
        """Return the linearisation at other weights of a linear problem, whose J is the same."""
        residual = self.space.mixing(weights.weighted(plain))
        offset = self.space.theta[: len(self.space.anchor)] - self.space.anchor
        target = residual - system.apply(offset)
        return Linearisation(weights, plain, residual, target, offset, system)

    def step(self, batches: Batches) -> dict[str, float]:
        """Do one iteration and return its row of the log.

        Raises:
            SolveError: residuals are not finite.
        """
        line = self.linearise(self.space.batches)
        fit = self._choose_ridge(line)
        actual = line.observed / (1 - fit.leverage)
        risk = self.noise.risk(actual, line.weights)
        lookahead = self.noise.risk(fit.leave_one_out, line.weights)
        misfit = self.space.misfit(line)
        self.last_score, self.last_lookahead = risk + misfit, lookahead
        row = self._log_row(line, fit, risk, lookahead, misfit)
        share = self._resting_share(fit)
        is_resting = abs(risk - lookahead) <= share * lookahead and self.in_stage > 0
        if is_resting or self.in_stage >= MOST_IN_STAGE:
            self._end_stage(line, fit, self._stage(fit, actual, risk, misfit))
        else:
            self.in_stage += 1
            row["gain_ratio"] = self._descend(line)
            verdict = self.noise.update(line, fit, is_full=self.weight.is_at_goal)
            if verdict is Verdict.GAUSSIAN:
                self.reason = self._ending
            elif verdict is Verdict.HEAVY:
                self.ascent.begin_anew()
                self.in_stage = 0
        self.iteration += 1
        self.ascent.age += 1
        if self.reason is None and self.ascent.age >= self.options.max_iterations:
            self._end_of_patience()
        return row

    def _end_stage(self, line: Linearisation, fit: RidgeFit, stage: Stage) -> None:
        freedom = max(1.0, len(line.observed) - fit.effective_dimension)
        noise = math.sqrt(float(line.observed.square().sum()) / freedom)
        self.ascent.set_goal(noise, self.options.reference_noise)
        num_steps, self.in_stage = self.in_stage, 0
        self.ascent.end(stage, num_steps)
        if self.ascent.is_over:
            self.finish()
            if self.options.is_robust and not self.noise.is_judging:
                self.ascent.is_over = False
                self.turn_robust()
            else:
                self.reason = self._ending

    @property
    def _ending(self) -> str:
        return LOST if self.ascent.is_lost else CONVERGED

    def _resting_share(self, fit: RidgeFit) -> float:
        """Return the share of the risk by which a fit at rest may differ from the one foreseen.

        At the goal, a share of the part that the fit's own freedom has in it.
        """
        if not self.weight.is_at_goal:
            return RESTING
        return RESTING * min(1.0, SETTLED * fit.effective_dimension / len(fit.leverage))

    def _end_of_patience(self) -> None:
        """Start again where that was not tried; else the best stage is the answer."""
        if self.ascent.start_again():
            self.in_stage = 0
        elif self.score < math.inf:
            self.finish()
            self.reason = self._ending
        else:
            self.reason = f"the limit of {self.options.max_iterations} iterations is reached"

    def _choose_ridge(self, line: Linearisation) -> RidgeFit:
        """Return the fit at the ridge of least risk, scanned at the beginning of each stage."""
        most = 0 if self.is_linear else 1
        if self.in_stage > most and self.ridge > 0:
            return line.system.fits([self.ridge], line.target)[0]
        top = float(line.system.spectrum(line.target)[0][0])
        coarse = [top * 10.0**-k for k in range(DECADES)]
        fit = line.system.best_fit(coarse, line.target)
        fine = [fit.ridge * 10 ** (k / RIDGES) for k in range(1 - RIDGES, RIDGES)]
        fit = line.system.best_fit(fine, line.target)
        self.ridge = fit.ridge
        return fit

    def _log_row(
        self, line: Linearisation, fit: RidgeFit, risk: float, lookahead: float, misfit: float
    ) -> dict[str, float]:
        square = self.network.unit**2
        row = {
            "loss": float(line.residual.square().sum()) * square / len(line.observed),
            "leave_one_out_risk": risk * square,
            "training_risk": float(line.observed.square().mean()) * square,
            "lookahead_risk": lookahead * square,
            "selection_risk": (risk + misfit) * square,
            "effective_dimension": fit.effective_dimension,
            "signal_fraction": line.system.signal_fraction(self.ridge),
            "ridge": self.ridge,
            "damping": self.damping,
            "physics_weight": self.weight.value * self.options.equation_weight,
            "functions": float(self.network.num_parameters),
        }
        for name in line.weights.slices:
            plain = line.weights.unweighted(name, line.plain)
            row[f"loss_{name}"] = float(plain.square().mean())
        stds = self.noise.stds(line, fit)
        row |= {f"noise_std_{k}": s * self.network.unit for k, s in enumerate(stds, 1)}
        return row | coefficient_row(line, fit, self.coefficients)

    def _descend(self, line: Linearisation) -> float:
        theta = self.space.theta

        def moved(delta: Tensor) -> Tensor:
            return theta + torch.cat([delta, delta.new_zeros(len(theta) - len(delta))])

        def residuals(delta: Tensor) -> Tensor:
            self.space.theta = moved(delta)
            plain = weighted_residuals(*self.space.trial, self.space.batches, line.weights)
            return self.space.mixing(line.weights.weighted(plain))

        step = descend(
            residuals,
            line.system,
            line.residual,
            line.offset,
            ridge=self.ridge,
            damping=max(self.damping, LEAST_DAMPING * self.ridge),
            least_damping=LEAST_DAMPING * self.ridge,
            proximity=float(line.residual.square().sum()) / len(line.observed),
        )
        self.damping = step.damping
        self.space.theta = theta if step.delta is None else moved(step.delta)
        return step.gain

    def _stage(self, fit: RidgeFit, errors: Tensor, risk: float, misfit: float) -> Stage:
        return Stage(
            self.space.resolution,
            dict(self.space.scales),
            self.space.theta,
            errors.clone(),
            self.ridge,
            self.weight.value,
            risk,
            misfit,
            fit.effective_dimension,
            self.noise.state_dict(),
        )

    def _restore(self, stage: Stage) -> None:
        self.space.build(stage.resolution, stage.scales)
        self.space.theta = stage.theta
        self.ridge, self.damping = stage.ridge, 0.0
        self.noise.load_state_dict(stage.noise)

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

    def coefficient_covariance(self, system: LinearisedSystem, variance: float) -> Tensor:
        """Return the covariance of the raw coefficients (K, K)."""
        return variance * system.unpenalised_covariance(self.ridge)

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
            "scales": {name: (f.size, f.centre) for name, f in self.space.scales.items()},
            "noise": self.noise.state_dict(),
            "ascent": self.ascent.state_dict(),
            **{name: getattr(self, name) for name in _PLAIN},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        scales = {name: FieldScale(*pair) for name, pair in state["scales"].items()}
        self.space.build(dict(state["resolution"]), scales)
        self.space.theta = state["theta"]
        self.noise.load_state_dict(state["noise"])
        self.ascent.load_state_dict(state["ascent"])
        for name in _PLAIN:
            setattr(self, name, state[name])


_PLAIN = ("ridge", "damping", "iteration", "in_stage", "reason", "last_score", "last_lookahead")
