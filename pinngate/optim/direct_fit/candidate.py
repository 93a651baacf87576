"""A direct fit as a candidate of the race: one step solves it all.

Coefficients and what is not stated of the initial state are all that is unknown of an evolution:
least squares through the solver searches for a few numbers or functions of one axis where every
other trial space searches for fields. What comes out is judged as any other candidate is: by
leave-one-out errors of the same observations. Top of `direct_fit`: `started_fit` solves,
`outlying_residuals` may refuse, `tangent_model` tells figures and posterior.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from pinngate.expression import names
from pinngate.inference.posterior import Posterior
from pinngate.linear.forms import DenseForm, Form
from pinngate.linear.jacobian import Batches
from pinngate.linear.linearisation import Linearisation
from pinngate.model.residuals import ResidualModel
from pinngate.optim.direct_fit.fit_figures import FitFigures
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.outlying_residuals import has_outliers
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.optim.direct_fit.started_fit import started_fit
from pinngate.optim.direct_fit.tangent_model import TangentModel
from pinngate.optim.direct_fit.through_solver import DirectFit, restored_fit
from pinngate.optim.gauss_newton.data_noise import DataNoise
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.parts import Parts
from pinngate.optim.steady_fit.through_elements import can_be_solved
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    from pinngate.optim.race import Candidate

CONVERGED = "least squares through the solver came to rest, and a finer solver moves nothing"
COARSE = "least squares through the solver came to rest, but a finer solver still moves it"
POOR = "the solver's solutions leave most of the data unexplained"


def has_differentiated_fluxes(problem: Problem) -> bool:
    """Whether a condition names a derivative of a flux, which no solver gives at a point."""
    stated = (name for condition in problem.conditions for name in names(condition.residual))
    found = (parse_derivative(name, problem.hidden, problem.axes) for name in stated)
    return any(derivative is not None and derivative.order > 0 for derivative in found)


def has_solver(problem: Problem) -> bool:
    """Whether a problem is an evolution, in time or in time and one space axis.

    Or a steady one that elements take, see `steady_fit`.
    """
    if len(problem.axes) > 2 or has_differentiated_fluxes(problem):
        return False
    if not problem.has_time:
        return can_be_solved(problem)
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
        tangents: the linear model there, None before.
        network: the fields; zero before.
        sizes: of the unknowns.
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
        self.tangents: TangentModel | None = None
        self.sizes = [parts.batches.scales[u].size for u in parts.problem.unknowns]
        self.network = SolvedFields(parts.problem, None, self.sizes)
        self.unit = self.network.unit

    @property
    def score(self) -> float:
        """Risk of the answer, in units of the fields; the solver leaves nothing of the physics."""
        return self.stopping.score

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
        parts = self.parts
        fit = self._fitted()
        axes = parts.problem.axes
        time = axes.index("t") if "t" in axes else None
        has_others = self.options.is_robust and not parts.problem.beyond_networks
        if has_others and has_outliers(fit, parts.batches.sets, time):
            raise CannotMarch("the noise has heavy tails, and this fit is by least squares")
        return self._take(fit).row(self.network.num_parameters, fit.coefficients)

    def _fitted(self) -> DirectFit:
        has_octaves = self.options.mechanisms.octaves
        return started_fit(self.parts, self.coefficients, self.start, has_octaves=has_octaves)

    def _take(self, fit: DirectFit) -> FitFigures:
        """Make an answer of a fit, and return its figures."""
        self.fit, self.network = fit, SolvedFields(self.parts.problem, fit, self.sizes)
        with torch.no_grad():
            self.coefficients.raw.copy_(torch.as_tensor(fit.raw).to(self.coefficients.raw))
        self.tangents = TangentModel(fit, self.network, self.model, self.parts.batches)
        self.noise.precision, self.ridge = self.tangents.precision(), self.tangents.ridge
        figures = self.tangents.figures()
        self.last_score = self.last_lookahead = figures.risk
        self.stopping.best = figures.best(self.iteration)
        self.reason = POOR if self.is_poor else CONVERGED if self.is_exact else COARSE
        return figures

    def linearise(self, batches: Batches, *, is_answer: bool = False) -> Linearisation:
        """Return the linear model at the answer: its tangents at the data.

        Raises:
            CannotMarch: there is no answer.
        """
        if self.tangents is None:
            raise CannotMarch("nothing was solved yet")
        return self.tangents.linearisation()

    def turn_robust(self) -> None:
        """Heavy tails are left to other candidates."""

    def finish(self) -> None:
        """The answer stands."""

    def complete(self, posterior: Posterior) -> None:
        """Let the fields' tangents of the coefficients move with the coefficients."""
        if self.tangents is not None:
            self.tangents.complete(posterior)

    def state_dict(self) -> dict[str, Any]:
        """Return whether it was solved, and the fit in numbers."""
        numbers = None if self.fit is None else self.fit.kept
        return {"iteration": self.iteration, "reason": self.reason, "fit": numbers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the fit again from its numbers, or solve once more where it has kept none."""
        self.iteration, self.reason = state["iteration"], state["reason"]
        if self.reason in (CONVERGED, COARSE, POOR):
            self.coefficients, parts = self.parts.coefficients(), self.parts
            numbers = state.get("fit")
            self._take(
                self._fitted()
                if numbers is None
                else restored_fit(parts.problem, parts.batches.sets, self.coefficients, numbers)
            )
