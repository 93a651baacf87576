"""Population-risk Gauss–Newton: ridge steps whose ridge is chosen by the exact leave-one-out risk.

The solver of choice where the network is small (up to some thousand weights). The rule of Litman &
Guo (arXiv 2605.01172), move only where the signal exceeds the sampling noise, is applied in the
eigenbasis of the kernel J Jᵀ, where it is exact linear algebra (`pinngate.risk`): each iteration
linearises all residuals, chooses the ridge α that minimises the leave-one-out risk of the
observations, and takes a trust-region step on

    ‖r(θ)‖² + α ‖w − w₀‖²        (w the weights; unknown coefficients are never penalised).

The weight of the equations rises from a small fraction to its full value. The answer is the iterate
of least risk; no validation set is used. It stands above the trainer, which supplies the batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pinngate.coefficients import Coefficients
from pinngate.errors import InputError, SolveError
from pinngate.networks import Network
from pinngate.optim.jacobian import (
    Batches,
    Rows,
    assign,
    flatten,
    jacobian,
    row_slices,
    weighted_residuals,
)
from pinngate.optim.trust_region import descend
from pinngate.residuals import ResidualModel, Term
from pinngate.risk import NoiseModel, RidgeFit, RidgeSpectrum, fit_student_t
from pinngate.smoothness import strength

if TYPE_CHECKING:
    from pinngate.posterior import Posterior

NEGLIGIBLE = 0.01  # risk as a share of the physics' misfit below which the data hold nothing back
MAX_ONE_STEP = (
    0.3  # in raw coefficients (of size one) from the best iterate: beyond, linear is far off
)
FIRST_SMOOTHING = 0.003  # strength of a smoothness prior before the data have told
POOLED = 2.0  # values by which the noise of all sets counts in that of one: few values that the
# fit follows freely tell nothing of their noise, and would end with all the weight
NUM_REWEIGHTINGS = 5  # refits of a Student-t model before it is frozen


@dataclass(frozen=True)
class GaussNewtonOptions:
    """How the solver goes; every default has its reason.

    Attributes:
        equation_weight: final weight of an equation's residual, in units of its characteristic size
            (`residuals.characteristic_size`) against the data's own unit.
        condition_weight: the same for exact conditions; never ramped, they are easy.
        first_physics_weight: where the ramp starts, as a fraction of `equation_weight`: from random
            weights the data must be met before the equation holds the solution at zero.
        ramp: factor an iteration; 12 iterations from 0.05 to 1, about what a sine network needs to
            find the solution.
        reference_noise: noise, in units of the fields' size, at which the weights above are right.
            Quieter data demand proportionally stiffer physics, or the equation's residual bends to
            what the data would have forbidden (sand column: v 2.4 % off in place of 0.5 %).
        max_stiffness: most by which the physics is stiffened; beyond, rounding takes over.
        following: actual over look-ahead risk below which the iterate has followed the physics and
            its weight rises; with coefficients 1 + d/n, as far from the minimiser as the d
            directions of the fit are by themselves. Raised before, the field obeys an equation of
            wrong coefficients, and creeps along it to the right ones (inverse Burgers: 200
            iterations in place of 50). With the first rise coefficients begin to move; before the
            field has met the data a velocity can run off to zero, from where it does not come back.
        max_held: iterations after which the weight rises for the first time all the same; a quarter
            as many before each further rise.
        ridge: first α, in units of the squared size of the fields; follows the risk from there.
        ridge_factor: most by which α moves an iteration: the linearisation changes with it.
        damping: first trust-region parameter μ, in units of the squared size of the fields.
        patience: iterations at full weight without a fall of the risk before stopping.
        tolerance: relative fall of the risk that counts as one; the standard error of a risk from
            200 observations is a hundred times larger.
        max_iterations: a limit for networks that creep; small sine networks stop after 20 to 40,
            the inverse Burgers problem needed 81.
        creeping: actual over look-ahead risk above which the iteration has not converged and its
            patience is tripled; converged runs agree to a tenth of a percent.
        is_robust: whether to fit a Student-t noise model and reweight observations where the data
            have heavy tails. Gaussian data keep weights of one exactly.
        is_accelerated: whether steps are corrected for the curvature of the residuals
            (`trust_region`); it spares the inverse Burgers problem half of its iterations.
    """

    equation_weight: float = 3.0
    condition_weight: float = 5.0
    first_physics_weight: float = 0.05
    ramp: float = 1.3
    reference_noise: float = 0.33
    max_stiffness: float = 100.0
    following: float = 1.1
    max_held: int = 12
    ridge: float = 1.0
    ridge_factor: float = 3.0
    damping: float = 1.0
    patience: int = 6
    tolerance: float = 1e-3
    max_iterations: int = 120
    creeping: float = 1.05
    is_robust: bool = True
    is_accelerated: bool = True


class PopulationRiskGaussNewton:
    """Gauss–Newton with ridge and stopping by the leave-one-out risk.

    Args:
        model: the terms; at least one must be an observation.
        network: its present weights are the start and the centre w₀ of the ridge.
        coefficients: unknown coefficients, may be empty.
        options: see `GaussNewtonOptions`.

    Attributes:
        reason: None while it goes on, else a sentence that says why to stop.
        best_state: weights, ridge and risk of the best iterate, None before full physics weight.
        stated_stds: noise of the sets whose data state it, in units of the terms' residuals; the
            others' is estimated from their residuals.

    Raises:
        InputError: no observations; network not in double precision.

    Cost of a step: forming the smaller of J Jᵀ and JᵀJ and one eigendecomposition of it.
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
        self.physics_weight = self.options.first_physics_weight
        self.stiffness = 1.0
        self.iteration = 0
        self.one_steps: list[Tensor] = []
        self.num_held = 0
        self.is_released = False
        self.num_stale = 0
        self.last_score = math.inf
        self.last_lookahead = math.inf
        self.least_risk = math.inf
        self.is_reweighting = False
        self.num_reweightings = 0
        self.noise = {t.name: NoiseModel() for t in self.observation_terms}
        self.precision = {t.name: 1.0 for t in self.observation_terms}
        self.smoothing = {t.name: FIRST_SMOOTHING for t in model.terms if t.kind == "prior"}
        self.stated_stds: Mapping[str, float] = {}
        self.best_state: dict[str, Any] | None = None
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
        weight = self.options.condition_weight * max(1.0, self.physics_weight)
        if term.kind == "equation":
            weight = self.options.equation_weight * self.physics_weight
        return weight * math.sqrt(num_observations / count) / self.unit

    @property
    def is_at_full_weight(self) -> bool:
        """Whether the ramp of the physics has ended, but for the drift of the noise estimate."""
        return self.physics_weight >= 0.9 * self.stiffness

    def row_roots(self, plain: Tensor, slices: Rows) -> Tensor:
        """Return the further factor on each row (N,): relative precision and robustness.

        Sets of unequal noise are brought to a common one; where a set has heavy tails its rows
        carry the square roots of the Student-t weights of their present residuals.
        """
        roots = torch.ones_like(plain)
        for term in self.observation_terms:
            rows = slices[term.name]
            roots[rows] = (
                self.precision[term.name] * self.noise[term.name].weights(plain[rows]).sqrt()
            )
        return roots

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
        roots = self.row_roots(plain, slices)
        r = roots * plain
        jac *= roots[:, None]
        observed = slice(slices[self.observation_terms[0].name].start, len(r))
        theta = flatten(self.network, self.coefficients)
        offset = theta[:num_weights] - self.anchor
        if not self.is_released:
            jac = jac[:, :num_weights]
        spectrum = self._decompose(jac, jac.shape[1] - num_weights, observed)
        fit = self._choose_ridge(spectrum, r - jac[:, :num_weights] @ offset)

        actual = r[observed] / (1 - fit.leverage)
        risk = float(actual.square().mean())
        misfit = self._misfit(r, slices) / len(actual)
        self.last_score = risk + misfit
        self.last_lookahead = float(fit.leave_one_out.square().mean())
        row = {
            "loss": float(r.square().sum()) * self.unit**2 / len(actual),
            **{
                f"loss_{name}": float((plain[rows] / weights[name]).square().mean())
                for name, rows in slices.items()
            },
            "leave_one_out_risk": risk * self.unit**2,
            "lookahead_risk": float(fit.leave_one_out.square().mean()) * self.unit**2,
            "selection_risk": (risk + misfit) * self.unit**2,
            "effective_dimension": fit.effective_dimension,
            "signal_fraction": spectrum.signal_fraction(self.ridge),
            "ridge": self.ridge,
            "damping": self.damping,
            "physics_weight": self.physics_weight * options.equation_weight,
        }
        row |= self._noise_rows(r, fit, slices, observed)
        row |= self._coefficient_rows(spectrum, fit, r[observed])
        self._look_ahead(spectrum, r - jac[:, :num_weights] @ offset)
        self._judge(theta, risk + misfit, row)
        row["gain_ratio"] = self._descend(batches, weights, roots, spectrum, jac, r, theta)
        self._update_noise(plain, fit, slices, observed)
        self._smooth(plain, weights, r[observed], fit, slices)
        self._stiffen(r[observed], fit)
        self._raise_physics(row, len(actual))
        self.iteration += 1
        if self.reason is None and self.iteration >= options.max_iterations:
            self.reason = f"the limit of {options.max_iterations} iterations is reached"
        return row

    def _linearise(self, batches: Batches, weights: Mapping[str, float]) -> Any:
        """Return J, r and the rows of each term; the matrix-free form overrides it."""
        return jacobian(self.model, self.network, self.coefficients, batches, weights)

    def _decompose(self, jac: Any, num_unpenalised: int, observed: slice) -> Any:
        """Return the spectrum of J; the matrix-free form overrides it."""
        return RidgeSpectrum(jac, num_unpenalised, observed)

    def posterior(self, batches: Batches, stated_std: float | None = None) -> Posterior:
        """Return the uncertainty at the present iterate; call `finish` first.

        The import is late because the posterior stands above the solver.
        """
        from pinngate.posterior import gauss_newton_posterior

        return gauss_newton_posterior(self, batches, stated_std)

    def _smooth(
        self,
        plain: Tensor,
        weights: Mapping[str, float],
        observed: Tensor,
        fit: RidgeFit,
        slices: Rows,
    ) -> None:
        """Let the strength of each smoothness prior follow the evidence."""
        free = max(1.0, len(observed) - fit.effective_dimension)
        variance = float(observed.square().sum()) / free
        for name in self.smoothing:
            relative = plain[slices[name]] / (weights[name] * self.unit)
            self.smoothing[name] = strength(relative, variance, fit.effective_dimension)

    def _stiffen(self, observed: Tensor, fit: RidgeFit) -> None:
        """Let the final weight of the physics follow the falling estimate of the noise."""
        if self.physics_weight < 1.0:
            return
        free = max(1.0, len(observed) - fit.effective_dimension)
        noise = math.sqrt(float(observed.square().sum()) / free)
        wanted = self.options.reference_noise / max(noise, 1e-300)
        self.stiffness = max(self.stiffness, min(self.options.max_stiffness, wanted))

    def _raise_physics(self, row: Mapping[str, float], num_observations: int) -> None:
        """Raise the weight of the physics once the iterate has followed it to the minimiser."""
        risk = row["leave_one_out_risk"]
        misfit = row["selection_risk"] - risk
        following = self.options.following
        if self.coefficients.names:
            following = 1 + row["effective_dimension"] / num_observations
        follows = risk <= following * row["lookahead_risk"]
        if self.is_released:
            follows = follows or risk <= NEGLIGIBLE * misfit
        patience = self.options.max_held // (4 if self.is_released else 1)
        if not follows and self.num_held < patience:
            self.num_held += 1
            return
        self.num_held, self.is_released = 0, True
        self.physics_weight = min(self.stiffness, self.physics_weight * self.options.ramp)

    def _choose_ridge(self, spectrum: RidgeSpectrum, b: Tensor) -> RidgeFit:
        factor = self.options.ridge_factor
        ridges = [self.ridge * factor ** (k / 8) for k in range(-8, 9)]
        fits = spectrum.fits(ridges, b)
        fit = min(fits, key=lambda f: float(f.leave_one_out.square().mean()))
        self.ridge = max(fit.ridge, 1e-10)
        return fit

    def _noise_rows(
        self, r: Tensor, fit: RidgeFit, slices: Rows, observed: slice
    ) -> dict[str, float]:
        rows = {}
        for k, term in enumerate(self.observation_terms, 1):
            s = slices[term.name]
            own = slice(s.start - observed.start, s.stop - observed.start)
            free = max(1.0, (s.stop - s.start) - float(fit.leverage[own].sum()))
            unit = self.unit / self.precision[term.name]
            rows[f"noise_std_{k}"] = math.sqrt(float(r[s].square().sum()) / free) * unit
        return rows

    def _coefficient_rows(
        self, spectrum: RidgeSpectrum, fit: RidgeFit, observed: Tensor
    ) -> dict[str, float]:
        names = self.coefficients.names
        if not names:
            return {}
        free = max(1.0, len(observed) - fit.effective_dimension)
        variance = float(observed.square().sum()) / free
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
                weight = self.physics_weight
                if term.kind == "condition":
                    weight = max(1.0, weight)
                total += float(r[slices[term.name]].square().sum()) / weight**2
        return total

    def _look_ahead(self, spectrum: Any, b: Tensor) -> None:
        """Record the coefficients of the linearised minimiser, raw, at the physics' full weight."""
        if self.is_released and self.is_at_full_weight and self.coefficients.names:
            _, change = spectrum.minimiser(self.ridge, b)
            self.one_steps.append(self.coefficients.raw.detach() + change)
            del self.one_steps[: -self.options.patience]

    def _judge(self, theta: Tensor, score: float, row: Mapping[str, float]) -> None:
        """Keep the best iterate; stop, or turn robust, when neither risk nor score falls."""
        if not self.is_at_full_weight:
            self.num_stale = 0
            return
        options = self.options
        if self.best_state is not None and self.best_state["physics"] < 0.9 * self.physics_weight:
            # iterates under softer physics do not compare
            self.best_state, self.least_risk = None, math.inf
        risk, lookahead = row["leave_one_out_risk"], row["lookahead_risk"]
        best = math.inf if self.best_state is None else float(self.best_state["score"])
        falls = min(score / best, risk / self.least_risk) < 1 - options.tolerance
        self.num_stale = 0 if falls else self.num_stale + 1
        self.least_risk = min(risk, self.least_risk)
        if score < best:
            self.best_state = {
                "theta": theta.clone(),
                "ridge": self.ridge,
                "score": score,
                "risk": risk,
                "iteration": self.iteration,
                "physics": self.physics_weight,
                "noise": {name: asdict(n) for name, n in self.noise.items()},
                "precision": dict(self.precision),
                "smoothing": dict(self.smoothing),
            }
        # far above the linearised minimiser the iteration creeps: it has not converged
        is_creeping = risk > options.creeping * lookahead
        if self.num_stale >= options.patience * (3 if is_creeping else 1):
            if options.is_robust and not self.is_reweighting and not is_creeping:
                self.is_reweighting = True
                self.num_reweightings = 0
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

    def _update_noise(self, plain: Tensor, fit: RidgeFit, slices: Rows, observed: slice) -> None:
        """Refit the noise of each set to its residuals over √(1 − h), which have its variance.

        What data state of their noise is taken at its word.

        A Student-t model is tried only once the Gaussian fit has converged: before, a misfit that
        is local (a front) would pass for outliers. Gaussian data then stop where they stood. The
        model is frozen after a few refits, so that risks of successive iterates can be compared.
        """
        is_fitting = self.is_reweighting and self.num_reweightings < NUM_REWEIGHTINGS
        sizes, inverse, total = {}, 0.0, 0
        pooled = float(plain[observed].square().sum() / (1 - fit.leverage).sum().clamp_min(1.0))
        for term in self.observation_terms:
            rows = slices[term.name]
            own = slice(rows.start - observed.start, rows.stop - observed.start)
            spread = plain[rows] / (1 - fit.leverage[own]).sqrt()
            if is_fitting:
                self.noise[term.name] = fit_student_t(spread)
            model = self.noise[term.name]
            size = model.scale if model.dof is not None else None
            if term.name in self.stated_stds:
                size = self.stated_stds[term.name] / self.unit
            if size is None:
                free = float((1 - fit.leverage[own]).sum()) + POOLED
                square = (float(plain[rows].square().sum()) + POOLED * pooled) / free
                size = math.sqrt(square)
            sizes[term.name] = size or 1.0
            inverse += len(spread) / sizes[term.name] ** 2
            total += len(spread)
        if len(sizes) > 1 and (is_fitting or not self.is_at_full_weight):
            common = math.sqrt(total / inverse)
            self.precision = {name: common / size for name, size in sizes.items()}
        if not is_fitting:
            return
        self.num_reweightings += 1
        if all(n.dof is None for n in self.noise.values()):
            self.num_reweightings = NUM_REWEIGHTINGS
            self.reason = "the leave-one-out risk stopped falling"
        elif self.num_reweightings == NUM_REWEIGHTINGS:
            self.best_state, self.least_risk, self.num_stale = None, math.inf, 0

    def finish(self) -> None:
        """Put the best iterate back into the network and the coefficients.

        Coefficients become the mean of the last linearised minimisers where those agree: the
        one-step estimator (L. Le Cam, 1956; A. W. van der Vaart, Asymptotic Statistics, 5.7), which
        is efficient although the iteration still creeps along the valley of stiff physics.
        """
        if self.best_state is not None:
            assign(self.network, self.coefficients, self.best_state["theta"])
            self.ridge = self.best_state["ridge"]
            self.noise = {n: NoiseModel(**v) for n, v in self.best_state["noise"].items()}
            self.precision = dict(self.best_state["precision"])
            self.smoothing = dict(self.best_state["smoothing"])
            self.physics_weight = self.best_state["physics"]
        if len(self.one_steps) == self.options.patience:
            steps = torch.stack(self.one_steps)
            steps = steps[torch.isfinite(steps).all(1)]
            is_near = (steps - self.coefficients.raw).abs() < MAX_ONE_STEP
            if len(steps) and bool(is_near.all()):
                with torch.no_grad():
                    self.coefficients.raw.copy_(steps.mean(0))

    @property
    def score(self) -> float:
        """Risk and physics misfit in units of the fields: of the best iterate at full weight.

        Before there is one, of the last iterate, its misfit taken at full weight.
        """
        return self.last_score if self.best_state is None else float(self.best_state["score"])

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on: tensors, numbers, strings and dicts of them."""
        return {
            "theta": flatten(self.network, self.coefficients),
            "anchor": self.anchor.clone(),
            "one_steps": [step.clone() for step in self.one_steps],
            "noise": {name: asdict(n) for name, n in self.noise.items()},
            "best_state": None if self.best_state is None else dict(self.best_state),
            **{name: getattr(self, name) for name in _PLAIN_STATE},
            "precision": dict(self.precision),
            "smoothing": dict(self.smoothing),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; on the same batches the iterations are bitwise the same."""
        assign(self.network, self.coefficients, state["theta"])
        self.anchor = state["anchor"].clone()
        self.one_steps = [step.clone() for step in state["one_steps"]]
        self.noise = {name: NoiseModel(**n) for name, n in state["noise"].items()}
        self.best_state = None if state["best_state"] is None else dict(state["best_state"])
        for name in _PLAIN_STATE:
            setattr(self, name, state[name])
        self.precision = dict(state["precision"])
        self.smoothing = dict(state["smoothing"])


_PLAIN_STATE = (
    "ridge",
    "damping",
    "physics_weight",
    "stiffness",
    "iteration",
    "num_held",
    "is_released",
    "num_stale",
    "last_score",
    "last_lookahead",
    "reason",
    "least_risk",
    "is_reweighting",
    "num_reweightings",
)
