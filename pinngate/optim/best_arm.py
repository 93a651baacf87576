"""Which candidate iterates next, or has won: a pure function of where each of them stands.

The race is a search for the best arm (J.-Y. Audibert, S. Bubeck, R. Munos, COLT 2010, 41-53) in
which a pull is a turn of iterations and the loss of an arm is its leave-one-out score. Scores of
two arms come from the same observations, so what tells them apart is the *paired* difference of
their squared leave-one-out errors, far less uncertain than either score. An arm goes on while the
score that it foresees is below the best by more than that uncertainty; the best goes on until it
has stopped by itself. Then the next division enters if the best leaves something for it to find.
No network is needed to say any of this: `race` fills in the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pinngate.optim.divisions import Division
from pinngate.optim.gauss_newton.stopping import EXACT

SIGNIFICANT = 2.0  # standard errors
STRAINED = 0.3  # standard errors of the risk: about one of a paired difference


@dataclass(frozen=True)
class Arm:
    """One candidate that has not broken down; squares are in units of the fields' squared size.

    Attributes:
        name: of the candidate.
        division: index of the one that it enters with.
        iterations: done so far.
        is_running: whether it has not stopped by itself.
        score: leave-one-out risk and misfit of the physics; infinite before the first iteration.
        foreseen: risk of its linearised minimiser.
        misfit: the physics' part of the score at full weight; 0 before that, all of it if it
            stopped before that.
        uncertainty: standard error of its score's difference from the best.
        risk_error: standard error of its own risk.
        is_poor: whether it says itself that it ended too far from the data.
    """

    name: str
    division: int
    iterations: int = 0
    is_running: bool = True
    score: float = math.inf
    foreseen: float = math.inf
    misfit: float = 0.0
    uncertainty: float = 0.0
    risk_error: float = 0.0
    is_poor: bool = False


@dataclass(frozen=True)
class Standing:
    """Where a race stands after a turn.

    Attributes:
        arms: of all divisions, without those that have broken down.
        divisions: in the order in which they enter.
        division: the last one that has entered.
        is_demanding: whether one turn is all that the arms of a preliminary division get.
    """

    arms: tuple[Arm, ...]
    divisions: Sequence[Division]
    division: int = 0
    is_demanding: bool = False

    @property
    def present(self) -> list[Arm]:
        """The arms of the last division that has entered."""
        return [arm for arm in self.arms if arm.division == self.division]

    @property
    def best(self) -> Arm | None:
        """The arm of least score, None before any has begun."""
        begun = [arm for arm in self.arms if arm.iterations > 0]
        return min(begun, key=lambda arm: arm.score, default=None)


@dataclass(frozen=True)
class Decision:
    """Whose turn it is, in which division; `has_won` once the race is over.

    `name` is None where every candidate has broken down.
    """

    name: str | None
    division: int
    has_won: bool = False


def decide(standing: Standing) -> Decision:
    """Return who iterates next, or who has won.

    Every arm of a division has one turn; then those of all divisions that can still win take turns,
    the least advanced first; when there are none, the next division enters or the best has won.

    Cost: a few comparisons for each arm.
    """
    fresh = [a for a in standing.present if a.is_running and a.iterations == 0]
    if fresh:
        return Decision(fresh[0].name, standing.division)
    best, is_last = standing.best, standing.division + 1 == len(standing.divisions)
    if best is None:
        return Decision(None, standing.division) if is_last else _next_division(standing)
    is_left_early = standing.is_demanding and standing.divisions[standing.division].is_preliminary
    if is_left_early and not is_last:
        return _next_division(standing)
    going = [a for a in standing.arms if a is not best and _can_win(a, best)]
    going += [best] if best.is_running else []
    if going:
        least = min(going, key=lambda arm: arm.iterations)
        return Decision(least.name, standing.division)
    if _leaves_something(best) and not is_last:
        return _next_division(standing)
    return Decision(best.name, standing.division, has_won=True)


def _next_division(standing: Standing) -> Decision:
    return decide(replace(standing, division=standing.division + 1))


def _can_win(arm: Arm, best: Arm) -> bool:
    """Whether an arm on its way foresees to be the best; a score of nothing is left in peace."""
    bound = best.score - SIGNIFICANT * arm.uncertainty
    has_begun = arm.is_running and arm.iterations > 0
    return has_begun and best.score > EXACT and arm.foreseen < bound


def _leaves_something(best: Arm) -> bool:
    """Whether the best, which has stopped, may be far from what others would find.

    It says so, or cannot satisfy data and physics together: the misfit of the physics is above the
    noise of the risk. Where the score is next to nothing even beside exact data, a millionth of the
    fields' size squared, there is nothing to find.
    """
    is_strained = best.misfit > STRAINED * best.risk_error
    return best.score >= EXACT**2 and (best.is_poor or is_strained)
