"""Population-risk Gauss–Newton: ridge steps whose ridge is chosen by the exact leave-one-out risk.

The solver of choice where the network is small (up to some thousand weights). The rule of Litman &
Guo (arXiv 2605.01172), move only where the signal exceeds the sampling noise, is applied in the
eigenbasis of the kernel J Jᵀ, where it is exact linear algebra (`inference.risk`): each iteration
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
from torch import Tensor

from pinngate.errors import InputError, SolveError
from pinngate.linear.jacobian import (
    Batches,
    Rows,
    assign,
    flatten,
    jacobian,
    row_slices,
    weighted_residuals,
)
from pinngate.linear.ridge import RidgeFactor, RidgeFit, RidgeSystem
from pinngate.linear.risk import RidgeSpectrum
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel, Term
from pinngate.optim.gauss_newton.data_noise import DataNoise, Verdict
from pinngate.optim.gauss_newton.one_step import OneStep
from pinngate.optim.gauss_newton.physics_weight import PhysicsWeight
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.gauss_newton.trust_region import descend
from pinngate.points.smoothness import strength

FIRST_SMOOTHING = 0.003  # strength of a smoothness prior before the data have told


class PopulationRiskGaussNewton:
    """Gauss–Newton with ridge and stopping by the leave-one-out risk.

    Args:
        model: the terms; at least one must be an observation.
        network: its present weights are the start and the centre w₀ of the ridge.
        coefficients: unknown coefficients, may be empty.
        options: see `GaussNewtonOptions`.

    Attributes:
        reason: None while it goes on, else a sentence that says why to stop.
        stopping: the best iterate, and when to stop.
        noise: of every observation set.
        physics: the weight of the equations and how it rises.
        smoothing: strength of every smoothness prior.

    Raises:
        InputError: no observations; network not in double precision.

    Cost of a step: forming the smaller of J Jᵀ and JᵀJ, and its Cholesky factor; where the ridge is
    chosen anew, its eigendecomposition.
    """

    def __init__(
        self,
        model: ResidualModel,
        network: Network,
        coefficients: Coefficients,
        options: GaussNewtonOptions | None = None,
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
        self.options = options or GaussNewtonOptions()
        self.anchor = flatten(network, coefficients)[: network.num_parameters].clone()
        # fields of any size and unit are brought to size one, so that ridge and damping have none
        self.unit = network.unit
        self.ridge = self.options.ridge
        self.damping = self.options.damping
        self.iteration = self.next_scan = 0
        self.one_step = OneStep(self.options.patience)
        self.last_score = math.inf
        self.last_lookahead = math.inf
        self.noise = DataNoise([t.name for t in self.observation_terms])
        self.physics = PhysicsWeight(self.options, has_coefficients=bool(coefficients.names))
        self.smoothing = {t.name: FIRST_SMOOTHING for t in model.terms if t.kind == "prior"}
        self.stopping = Stopping(self.options)
        self.reason: str | None = None

    def row_weights(self, batches: Batches) -> dict[str, float]:
        """Return the factor on the rows of each term, in units of the fields' size."""
        counts = {n: s.stop - s.start for n, s in row_slices(self.model, batches).items()}
        num_observations = sum(counts[t.name] for t in self.observation_terms)
        return {t.name: self._weight(t, counts[t.name], num_observations) for t in self.model.terms}

    def _weight(self, term: Term, count: int, num_observations: int) -> float:
        if term.kind == "observation":
            return 1.0 / self.unit
        if term.kind == "prior":
            return self.smoothing[term.name] / self.unit
        weight = self.options.condition_weight * max(1.0, self.physics.value)
        if term.kind == "equation":
            weight = self.options.equation_weight * self.physics.value
        return weight * math.sqrt(num_observations / count) / self.unit

    def step(self, batches: Batches) -> dict[str, float]:
        """Do one iteration on these points and return its row of the log.

        The figures belong to the iterate *before* the step: ``leave_one_out_risk`` uses its actual
        residuals over 1 − h_ii and is in squared data units, ``lookahead_risk`` those of the
        linearised minimiser, which is blind to an iteration that is stuck.

        Raises:
            SolveError: residuals are not finite.
        """
        options, num_weights = self.options, self.network.num_parameters
        weights = self.row_weights(batches)
        jac, plain, slices = self._linearise(batches, weights)
        if not bool(torch.isfinite(plain).all()):
            raise SolveError(f"the residuals are not finite at iteration {self.iteration}")
        roots = self.noise.row_roots(plain, slices)
        r = roots * plain
        jac *= roots[:, None]
        observed = slice(slices[self.observation_terms[0].name].start, len(r))
        theta = flatten(self.network, self.coefficients)
        offset = theta[:num_weights] - self.anchor
        if not self.physics.is_released:
            jac = jac[:, :num_weights]
        spectrum = self._decompose(jac, jac.shape[1] - num_weights, observed)
        target = r - jac[:, :num_weights] @ offset
        fit = self._choose_ridge(spectrum, target)
        self.physics.stiffen(math.sqrt(_variance(r[observed], fit)))

        actual = r[observed] / (1 - fit.leverage)
        risk = self.noise.risk(actual, roots, slices, observed)
        lookahead = self.noise.risk(fit.leave_one_out, roots, slices, observed)
        misfit = self._misfit(r, slices) / len(actual)
        self.last_score = risk + misfit
        self.last_lookahead = lookahead
        row = {
            "loss": float(r.square().sum()) * self.unit**2 / len(actual),
            **{
                f"loss_{name}": float((plain[rows] / weights[name]).square().mean())
                for name, rows in slices.items()
            },
            "leave_one_out_risk": risk * self.unit**2,
            "training_risk": float(r[observed].square().mean()) * self.unit**2,
            "lookahead_risk": lookahead * self.unit**2,
            "selection_risk": (risk + misfit) * self.unit**2,
            "effective_dimension": fit.effective_dimension,
            "signal_fraction": spectrum.signal_fraction(self.ridge),
            "ridge": self.ridge,
            "damping": self.damping,
            "physics_weight": self.physics.value * options.equation_weight,
        }
        stds = self.noise.stds(r, fit, slices, observed)
        row |= {f"noise_std_{k}": std * self.unit for k, std in enumerate(stds, 1)}
        row |= self._coefficient_rows(spectrum, fit, r[observed])
        if self.physics.is_released and self.physics.is_full and self.coefficients.names:
            raw = self.coefficients.raw.detach()
            self.one_step.record(raw, spectrum, self.ridge, target)
        self._judge(theta, risk + misfit, row)
        row["gain_ratio"] = self._descend(batches, weights, roots, spectrum, jac, r, theta)
        self._update_noise(plain, fit, slices, observed)
        self._smooth(plain, weights, r[observed], fit, slices)
        self.physics.advance(risk, lookahead, misfit, fit.effective_dimension / len(actual))
        self.iteration += 1
        if self.reason is None and self.iteration >= options.max_iterations:
            self.reason = f"the limit of {options.max_iterations} iterations is reached"
        return row

    def _linearise(self, batches: Batches, weights: Mapping[str, float]) -> Any:
        """Return J, r and the rows of each term; the matrix-free form overrides it."""
        return jacobian(self.model, self.network, self.coefficients, batches, weights)

    @property
    def is_scanning(self) -> bool:
        """Whether the risk is scanned over ridges in this iteration, which takes the spectrum."""
        return self.iteration >= self.next_scan

    def _decompose(self, jac: Any, num_unpenalised: int, observed: slice) -> Any:
        """Return what solves with J; the matrix-free form overrides it."""
        if not self.is_scanning:
            factor = RidgeFactor(jac, num_unpenalised, observed)
            if factor.is_definite(self.ridge):
                return factor
            self.next_scan = self.iteration
        return RidgeSpectrum(jac, num_unpenalised, observed)

    def _smooth(
        self,
        plain: Tensor,
        weights: Mapping[str, float],
        observed: Tensor,
        fit: RidgeFit,
        slices: Rows,
    ) -> None:
        """Let the strength of each smoothness prior follow the evidence."""
        variance = _variance(observed, fit)
        for name in self.smoothing:
            relative = plain[slices[name]] / (weights[name] * self.unit)
            self.smoothing[name] = strength(relative, variance, fit.effective_dimension)

    def _choose_ridge(self, spectrum: RidgeSystem, b: Tensor) -> RidgeFit:
        """Move the ridge to the least risk nearby; once it rests, look again only now and then."""
        if not self.is_scanning:
            return spectrum.fits([self.ridge], b)[0]
        factor = self.options.ridge_factor
        ridges = [self.ridge * factor ** (k / 8) for k in range(-8, 9)]
        fits = spectrum.fits(ridges, b)
        fit = min(fits, key=lambda f: float(f.leave_one_out.square().mean()))
        is_resting = fit.ridge not in (ridges[0], ridges[-1])
        self.next_scan = self.iteration + (self.options.scan_pause if is_resting else 1)
        self.ridge = max(fit.ridge, 1e-10)
        return fit

    def _coefficient_rows(
        self, spectrum: RidgeSystem, fit: RidgeFit, observed: Tensor
    ) -> dict[str, float]:
        names = self.coefficients.names
        if not names:
            return {}
        variance = _variance(observed, fit)
        raw = (spectrum.unpenalised_covariance(self.ridge).diagonal() * variance).sqrt()
        raw = torch.cat([raw, raw.new_full((len(names) - len(raw),), math.nan)])
        values, slopes = self.coefficients.values_and_slopes()
        rows = {}
        for name, value, slope, std in zip(names, values, slopes, raw, strict=True):
            rows[f"coefficient_{name}"] = float(value)
            rows[f"coefficient_{name}_std"] = float(slope.abs() * std)
        return rows

    def _misfit(self, r: Tensor, slices: Rows) -> float:
        """Return Σr² of equations and conditions at the weights that every solver starts from."""
        total = 0.0
        for term in self.model.terms:
            if term.kind in ("equation", "condition"):
                weight = self.physics.value
                if term.kind == "condition":
                    weight = max(1.0, weight)
                total += float(r[slices[term.name]].square().sum()) / weight**2
        return total

    def _judge(self, theta: Tensor, score: float, row: Mapping[str, float]) -> None:
        """Keep the best iterate; stop, or turn robust, when neither risk nor score falls."""
        options, stopping = self.options, self.stopping
        if not self.physics.is_full:
            stopping.num_stale = 0
            return
        risk = row["leave_one_out_risk"]
        stopping.judge(
            score,
            risk,
            self.physics.value,
            lambda: {
                "theta": theta.clone(),
                "ridge": self.ridge,
                "dimension": row["effective_dimension"],
                "iteration": self.iteration,
                "noise": self.noise.state_dict(),
                "smoothing": dict(self.smoothing),
            },
        )
        # far above the linearised minimiser the iteration creeps: it has not converged
        is_creeping = risk > options.creeping * row["lookahead_risk"]
        if stopping.is_stale(is_creeping):
            if options.is_robust and not self.noise.is_judging and not is_creeping:
                self.turn_robust()
            else:
                self.reason = "the leave-one-out risk stopped falling"

    def _descend(
        self,
        batches: Batches,
        weights: Mapping[str, float],
        roots: Tensor,
        spectrum: Any,
        jac: Any,
        r: Tensor,
        theta: Tensor,
    ) -> float:
        """Take the trust-region step; return actual over predicted reduction (0 if refused)."""

        def moved(delta: Tensor) -> Tensor:
            held = delta.new_zeros(len(theta) - len(delta))
            return theta + torch.cat([delta, held])

        def residuals(delta: Tensor) -> Tensor:
            assign(self.network, self.coefficients, moved(delta))
            return roots * weighted_residuals(
                self.model, self.network, self.coefficients, batches, weights
            )

        step = descend(
            residuals,
            spectrum,
            jac,
            r,
            theta[: len(self.anchor)] - self.anchor,
            ridge=self.ridge,
            damping=self.damping,
            is_accelerated=self.options.is_accelerated,
        )
        self.damping = step.damping
        assign(self.network, self.coefficients, theta if step.delta is None else moved(step.delta))
        return step.gain

    def turn_robust(self) -> None:
        """Judge the tails of the noise from now on, where that is allowed."""
        if self.options.is_robust:
            self.noise.judge_tails()

    def _update_noise(self, plain: Tensor, fit: RidgeFit, slices: Rows, observed: slice) -> None:
        """Refit the noise of each set.

        Tails are judged only once the Gaussian fit has converged: before, a misfit that is local (a
        front) would pass for outliers. Gaussian data then stop where they stood. Where tails are
        heavy the physics softens once more and rises again: the outliers had hidden what the stiff
        fit missed, and its misfit at a front would pass for outliers now.
        """
        verdict = self.noise.update(plain, fit, slices, observed, is_full=self.physics.is_full)
        if verdict is Verdict.GAUSSIAN:
            self.reason = "the leave-one-out risk stopped falling"
        elif verdict is Verdict.FROZEN:
            self.stopping.forget()
        elif verdict is Verdict.HEAVY:
            self.physics.soften()
            self.stopping.forget()
            self.one_step.steps.clear()

    def finish(self) -> None:
        """Put the best iterate back into the network and the coefficients.

        Coefficients become the mean of the last linearised minimisers where those agree.
        """
        best = self.stopping.best
        if best is not None:
            assign(self.network, self.coefficients, best["theta"])
            self.ridge = best["ridge"]
            self.noise.load_state_dict(best["noise"])
            self.smoothing = dict(best["smoothing"])
            self.physics.value = best["physics"]
        steps = self.one_step.agreeing(self.coefficients.raw)
        if steps is not None:
            with torch.no_grad():
                self.coefficients.raw.copy_(steps.mean(0))

    def coefficient_covariance(self, spectrum: Any, variance: float) -> Tensor:
        """Return the covariance of the raw coefficients (K, K) that `finish` has left."""
        raw = self.coefficients.raw.detach()
        return self.one_step.covariance(raw, spectrum, self.ridge, variance)

    @property
    def score(self) -> float:
        """Risk and physics misfit in units of the fields: of the best iterate at full weight.

        Before there is one, of the last iterate, its misfit taken at full weight.
        """
        return self.last_score if self.stopping.best is None else self.stopping.score

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on: tensors, numbers, strings and dicts of them."""
        return {
            "theta": flatten(self.network, self.coefficients),
            "anchor": self.anchor.clone(),
            "one_step": self.one_step.state_dict(),
            "noise": self.noise.state_dict(),
            "physics": self.physics.state_dict(),
            "stopping": self.stopping.state_dict(),
            **{name: getattr(self, name) for name in _PLAIN_STATE},
            "smoothing": dict(self.smoothing),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; on the same batches the iterations are bitwise the same."""
        assign(self.network, self.coefficients, state["theta"])
        self.anchor = state["anchor"].clone()
        self.one_step.load_state_dict(state["one_step"])
        self.noise.load_state_dict(state["noise"])
        self.physics.load_state_dict(state["physics"])
        self.stopping.load_state_dict(state["stopping"])
        for name in _PLAIN_STATE:
            setattr(self, name, state[name])
        self.smoothing = dict(state["smoothing"])


def _variance(observed: Tensor, fit: RidgeFit) -> float:
    """Return σ̂² from the weighted residuals of the observations."""
    return float(observed.square().sum()) / max(1.0, len(observed) - fit.effective_dimension)


_PLAIN_STATE = (
    "ridge",
    "damping",
    "iteration",
    "next_scan",
    "last_score",
    "last_lookahead",
    "reason",
)
