"""The fits through a solver once a race is over: one more start, or the last word.

A search that went astray has a better start then, the winner's answer (`POLISH`); and where the
exact model explains the data, whoever has a lower score owes it to physics that it meets only
softly. Between `race`, which knows scores alone, and `second_order`.
"""

from __future__ import annotations

from typing import Any

from pinngate.optim.direct_fit.candidate import ThroughSolver
from pinngate.optim.divisions import Division
from pinngate.optim.entrants import POLISH, SOLVER
from pinngate.optim.line_up import LineUp
from pinngate.optim.race import Race


class ExactFits:
    """What fits through a solver do to a race.

    Args:
        line_up: the candidates.
        race: of them.

    Attributes:
        start: the candidate whose answer the polish began from, None where there is none.
    """

    def __init__(self, line_up: LineUp, race: Race) -> None:
        self.line_up, self.race = line_up, race
        self.start: str | None = None

    def follow(self) -> None:
        """Where the race is over: polish its winner, or settle it for a fit that is conclusive."""
        if self.race.winner is None:
            return
        if self._is_to_polish(self.race.winner):
            self.polish(self.race.winner)
        elif conclusive := self._conclusive():
            self.race.settle(min(conclusive, key=lambda name: self.race.solvers[name].score))

    def _is_to_polish(self, winner: str) -> bool:
        """Whether a solver went astray, which has a better start now."""
        solvers, solver = self.race.solvers, self.race.solvers.get(SOLVER)
        if solver is None or POLISH in solvers or winner == SOLVER:
            return False
        has_failed = SOLVER in self.race.failed and not solvers[winner].noise.has_heavy_tails
        return has_failed or (solver.iteration > 0 and solver.is_poor)

    def _conclusive(self) -> list[str]:
        """Return the candidates against which others can only score by bending the physics."""
        solvers, sound = self.race.solvers, self.race.sound
        exact = [(name, solvers[name]) for name in (SOLVER, POLISH) if name in sound]
        return [n for n, s in exact if isinstance(s, ThroughSolver) and s.is_conclusive]

    def polish(self, start: str) -> None:
        """Let a fit through the solver that starts from a candidate's answer enter the race."""
        self.start = start
        self.line_up.enter(POLISH, self.race.solvers[start])
        self.race.reopen(Division({POLISH: None}))

    def told(self, chosen: str) -> dict[str, Any] | None:
        """Return where the polish began, what it cost, and whether it was taken.

        Args:
            chosen: the name of the answer's candidate.
        """
        candidate = self.race.solvers.get(POLISH)
        if not isinstance(candidate, ThroughSolver):
            return None
        seconds = None if candidate.fit is None else candidate.fit.seconds
        return {"from": self.start, "seconds": seconds, "is_accepted": chosen == POLISH}
