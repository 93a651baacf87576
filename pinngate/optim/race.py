"""The race of candidate networks: who is at work, who goes on, who wins.

Where a problem has one axis the first division is a spline basis (`collocation`), which ends near
a direct fit through a solver; networks follow only where it breaks down or cannot hold the
equations. Then three divisions of networks. The small ones, one sine layer each, are fast and
enough for linear problems, where the deep ones follow only if the best small network cannot satisfy
data and physics together, which its own misfit of the physics tells. With a nonlinear equation or
unknown coefficients the deep ones always follow, after one round of the small. The spare ones,
fresh networks warmed up by Adam (`warm_start`), are for the case that the others are stuck: unable
to satisfy data and physics together, far above the scatter of repeated measurements, or behind a
network that was left early.

Within a division the race is by successive halving: every candidate runs one heat, enough for the
ramp of the physics and some iterations at its full weight; then, round by round, the better half
goes on, with all that the data do not tell from the best, until the best have stopped by
themselves. The race is over when the best of all has. Below `second_order`, which does the
iterations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from scipy.special import fdtri
from torch import Tensor

from pinngate.data.replicates import PureError
from pinngate.errors import SolveError
from pinngate.linear.forms import Form
from pinngate.linear.linearisation import Linearisation
from pinngate.linear.system import LinearisedSystem
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch
from pinngate.optim.divisions import Division
from pinngate.optim.gauss_newton.data_noise import DataNoise
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import EXACT, Stopping

HEAT = 20  # iterations of a round: 12 of ramp and 8 at full weight
TIE = 0.01  # the risk above the best within which two networks are as good as the same
PROMISE = 0.5  # part of another's risk; noise alone does not fall by half
STRAINED = 0.03  # share of the physics in the score above which deep networks are tried
HOPELESS = 0.2  # share above which they are tried at once, after the first round of the small ones
FLAWLESS = 1e-12  # score, with no noise at all, that no other network is asked to better
STUCK = 0.01  # level of the test whether risk and repeated measurements disagree


class Candidate(Protocol):
    """What the race and the answer ask of a solver, of networks and of a basis alike."""

    network: Network
    coefficients: Coefficients
    noise: DataNoise
    model: ResidualModel
    form: Form
    options: GaussNewtonOptions
    reason: str | None
    iteration: int
    unit: float
    last_score: float
    last_lookahead: float

    @property
    def ridge(self) -> float:
        """The ridge of the answer."""

    @property
    def score(self) -> float:
        """Risk and misfit of the physics of the best iterate, in units of the fields."""

    @property
    def stopping(self) -> Stopping:
        """The best iterate."""

    def linearise(self, batches: Mapping[str, Batch]) -> Linearisation:
        """Linearise at the present iterate."""

    def step(self, batches: Mapping[str, Batch]) -> dict[str, float]:
        """Do one iteration."""

    def turn_robust(self) -> None:
        """Judge the tails of the noise from now on."""

    def finish(self) -> None:
        """Leave the best iterate in network and coefficients."""

    def coefficient_covariance(self, system: LinearisedSystem, variance: float) -> Tensor:
        """Return the covariance of the raw coefficients."""

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
        pure_error: scatter of repeated measurements, None without.
        num_observations: values that the solvers fit.
        tie: share of the least risk within which candidates go on.

    Attributes:
        at_work: the candidate that iterates now.
        winner: None until the race is over.
        failed: candidates that broke down.
    """

    def __init__(
        self,
        divisions: Sequence[Division],
        solvers: Mapping[str, Candidate],
        *,
        is_demanding: bool,
        pure_error: PureError | None,
        num_observations: int,
        tie: float = TIE,
    ) -> None:
        self.divisions = list(divisions)
        self.solvers = solvers
        self.is_demanding = is_demanding
        self.pure_error, self.num_observations = pure_error, num_observations
        self.tie = tie
        self.division = 0
        self.alive = list(self.divisions[0].networks)
        self.place = 0
        self.in_heat = 0
        self.failed: list[str] = []
        self.winner: str | None = None

    @property
    def at_work(self) -> str:
        """The candidate whose turn it is; the winner once there is one."""
        return self.winner or self.alive[self.place]

    @property
    def spare(self) -> list[str]:
        """The candidates of the spare division."""
        return [name for d in self.divisions if d.is_spare for name in d.networks]

    @property
    def sound(self) -> list[str]:
        """The candidates that have iterated and not broken down."""
        return [n for n, s in self.solvers.items() if s.iteration > 0 and n not in self.failed]

    @property
    def num_planned(self) -> int:
        """Iterations for a round of all in this division, a round of half, and one for the best."""
        entered = self.divisions[: self.division + 1]
        sizes = [len(division.networks) for division in entered]
        return HEAT * (sum(sizes) + sizes[-1] // 2 + 1)

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
        self._pass_on()
        return True

    def _pass_on(self) -> None:
        """Go to the next candidate that still runs; at the end of a round, drop the worse."""
        self.in_heat = 0
        self.place += 1
        while self.winner is None:
            while self.place < len(self.alive):
                if self.solvers[self.alive[self.place]].reason is None:
                    return
                self.place += 1
            self._halve()

    def _halve(self) -> None:
        ranked = sorted(self.alive, key=lambda n: self.solvers[n].score)
        first = ranked[0]
        self.alive = self._better_half(ranked)
        self.place = 0
        has_more = self.division + 1 < len(self.divisions) and not self._is_cut_short(first)
        is_left = has_more and (self._is_unfit or self._is_strained(first, HOPELESS))
        is_beaten = self._least_score(first) < min(self.solvers[first].score, FLAWLESS)
        if self._is_running and not is_left and not is_beaten:
            return
        is_followed = is_left or (has_more and self._needs_others(first))
        self.division += 1
        if is_followed:
            self.alive = list(self.divisions[self.division].networks)
        else:
            self._finish()

    @property
    def _is_running(self) -> bool:
        return any(self.solvers[name].reason is None for name in self.alive)

    def _better_half(self, ranked: Sequence[str]) -> list[str]:
        """Return the candidates that go on: half of them, ties, and those that promise more."""
        best = self.solvers[ranked[0]].score
        return [
            name
            for rank, name in enumerate(ranked)
            if rank < max(1, len(ranked) // 2)
            or self.solvers[name].score <= (1 + self.tie) * best
            or self._is_promising(name, best)
        ]

    def _finish(self) -> None:
        """Let the best of all candidates win, or run on where it was left for others."""
        if not self.sound:
            raise SolveError(f"every network failed: {self.solvers[self.failed[0]].reason}")
        best = min(self.sound, key=lambda n: self.solvers[n].score)
        if self.solvers[best].reason is None:
            self.alive = [best]
        else:
            self.winner = best

    def _needs_others(self, name: str) -> bool:
        """Whether the best of a division leaves something for the next one to find."""
        return self._is_strained(name, STRAINED) or self._is_stuck(name) or self._is_behind(name)

    def _is_behind(self, name: str) -> bool:
        """Whether a candidate that was left early had less than half of a solver's score."""
        least = self._least_score(name)
        return EXACT < least < PROMISE * self.solvers[name].score

    def _least_score(self, name: str) -> float:
        """Return the least score of this candidate and of all that are sound."""
        return min(self.solvers[n].score for n in (name, *self.sound))

    def _is_cut_short(self, name: str) -> bool:
        """Whether a network that was named met the limit of iterations: it is not stuck."""
        solver = self.solvers[name]
        is_named = self.division == 0 and self._is_spare_next
        return is_named and solver.iteration >= solver.options.max_iterations

    @property
    def _is_unfit(self) -> bool:
        return self.is_demanding and self.divisions[self.division].is_preliminary

    @property
    def _is_spare_next(self) -> bool:
        following = self.divisions[self.division + 1 : self.division + 2]
        return any(division.is_spare for division in following)

    def _is_promising(self, name: str, best: float) -> bool:
        """Whether a solver still on its way foresees a risk far below the best so far.

        Without noise every one foresees that, and one of them is enough.
        """
        return best > EXACT and self._foresees(name, best)

    def _is_on_its_way(self, name: str) -> bool:
        """Whether a solver still on its way foresees a risk far below its own."""
        solver = self.solvers[name]
        best = solver.stopping.best
        return best is not None and self._foresees(name, best["risk"] / solver.unit**2)

    def _foresees(self, name: str, risk: float) -> bool:
        """Whether a solver that still runs foresees a risk far below this one."""
        solver = self.solvers[name]
        return solver.reason is None and solver.last_lookahead < PROMISE * risk

    def _is_strained(self, name: str, level: float) -> bool:
        """Whether a solver cannot satisfy data and physics together, and others should try.

        Without noise the risk falls without end and the physics has most of what is left: the spare
        networks, fresh starts, are for failures only, not for a solver still on its way.
        """
        least = self._least_score(name)
        is_failure = least >= EXACT and not self._is_on_its_way(name)
        if least < FLAWLESS or (self._is_spare_next and not is_failure):
            return False
        return self._strain(name) > level

    def _is_stuck(self, name: str) -> bool:
        """Whether a solver's risk is far above the scatter of repeated measurements.

        Judged as a ratio of variances (F test at 1 %) with the risk's own share of the fit.
        """
        best, pure = self.solvers[name].stopping.best, self.pure_error
        if best is None or pure is None:
            return False
        count = self.num_observations
        share = 1 + best["dimension"] / count
        bound = float(fdtri(count, pure.degrees_of_freedom, 1 - STUCK))
        return bool(best["risk"] > bound * share * pure.std**2)

    def _strain(self, name: str) -> float:
        """Return the share of the physics' misfit in a solver's score.

        Zero while it runs at less than the physics' full weight; 1 if it ended so.
        """
        solver = self.solvers[name]
        best = solver.stopping.best
        if best is None:
            return 0.0 if solver.reason is None else 1.0
        return 1.0 - float(best["risk"]) / solver.unit**2 / solver.score

    def state_dict(self) -> dict[str, Any]:
        """Return where the race stands."""
        return {
            "alive": list(self.alive),
            "failed": list(self.failed),
            **{key: getattr(self, key) for key in ("division", "place", "in_heat", "winner")},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        for key in ("division", "place", "in_heat", "winner"):
            setattr(self, key, state[key])
        self.alive, self.failed = list(state["alive"]), list(state["failed"])
