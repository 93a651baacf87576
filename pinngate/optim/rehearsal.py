"""A race on a part of very many values is a rehearsal: its winner goes on with all of them.

The other candidates, which never saw the rest, have lost. Between `race`, which knows scores alone,
and `second_order`; `shared_points` holds the values back.
"""

from __future__ import annotations

from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.race import Race
from pinngate.optim.shared_points import SharedPoints


class Rehearsal:
    """What becomes of a race on a part of the values.

    Args:
        points: shown to the candidates.
        race: of them.
    """

    def __init__(self, points: SharedPoints, race: Race) -> None:
        self.points, self.race = points, race

    def follow(self) -> None:
        """Where the race is over: let its winner go on with every value."""
        winner = self.race.winner
        if winner is None or not self.points.shown:
            return
        solver = self.race.solvers[winner]
        assert isinstance(solver, PopulationRiskGaussNewton)
        self.points.show_all()
        solver.go_on()
        self.race.perform(winner, self.points.num_observations)
