"""A direct fit as a candidate of the race: one step solves it all.

Coefficients and what is not stated of the initial state are all that is unknown of an evolution:
least squares through the solver searches for a few numbers or functions of one axis where every
other trial space searches for fields. What comes out is judged as any other candidate is: by
leave-one-out errors of the same observations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.inference.noise_model import fit_noise
from pinngate.inference.posterior import Posterior
from pinngate.inference.series import correlation_in_set
from pinngate.linear.columns import JacobianColumns
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.forms import DenseForm, Form
from pinngate.linear.jacobian import Batches, row_weights
from pinngate.linear.linearisation import Linearisation
from pinngate.linear.system import LinearisedSystem, RidgeFit
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.optim.direct_fit.through_solver import DirectFit, direct_fit
from pinngate.optim.gauss_newton.data_noise import DataNoise
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.parts import Parts
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    from pinngate.optim.race import Candidate

Array = NDArray[np.float64]

CONVERGED = "least squares through the solver came to rest, and a finer solver moves nothing"
COARSE = "least squares through the solver came to rest, but a finer solver still moves it"
POOR = "the solver's solutions leave most of the data unexplained"
OUTLIERS = 15.0  # log-likelihood by which tails must be heavy: a few per cent of outliers


def can_be_marched(problem: Problem) -> bool:
    """Whether a problem is one of evolution, in time or in time and one space axis."""
    if "t" not in problem.axes or len(problem.axes) > 2 or problem.hidden:
        return False
    try:
        MarchingForm(problem)
    except CannotMarch:
        return False
    return True


class ThroughSolver:
    """One candidate: see the module.

    Args:
        parts: the problem.
        options: of all candidates.
        start: another candidate whose answer the search begins from; None for initial values.

    Attributes:
        reason: None before the step, then how it ended.
        fit: the answer, None before.
    """

    is_sampling = False

    def __init__(
        self, parts: Parts, options: GaussNewtonOptions, start: Candidate | None = None
    ) -> None:
        self.parts, self.options, self.start = parts, options, start
        self.coefficients = parts.coefficients()
        terms = [t for t in parts.batches.terms if t.kind == "observation"]
        self.model = ResidualModel(terms, parts.problem)
        self.form: Form = DenseForm(is_factored=True)
        self.noise = DataNoise([t.name for t in terms])
        self.stopping = Stopping(options)
        self.ridge = 1.0
        self.iteration = 0
        self.reason: str | None = None
        self.last_score = self.last_lookahead = math.inf
        self.fit: DirectFit | None = None
        self._show(None)
        self.unit = self.network.unit

    def _show(self, fit: DirectFit | None) -> None:
        problem, scales = self.parts.problem, self.parts.batches.scales
        sizes = [scales[u].size for u in problem.unknowns]
        self.fields = SolvedFields(problem, fit, sizes)
        self.network: Network = self.fields

    @property
    def score(self) -> float:
        """Risk of the answer, in units of the fields; the solver leaves nothing of the physics."""
        best = self.stopping.best
        return math.inf if best is None else float(best["score"])

    @property
    def is_exact(self) -> bool:
        """Whether the answer is that of the exact model."""
        return self.fit is not None and self.fit.is_settled

    @property
    def is_poor(self) -> bool:
        """Whether the solver's solutions leave much of the data unexplained."""
        return self.fit is None or self.fit.is_poor

    @property
    def is_conclusive(self) -> bool:
        """Whether it explains the data and its class of solutions, all numbers, has no richer one.

        A network of lower score then owes it to physics that it meets only softly.
        """
        fit = self.fit
        return fit is not None and self.is_exact and fit.explains and not fit.unknowns.blocks

    def step(self, batches: Batches) -> dict[str, float]:
        """Solve, and return the row of the log.

        Raises:
            CannotMarch: the solver has no solution.
        """
        self.iteration += 1
        fit = self._solve()
        if self.options.is_robust and self._has_outliers(fit):
            raise CannotMarch("the noise has heavy tails, and this fit is by least squares")
        self._take(fit)
        best = self.stopping.best or {}
        risk, training = float(best["risk"]), float(self._line().observed.square().mean())
        row = {
            "loss": training * self.unit**2,
            "leave_one_out_risk": risk,
            "training_risk": training * self.unit**2,
            "lookahead_risk": risk,
            "selection_risk": risk,
            "effective_dimension": float(best["dimension"]),
            "functions": float(self.network.num_parameters),
        }
        for name, (value, deviation) in fit.coefficients.items():
            row[f"coefficient_{name}"], row[f"coefficient_{name}_std"] = value, deviation
        return row

    def _solve(self) -> DirectFit:
        parts, guess = self.parts, None
        if self.start is not None:
            self.start.finish()
            with torch.no_grad():
                self.coefficients.raw.copy_(self.start.coefficients.raw)
            guess = self._started
        return direct_fit(parts.problem, parts.batches.sets, self.coefficients, guess)

    def _started(self, points: Array) -> Array:
        """Return the outputs of the candidate that this one starts from, (n, F)."""
        assert self.start is not None
        network = self.start.network
        with torch.no_grad():
            found = network(torch.as_tensor(points).to(network.low))
        return np.asarray(found.double().cpu().numpy())

    def _has_outliers(self, fit: DirectFit) -> bool:
        """Whether residuals have heavy tails and are not alike in neighbours, as misfit is."""
        time = self.parts.problem.axes.index("t")
        for data in self.parts.batches.sets:
            residuals = fit.residuals[data.name]
            if fit_noise(torch.as_tensor(residuals), OUTLIERS).is_heavy:
                found = correlation_in_set(data.points, residuals, time)
                if found is None or not found.is_clear:
                    return True
        return False

    def _take(self, fit: DirectFit) -> None:
        """Make an answer of a fit."""
        self.fit = fit
        self._show(fit)
        with torch.no_grad():
            self.coefficients.raw.copy_(torch.as_tensor(fit.raw).to(self.coefficients.raw))
        stds = self._stds()
        common = float(np.mean(stds**-2.0) ** -0.5)
        for term, data in zip(self.model.terms, self.parts.batches.sets, strict=True):
            self.noise.precision[term.name] = common * term.scale / fit.noise_std[data.name]
        found = self._last_fit()
        risk = found.risk
        self.last_score = self.last_lookahead = risk
        self.stopping.best = {
            "score": risk,
            "errors": found.leave_one_out,
            "risk": risk * self.unit**2,
            "physics": 1.0,
            "dimension": found.effective_dimension,
            "iteration": self.iteration,
        }
        self.reason = POOR if self.is_poor else CONVERGED if self.is_exact else COARSE

    def _stds(self) -> Array:
        """Return the noise of every value in the unit that all fields share, (n,)."""
        return np.asarray(self._solved.rows.std / self._scales().numpy())

    @property
    def _solved(self) -> DirectFit:
        if self.fit is None:
            raise CannotMarch("nothing was solved yet")
        return self.fit

    def linearise(self, batches: Batches) -> Linearisation:
        """Return the linear model at the answer: its tangents at the data."""
        return self._line()

    def _line(self) -> Linearisation:
        fit = self._solved
        data = {n: b for n, b in self.parts.batches.observations.items() if n in self.noise.models}
        weights = row_weights(self.model, data, {t.name: 1 / self.unit for t in self.model.terms})
        stds = self._stds()
        common = float(np.mean(stds**-2.0) ** -0.5)
        factor = torch.as_tensor(common / self.unit / fit.rows.std)
        scaled = factor[:, None] * torch.as_tensor(fit.rows.jacobian)
        a = scaled * torch.as_tensor(self.fields.scale)
        scalars = fit.unknowns.scalars
        c = a[:, scalars].clone()
        a[:, scalars] = 0.0
        columns = torch.cat([a, a.new_zeros(len(a), 1), c], 1)
        system = FactoredSystem(JacobianColumns(columns, c.shape[1], weights.observed, "normal"))
        residual = factor * torch.as_tensor(fit.rows.residual)
        theta = torch.as_tensor(fit.theta / self.fields.scale)
        theta[scalars] = 0.0
        offset = torch.cat([theta, theta.new_zeros(1)])
        target = residual - system.apply(offset)
        roots = factor * self.unit * self._scales()
        plain = residual / roots
        self.ridge = self._ridge(common)
        return Linearisation(weights.with_roots(roots), plain, residual, target, offset, system)

    def _scales(self) -> Tensor:
        """Return the scale of each value's term, (n,)."""
        pairs = zip(self.model.terms, self.parts.batches.sets, strict=True)
        scales = [torch.full((len(o.values),), t.scale, dtype=torch.float64) for t, o in pairs]
        return torch.cat(scales)

    def _ridge(self, common: float) -> float:
        """Return α: the prior's variance of scaled weights is one, in units of the noise."""
        return (common / self.unit) ** 2

    def _last_fit(self) -> RidgeFit:
        line = self._line()
        return line.system.fits([self.ridge], line.target)[0]

    def turn_robust(self) -> None:
        """Heavy tails are left to other candidates."""

    def finish(self) -> None:
        """The answer stands."""

    def coefficient_covariance(self, system: LinearisedSystem, variance: float) -> Tensor:
        """Return the covariance of the raw coefficients (K, K)."""
        return variance * system.unpenalised_covariance(self.ridge)

    def complete(self, posterior: Posterior) -> None:
        """Let the fields' tangents of the coefficients move with the coefficients."""
        scalars = self._solved.unknowns.scalars
        count = scalars.stop - scalars.start
        places = torch.arange(scalars.start, scalars.stop)
        known = posterior.directions.new_zeros(len(posterior.directions), count)
        known[places, torch.arange(count)] = 1.0
        posterior.directions = torch.cat([posterior.directions, known], 1)
        posterior.transfer[places] = -torch.eye(count, dtype=posterior.transfer.dtype)
        if posterior.sandwich is not None:
            posterior.sandwich[:, places] = posterior.sandwich[:, -count:]

    def state_dict(self) -> dict[str, Any]:
        """Return whether it was solved: the same data give the same answer."""
        return {"iteration": self.iteration, "reason": self.reason}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Solve again where that was done."""
        self.iteration, self.reason = state["iteration"], state["reason"]
        if self.reason in (CONVERGED, COARSE, POOR):
            self.coefficients = self.parts.coefficients()
            self._take(self._solve())
