"""The race of candidate networks: who is at work and who has won.

On evolutions in time and at most one space axis a fit through a solver (`direct_fit`) goes first,
but where few values of a linear problem are all that is unknown: there it follows the small
networks. If it goes astray it starts once more from the winner of the others (`polish`). Then,
on one or two axes, a tensor basis (`collocation`), which is exact, too; where few values are all
that is unknown on two axes, and where a linear problem on three is known but for its fields, it
follows the small networks. Then two divisions of networks. The
small ones, one sine layer each, are fast and enough for linear problems, where the deep ones follow
only if the best small network cannot satisfy data and physics together, which its own misfit of the
physics tells. With a nonlinear equation or unknown coefficients the deep ones always follow, after
one round of the small.

A candidate's turn is one heat, enough for the ramp of the physics and some iterations at its full
weight. Whose turn is next, and who has won, is decided by `best_arm` from a table that is made here
of the solvers' scores and leave-one-out errors. Below `second_order`, which does the iterations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from pinngate.errors import SolveError
from pinngate.inference.posterior import Posterior
from pinngate.linear.forms import Form
from pinngate.linear.linearisation import Linearisation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch
from pinngate.optim.best_arm import Arm, Standing, decide
from pinngate.optim.divisions import Division
from pinngate.optim.gauss_newton.data_noise import DataNoise
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping

HEAT = 20  # iterations of a round: 12 of ramp and 8 at full weight


class Candidate(Protocol):
    """What the race and the answer ask of a solver, of networks and of a basis alike.

    `is_sampling` says whether it meets the physics on the points that are drawn.
    """

    coefficients: Coefficients
    noise: DataNoise
    form: Form
    is_sampling: bool
    options: GaussNewtonOptions
    reason: str | None
    iteration: int
    unit: float
    last_score: float
    last_lookahead: float

    @property
    def network(self) -> Network:
        """The fields as they are."""

    @property
    def model(self) -> ResidualModel:
        """The residuals."""

    @property
    def ridge(self) -> float:
        """The ridge of the answer."""

    @property
    def score(self) -> float:
        """Risk and misfit of the physics of the best iterate, in units of the fields."""

    @property
    def stopping(self) -> Stopping:
        """The best iterate."""

    def linearise(self, batches: Mapping[str, Batch], *, is_answer: bool = False) -> Linearisation:
        """Linearise at the present iterate, at the answer so that variances can be asked for."""

    def step(self, batches: Mapping[str, Batch]) -> dict[str, float]:
        """Do one iteration."""

    def turn_robust(self) -> None:
        """Judge the tails of the noise from now on."""

    def finish(self) -> None:
        """Leave the best iterate in network and coefficients."""

    def complete(self, posterior: Posterior) -> None:
        """Add to a posterior what its linear model does not say."""

    @property
    def is_poor(self) -> bool:
        """Whether it ended so far from the data that others should try."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""


