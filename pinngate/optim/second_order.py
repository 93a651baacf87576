"""Gauss–Newton training: candidate networks race, the one of least leave-one-out risk is finished.

Points and order of the candidates are fixed by the seed, so the race (`pinngate.optim.race`) is
deterministic; one step is one iteration of one candidate, so it can be interrupted and resumed
anywhere. Here is what the candidates share: points and memory; what they come to is the `answer`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch

from pinngate.errors import SolveError
from pinngate.inference.kernel import KernelSpectrum
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.forms import Form, form_of, planned
from pinngate.linear.memory_plan import MemoryPlan, Size, choose_form
from pinngate.memory import budget
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.terms import Batch
from pinngate.optim.answer import SINGULAR, Answer
from pinngate.optim.collocation.basis_solver import Collocation
from pinngate.optim.direct_fit.candidate import ThroughSolver
from pinngate.optim.divisions import Division
from pinngate.optim.entrants import (
    BASIS,
    POLISH,
    SOLVER,
    is_for_basis,
    is_for_solver,
    with_basis,
    with_solver,
)
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import EXACT
from pinngate.optim.parts import Parts
from pinngate.optim.race import HEAT, Candidate, Race
from pinngate.points.sampling import POSTERIOR_POINTS
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
    """

    def __init__(
        self,
        parts: Parts,
        divisions: Sequence[Division],
        options: GaussNewtonOptions,
    ) -> None:
        self.parts = parts
        self.divisions, self.mechanisms = divisions, options.mechanisms
        self.networks = {name: n for d in divisions for name, n in d.networks.items()}
        has_basis = self.mechanisms.basis and is_for_basis(parts)
        if has_basis:
            divisions = with_basis(parts, divisions)
        self.options = options
        self.plans = {name: self._plan(self._network(name)) for name in self.networks}
        self.solvers: dict[str, Candidate] = {}
        if self.mechanisms.solver and is_for_solver(parts):
            divisions = with_solver(parts, divisions)
            self.solvers[SOLVER] = ThroughSolver(parts, options)
        if has_basis:
            self.solvers[BASIS] = Collocation(parts, options)
            self._tell_of_noise(self.solvers[BASIS])
        for name, plan in self.plans.items():
            self.solvers[name] = self._solver(name, planned(plan))
        problem, num_observations = parts.problem, parts.batches.num_points()["observations"]
        is_averaging = self.mechanisms.averaging and is_linear(problem)
        self.race = Race(
            divisions,
            self.solvers,
            is_demanding=bool(problem.coefficients) or not has_linear_equations(problem),
            num_observations=num_observations,
            has_foresight=self.mechanisms.foresight,
        )
        self.answer = Answer(self.race, is_averaging=is_averaging)
        self.iteration = 0
        self.polished: str | None = None
        self.at_work = self.race.at_work
        self.row: dict[str, float] = {}
        self._batches: dict[str, Batch] = {}
        self._draw()

    def _network(self, name: str) -> Network:
        return self.parts.network(self.networks[name], f"/{name}")

    def _plan(self, network: Network) -> MemoryPlan:
        """Choose between the solver that forms the Jacobian and the one that does not."""
        batches = self.parts.batches
        width, depth = network.width_and_depth
        size = Size(
            num_rows=batches.num_rows(),
            num_posterior_rows=batches.num_rows(POSTERIOR_POINTS),
            num_observations=batches.num_points()["observations"],
            num_parameters=network.num_parameters + len(self.parts.problem.coefficients),
            width=width,
            depth=depth,
            num_channels=self.parts.model.num_channels,
        )
        return choose_form(size, budget(self.parts.problem.solve.max_memory))

    def _solver(self, name: str, form: Form) -> PopulationRiskGaussNewton:
        parts = self.parts
        network = self._network(name)
        solver = PopulationRiskGaussNewton(
            parts.model, network, parts.coefficients(), self.options, form
        )
        self._tell_of_noise(solver)
        return solver

    def _tell_of_noise(self, solver: Candidate) -> None:
        """Let a solver know what is stated of the noise."""
        stated = self.parts.batches.stated_stds()
        solver.noise.stated = {name: std / solver.unit for name, std in stated.items()}
        solver.noise.own = self.parts.own_noise()

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
        """As many as the race has planned, or one heat more."""
        if self.race.winner is not None:
            return self.iteration
        return max(self.iteration + HEAT, self.race.num_planned)

    @property
    def reason(self) -> str | None:
        """The winner's reason once the race is over."""
        winner = self.race.winner
        return None if winner is None else self.solvers[winner].reason

    @property
    def has_converged(self) -> bool:
        """Whether the winner stopped before its limit of iterations, or has nothing to gain."""
        solver = self.solvers[self.at_work]
        if isinstance(solver, Collocation | ThroughSolver):
            return self.race.winner is not None and solver.is_exact
        is_within = solver.iteration < solver.options.max_iterations or solver.score < EXACT
        return self.race.winner is not None and is_within

    def step(self) -> None:
        """Do one iteration of the candidate at work.

        Raises:
            SolveError: every candidate has failed.
        """
        name = self.at_work = self.race.at_work
        solver = self.solvers[name]
        try:
            self.row = self._iterate(solver)
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
        if self._is_to_polish():
            self._polish(self.race.at_work)
            self.race.reopen(Division({POLISH: None}))
        elif self.race.winner is not None and (conclusive := self._conclusive()):
            self.race.settle(min(conclusive, key=lambda name: self.solvers[name].score))

    def _is_to_polish(self) -> bool:
        """Whether the race is over and a solver that went astray has a better start now."""
        winner, solver = self.race.winner, self.solvers.get(SOLVER)
        if winner is None or solver is None or POLISH in self.solvers:
            return False
        has_failed = SOLVER in self.race.failed and not self.solvers[winner].noise.has_heavy_tails
        return winner != SOLVER and (has_failed or (solver.iteration > 0 and solver.is_poor))

    def _conclusive(self) -> list[str]:
        """Return the candidates against which others can only score by bending the physics."""
        exact = [(name, self.solvers[name]) for name in (SOLVER, POLISH) if name in self.race.sound]
        return [n for n, s in exact if isinstance(s, ThroughSolver) and s.is_conclusive]

    def _polish(self, name: str) -> None:
        """Add a fit through the solver that starts from a candidate's answer."""
        self.polished = name
        self.solvers[POLISH] = ThroughSolver(self.parts, self.options, self.solvers[name])

    def _iterate(self, solver: Candidate) -> dict[str, float]:
        period = REDRAW * (2 if solver.last_score <= QUIET else 1)
        if solver.is_sampling and self.race.in_heat % period == 0 and self.iteration > 0:
            self._draw()
        return solver.step(self._batches)

    def _draw(self) -> None:
        self._batches = self.parts.batches.draw()

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures."""
        return dict(self.row)

    def finish(self) -> None:
        """Leave the answer in `network` and `coefficients`."""
        self.answer.finish(self.at_work)
        self.at_work = self.answer.chosen

    def posterior(self) -> Uncertainty | None:
        """Return the posterior of the answer."""
        return self.answer.posterior(self._posterior_batches(), self.parts.batches.stated_std())

    def kernel(self) -> KernelSpectrum:
        """Return the kernel spectrum at the answer, on the posterior's points."""
        return self.answer.kernel(self._posterior_batches())

    def _posterior_batches(self) -> dict[str, Batch]:
        source = self.parts.batches.twin("posterior", POSTERIOR_POINTS)
        return source.draw_in_order()

    def memory(self) -> MemoryPlan:
        """Return the form and the bytes of the largest candidate."""
        return max(self.plans.values(), key=lambda plan: plan.num_bytes)

    def describe(self) -> dict[str, Any]:
        """Return the network and the race."""
        entries: dict[str, Any] = {"network": self.solvers[self.at_work].network.describe()}
        unit, members = self.solvers[self.at_work].unit ** 2, self.answer.members()
        race = [
            {
                "network": name,
                "options": solver.network.describe(),
                "risk": solver.score * unit if math.isfinite(solver.score) else None,
                "iterations": solver.iteration,
                "is_winner": name == self.at_work,
                "share": members.get(name, 0.0),
            }
            for name, solver in self.solvers.items()
            if solver.iteration > 0
        ]
        return entries | {"race": race if len(race) > 1 else None, "polish": self._told_of_polish()}

    def _told_of_polish(self) -> dict[str, Any] | None:
        """Return where the polish began, what it cost, and whether it was taken."""
        candidate = self.solvers.get(POLISH)
        if not isinstance(candidate, ThroughSolver):
            return None
        seconds = None if candidate.fit is None else candidate.fit.seconds
        is_accepted = self.at_work == POLISH
        return {"from": self.polished, "seconds": seconds, "is_accepted": is_accepted}

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return {
            "race": self.race.state_dict(),
            "polished": self.polished,
            "at_work": self.at_work,
            "iteration": self.iteration,
            "row": dict(self.row),
            "batches": {name: dict(vars(batch)) for name, batch in self._batches.items()},
            "drawn": self.parts.batches.state_dict(),
            "work": {name: solver.form.to_state() for name, solver in self.solvers.items()},
            "solvers": {name: solver.state_dict() for name, solver in self.solvers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same.

        Forms are those of the checkpoint unless a memory is stated: what is free may have changed.
        """
        for name in (SOLVER, BASIS):  # which an earlier version may not have had
            if name not in state["solvers"] and name in self.solvers:
                del self.solvers[name]
                divisions = [d for d in self.race.divisions if name not in d.networks]
                self.race.divisions = divisions
        if self.parts.problem.solve.max_memory is None:
            for name, form in state["work"].items():
                if name in (SOLVER, POLISH, BASIS):
                    continue
                self.solvers[name] = self._solver(name, form_of(form))
        if polished := state.get("polished"):
            self._polish(polished)
            self.race.divisions.append(Division({POLISH: None}))
        self.race.load_state_dict(state["race"])
        self.iteration, self.at_work = state["iteration"], state["at_work"]
        self.row = dict(state["row"])
        for name, solver in self.solvers.items():
            solver.load_state_dict(state["solvers"][name])
        self._batches = {name: Batch(**batch) for name, batch in state["batches"].items()}
        self.parts.batches.load_state_dict(state["drawn"])
