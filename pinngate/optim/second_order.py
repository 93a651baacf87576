"""Gauss–Newton training: candidate networks race, the one of least leave-one-out risk is finished.

Successive halving. Every candidate runs one heat, enough for the ramp of the physics and some
iterations at its full weight; then, round by round, the better half goes on, with all that are
within a hundredth of the best, until the best have stopped by themselves. Points and order of the
candidates are fixed by the seed, so the race is deterministic; one step is one iteration of one
candidate, so it can be interrupted and resumed anywhere.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pinngate.batches import BatchSource
from pinngate.coefficients import Coefficients
from pinngate.errors import SolveError
from pinngate.networks import Network
from pinngate.optim.parts import Parts
from pinngate.optim.population_risk_gauss_newton import (
    GaussNewtonOptions,
    PopulationRiskGaussNewton,
)
from pinngate.posterior import Posterior, gauss_newton_posterior
from pinngate.problem import NetworkOptions

logger = logging.getLogger(__name__)

HEAT = 20  # iterations of a round: 12 of ramp and 8 at full weight
REDRAW = 2  # iterations on the same collocation points
TIE = 1.01  # risks within a hundredth are not told apart by the data
POSTERIOR_POINTS = 2  # times the collocation points of a step: less dependence on their draw

CANDIDATES: dict[str, NetworkOptions] = {
    "sine-1": NetworkOptions(width=128, depth=1, activation="sin", features=1.0),
    "sine-2": NetworkOptions(width=128, depth=1, activation="sin", features=2.0),
    "sine-4": NetworkOptions(width=128, depth=1, activation="sin", features=4.0),
    "deep-sine-1": NetworkOptions(width=48, depth=2, activation="tanh", features=1.0),
    "deep-sine-2": NetworkOptions(width=48, depth=2, activation="tanh", features=2.0),
    "tanh": NetworkOptions(width=32, depth=3, activation="tanh", features=None),
}


class SecondOrder:
    """Races population-risk Gauss–Newton solvers on several networks.

    Args:
        parts: the problem.
        networks: candidates by name; a single one is simply trained.
        options: of every solver.
    """

    num_threads: int | None = 1  # as for first-order steps: matrices of a few hundred rows

    def __init__(
        self, parts: Parts, networks: Mapping[str, NetworkOptions], options: GaussNewtonOptions
    ) -> None:
        self.parts, self.networks = parts, dict(networks)
        self.solvers = {
            name: PopulationRiskGaussNewton(
                parts.model, parts.network(network, f"/{name}"), parts.coefficients(), options
            )
            for name, network in self.networks.items()
        }
        self.alive = list(self.solvers)
        self.place = 0
        self.iteration = 0
        self.in_heat = 0
        self.winner: str | None = None
        self.row: dict[str, float] = {}
        self._drawn_at = parts.batches.state_dict()
        self._batches = None if len(self.solvers) == 0 else parts.batches.draw()

    @property
    def current(self) -> str:
        """Name of the candidate at work, after the race of the winner."""
        return self.winner or self.alive[self.place]

    @property
    def network(self) -> Network:
        """The network at work."""
        return self.solvers[self.current].network

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients at work."""
        return self.solvers[self.current].coefficients

    @property
    def expected_iterations(self) -> int:
        """A round of all, a round of half, and a third for the best."""
        if self.winner is not None:
            return self.iteration
        num_candidates = len(self.solvers)
        return max(self.iteration + HEAT, HEAT * (num_candidates + num_candidates // 2 + 1))

    @property
    def reason(self) -> str | None:
        """The winner's reason once the race is over."""
        return None if self.winner is None else self.solvers[self.winner].reason

    def step(self) -> None:
        """Do one iteration of the candidate at work.

        Raises:
            SolveError: every candidate has failed.
        """
        name = self.current
        solver = self.solvers[name]
        if self.in_heat % REDRAW == 0 and self.iteration > 0:
            self._draw()
        try:
            self.row = solver.step(self._batches or {})
        except SolveError as error:
            logger.info("candidate %s is out: %s", name, error)
            solver.reason = str(error)
            solver.best_state = None
        self.row["candidate"] = float(list(self.solvers).index(name))
        self.iteration += 1
        self.in_heat += 1
        if self.in_heat >= HEAT or solver.reason is not None:
            self._next()

    def _draw(self) -> None:
        self._drawn_at = self.parts.batches.state_dict()
        self._batches = self.parts.batches.draw()

    def _next(self) -> None:
        """Pass on to the next candidate that still runs; at the end of a round, drop the worse."""
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
        best = self.solvers[ranked[0]].score
        if not math.isfinite(best) and all(self.solvers[n].reason for n in ranked):
            raise SolveError(f"every network failed: {self.solvers[ranked[0]].reason}")
        close = sum(self.solvers[n].score <= TIE * best for n in ranked)
        self.alive = ranked[: max(close, len(ranked) // 2, 1)]
        self.place = 0
        if all(self.solvers[n].reason is not None for n in self.alive):
            self.winner = ranked[0]

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures."""
        return dict(self.row)

    def finish(self) -> None:
        """Put the winner's best iterate into its network."""
        self.solvers[self.current].finish()

    def posterior(self) -> Posterior | None:
        """Return the posterior at the winner's best iterate."""
        source = self.parts.batches.twin("posterior", POSTERIOR_POINTS)
        stated = source.stated_std()
        return gauss_newton_posterior(self.solvers[self.current], in_order(source), stated)

    def describe(self) -> dict[str, Any]:
        """Return the network and the race."""
        entries: dict[str, Any] = {"network": asdict(self.networks[self.current])}
        unit = self.solvers[self.current].unit ** 2
        if len(self.solvers) > 1:
            entries["race"] = [
                {
                    "network": name,
                    "risk": solver.score * unit if math.isfinite(solver.score) else None,
                    "iterations": solver.iteration,
                    "is_winner": name == self.current,
                }
                for name, solver in self.solvers.items()
            ]
        return entries

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return {
            "alive": list(self.alive),
            "place": self.place,
            "iteration": self.iteration,
            "in_heat": self.in_heat,
            "winner": self.winner,
            "row": dict(self.row),
            "drawn_at": self._drawn_at,
            "solvers": {name: solver.state_dict() for name, solver in self.solvers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        for key in ("place", "iteration", "in_heat", "winner"):
            setattr(self, key, state[key])
        self.alive, self.row = list(state["alive"]), dict(state["row"])
        for name, solver in self.solvers.items():
            solver.load_state_dict(state["solvers"][name])
        self.parts.batches.load_state_dict(state["drawn_at"])
        self._draw()


def in_order(source: BatchSource) -> dict[str, Any]:
    """Return fresh points with the data in the order they were given."""
    return source.draw() | source.in_order()
