"""Gauss–Newton training: candidate networks race, the one of least leave-one-out risk is finished.

Points and order of the candidates are fixed by the seed, so the race (`race`) is deterministic; one
step is one iteration of one candidate, so it can be interrupted and resumed anywhere. Here the
candidates (`line_up`), the points that they share (`shared_points`), the race, what follows once it
is over (all values after a part of them, `rehearsal`; the last word of fits through a solver,
`exact_fits`) and what it comes to (`answer`) are one stepper, which the training loop drives.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from pinngate.errors import SolveError
from pinngate.inference.kernel import KernelSpectrum
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.memory_plan import MemoryPlan
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.optim.answer import SINGULAR, Answer, race_record
from pinngate.optim.collocation.basis_solver import Collocation
from pinngate.optim.direct_fit.candidate import ThroughSolver
from pinngate.optim.divisions import Division
from pinngate.optim.exact_fits import ExactFits
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import EXACT
from pinngate.optim.line_up import LineUp
from pinngate.optim.missed_signal import is_missing_signal
from pinngate.optim.parts import Parts
from pinngate.optim.race import HEAT, Race
from pinngate.optim.rehearsal import Rehearsal
from pinngate.optim.shared_points import SharedPoints
from pinngate.statement.linearity import has_linear_equations, is_linear

logger = logging.getLogger(__name__)

REDRAW = 2  # iterations on the same collocation points
QUIET = 1e-5  # score below which they are kept twice as long: two do not reach the last digits
MANY_WEIGHTS = 500  # from which a second thread is worth its waking


class SecondOrder:
    """Races population-risk Gauss–Newton solvers on several networks.

    Args:
        parts: the problem.
        divisions: of the candidates, in the order in which they enter.
        options: of every solver.

    Attributes:
        solvers: all candidates by name.
        at_work: the candidate that was worked on last, after `finish` the answer's.
        reason: None until the race is over, then the winner's.
    """

    def __init__(
        self,
        parts: Parts,
        divisions: Sequence[Division],
        options: GaussNewtonOptions,
    ) -> None:
        self.parts, self.divisions, self.options = parts, divisions, options
        problem, mechanisms = parts.problem, options.mechanisms
        self.line_up = LineUp(parts, divisions, options)
        self.solvers = self.line_up.solvers
        is_of_networks = all(solver.is_sampling for solver in self.solvers.values())
        is_rehearsing = mechanisms.rehearsal and is_of_networks
        self.points = SharedPoints(parts.batches, is_rehearsing=is_rehearsing)
        self.race = Race(
            self.line_up.divisions,
            self.solvers,
            is_demanding=bool(problem.coefficients) or not has_linear_equations(problem),
            num_observations=self.points.num_observations,
            has_foresight=mechanisms.foresight,
            is_missing_signal=partial(is_missing_signal, parts.batches.sets),
        )
        self.exact_fits = ExactFits(self.line_up, self.race)
        self.rehearsal = Rehearsal(self.points, self.race)
        self.answer = Answer(self.race, is_averaging=mechanisms.averaging and is_linear(problem))
        self.iteration = 0
        self.at_work = self.race.at_work
        self.reason: str | None = None
        self.row: dict[str, float] = {}

    @property
    def num_threads(self) -> int | None:
        """One for matrices of a few hundred rows, as for first-order steps; else no limit."""
        network = self.solvers[self.race.at_work].network
        return 1 if network.num_parameters < MANY_WEIGHTS else None

    @property
    def network(self) -> Network:
        """The network that was worked on last, after `finish` the answer."""
        return self.answer.network or self.solvers[self.at_work].network

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients that were worked on last, after `finish` the winner's."""
        return self.solvers[self.at_work].coefficients

    @property
    def expected_iterations(self) -> int:
        """As many as the race has planned, or half a turn more for each that has not stopped."""
        if self.race.winner is not None:
            return self.iteration
        num_going = sum(self.solvers[name].reason is None for name in self.race.sound)
        return max(self.race.num_planned, self.iteration + max(1, HEAT // 2 * num_going))

    @property
    def has_converged(self) -> bool:
        """Whether the winner stopped before its limit of iterations, or has nothing to gain."""
        solver = self.solvers[self.at_work]
        if isinstance(solver, Collocation):
            is_good = solver.ascent.is_exact
        elif isinstance(solver, ThroughSolver):
            is_good = solver.is_exact
        else:
            is_good = solver.iteration < solver.options.max_iterations or solver.score < EXACT
        return self.race.winner is not None and is_good

    def step(self) -> None:
        """Do one iteration of the candidate at work.

        Raises:
            SolveError: every candidate has failed.
        """
        name = self.at_work = self.race.at_work
        solver = self.solvers[name]
        try:
            period = REDRAW * (2 if solver.last_score <= QUIET else 1)
            if solver.is_sampling and self.iteration > 0 and self.race.in_heat % period == 0:
                self.points.draw()
            self.row = solver.step(self.points.batches)
        except (SolveError, torch.linalg.LinAlgError) as error:
            reason = str(error) if isinstance(error, SolveError) else f"{SINGULAR} ({error})"
            logger.info("candidate %s is out: %s", name, reason)
            self.race.fail(name, reason)
        self.row["candidate"] = float(list(self.solvers).index(name))
        self.iteration += 1
        if solver.noise.has_heavy_tails:
            for other in self.solvers.values():
                other.turn_robust()  # weighted risks and plain ones do not compare
        self.race.count()
        self.rehearsal.follow()
        self.exact_fits.follow()
        self.reason = self.race.reason

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures."""
        return dict(self.row)

    def finish(self) -> None:
        """Leave the answer in `network` and `coefficients`."""
        self.answer.finish(self.at_work)
        self.at_work = self.answer.chosen

    def posterior(self) -> Uncertainty | None:
        """Return the posterior of the answer."""
        stated_std = self.parts.batches.stated_std()
        return self.answer.posterior(self.points.for_posterior(), stated_std)

    def kernel(self) -> KernelSpectrum:
        """Return the kernel spectrum at the answer, on the posterior's points."""
        return self.answer.kernel(self.points.for_posterior())

    def memory(self) -> MemoryPlan:
        """Return the form and the bytes of the largest candidate."""
        plans = self.line_up.plans.values()
        return max(plans, key=lambda plan: plan.num_bytes, default=MemoryPlan("dense", 0))

    def describe(self) -> dict[str, Any]:
        """Return the network, the race and the polish."""
        return {
            "network": self.solvers[self.at_work].network.describe(),
            "race": race_record(self.answer, self.at_work),
            "polish": self.exact_fits.told(self.at_work),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return {
            "race": self.race.state_dict(),
            "polished": self.exact_fits.start,
            "at_work": self.at_work,
            "iteration": self.iteration,
            "row": dict(self.row),
            **self.points.state_dict(),
            **self.line_up.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        self.line_up.take_forms(state["work"])
        if state["polished"] is not None:
            self.exact_fits.polish(state["polished"])
        self.race.load_state_dict(state["race"])
        self.line_up.load_state_dict(state)
        self.points.load_state_dict(state)
        self.iteration, self.at_work = state["iteration"], state["at_work"]
        self.row = dict(state["row"])
        self.reason = self.race.reason