class Race:
    """Passes the iterations from candidate to candidate until one has won.

    Args:
        divisions: in the order in which they enter.
        solvers: all candidates by name; their state decides.
        is_demanding: whether the preliminary division runs one round only.
        num_observations: values that the solvers fit.
        has_foresight: whether arms go on that foresee to be the best.
        is_missing_signal: whether leave-one-out errors (n,) still have a pattern.

    Attributes:
        at_work: the candidate that iterates now; the winner once there is one.
        division: the last one that has entered.
        in_heat: iterations of this turn.
        winner: None until the race is over.
        failed: candidates that broke down.
        left: candidates that lost a rehearsal.
    """

    def __init__(
        self,
        divisions: Sequence[Division],
        solvers: Mapping[str, Candidate],
        *,
        is_demanding: bool,
        num_observations: int,
        has_foresight: bool = True,
        is_missing_signal: Callable[[Tensor], bool] = lambda errors: False,
    ) -> None:
        self.divisions = list(divisions)
        self.solvers = solvers
        self.is_demanding = is_demanding
        self.num_observations, self.has_foresight = num_observations, has_foresight
        self.is_missing_signal = is_missing_signal
        self.division = 0
        self.at_work = next(iter(self.divisions[0].networks))
        self.in_heat = 0
        self.failed: list[str] = []
        self.left: list[str] = []
        self.winner: str | None = None

    @property
    def sound(self) -> list[str]:
        """The candidates that have iterated and are still in the race."""
        out = {*self.failed, *self.left}
        return [n for n, s in self.solvers.items() if s.iteration > 0 and n not in out]

    @property
    def reason(self) -> str | None:
        """The winner's reason, None until the race is over."""
        return None if self.winner is None else self.solvers[self.winner].reason

    @property
    def num_planned(self) -> int:
        """Iterations for a turn of all that have entered, and half a turn for the best of several.

        Measured (`python -m tests.reliability --parts waiting`): turns are seldom cut short, and in
        half of all races the best of several stops within ten iterations after them.
        """
        last = self.division
        if self.is_demanding and self.divisions[last].is_preliminary:
            last += 1  # follows in any case
        sizes = [len(division.networks) for division in self.divisions[: last + 1]]
        return HEAT * sum(sizes) + (HEAT // 2 if sizes[-1] > 1 else 0)

    def fail(self, name: str, reason: str) -> None:
        """Take a candidate that broke down out of the race."""
        self.solvers[name].reason = reason
        self.failed.append(name)
        self.solvers[name].stopping.forget()

    def count(self) -> bool:
        """Count one iteration of the candidate at work; return whether its turn is over.

        Raises:
            SolveError: every candidate has failed.
        """
        self.in_heat += 1
        if self.in_heat < HEAT and self.solvers[self.at_work].reason is None:
            return False
        decision = decide(self.standing())
        if decision.name is None:
            reasons = dict.fromkeys(str(self.solvers[name].reason) for name in self.failed[:2])
            raise SolveError(f"every candidate failed: {'; '.join(reasons)}")
        self.at_work, self.division, self.in_heat = decision.name, decision.division, 0
        self.winner = decision.name if decision.has_won else None
        return True

    def reopen(self, division: Division) -> None:
        """Let one more division enter a race that is over."""
        self.divisions.append(division)
        self.division, self.in_heat, self.winner = len(self.divisions) - 1, 0, None
        self.at_work = next(iter(division.networks))

    def perform(self, name: str, num_observations: int) -> None:
        """Go on with the winner of a rehearsal alone, on more data."""
        self.left = [other for other in self.sound if other != name]
        self.in_heat, self.winner, self.num_observations = 0, None, num_observations

    def settle(self, name: str) -> None:
        """Let a candidate be the winner of a race that is over, whatever the scores."""
        self.at_work = self.winner = name

    def standing(self) -> Standing:
        """Return where every candidate stands that is still in the race."""
        best = min(self.sound, key=lambda name: self.solvers[name].score, default=None)
        arms = [
            self._arm(name, k, best)
            for k, division in enumerate(self.divisions)
            for name in division.networks
            if name not in (*self.failed, *self.left)
        ]
        return Standing(tuple(arms), self.divisions, self.division, self.is_demanding)

    def _arm(self, name: str, division: int, best: str | None) -> Arm:
        solver = self.solvers[name]
        if solver.iteration == 0 or best is None:
            return Arm(name, division, is_running=solver.reason is None)
        return Arm(
            name,
            division,
            solver.iteration,
            solver.reason is None,
            solver.score,
            solver.last_lookahead if self.has_foresight else solver.score,
            self._misfit(solver),
            self._standard_error(solver, self.solvers[best]),
            self._standard_error(solver),
            solver.is_poor or _is_behind(solver, self.is_missing_signal),
        )

    def _standard_error(self, solver: Candidate, other: Candidate | None = None) -> float:
        """Return the standard error of mean(e²), or of mean(e²) − mean(e'²) over the same data.

        Without the errors, before a solver has an iterate that compares, that of Gaussian ones.
        """
        errors = _errors(solver)
        reference = None if other is None else _errors(other)
        if errors is None or (other is not None and reference is None):
            risk = min(solver.score, solver.last_lookahead)
            return math.sqrt(2 / self.num_observations) * risk if risk < math.inf else 0.0
        squares = errors.square()
        difference = squares if reference is None else squares - reference.square()
        return float(difference.std(correction=0)) / math.sqrt(len(errors))

    def _misfit(self, solver: Candidate) -> float:
        """Return the physics' part of a solver's score, see `Arm`."""
        best = solver.stopping.best
        if best is None:
            return 0.0 if solver.reason is None else solver.score
        return solver.score - float(best["risk"]) / solver.unit**2

    def state_dict(self) -> dict[str, Any]:
        """Return where the race stands."""
        plain = {key: getattr(self, key) for key in _STATE}
        return {**plain, "failed": list(self.failed), "left": list(self.left)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        for key in _STATE:
            setattr(self, key, state[key])
        self.failed, self.left = list(state["failed"]), list(state["left"])


_STATE = ("division", "at_work", "in_heat", "winner", "num_observations")


def _is_behind(solver: Candidate, is_missing_signal: Callable[[Tensor], bool]) -> bool:
    """Whether a network has stopped, and its errors are those of too small a one."""
    errors = _errors(solver)
    if errors is None or solver.reason is None or not solver.is_sampling:
        return False
    return is_missing_signal(errors)


def _errors(solver: Candidate) -> Tensor | None:
    """Return the leave-one-out errors (n,) of a solver's best iterate, None before there is one."""
    best = solver.stopping.best
    found: Tensor | None = None if best is None else best.get("errors")
    return found
