"""Whose turn it is and who has won, on tables of standings: no network is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pinngate.optim.best_arm import Arm, Decision, Standing, decide
from pinngate.optim.divisions import Division
from pinngate.optim.gauss_newton.stopping import EXACT

DIVISIONS = (
    Division({"a": None, "b": None, "c": None}, is_preliminary=True),
    Division({"d": None}),
)
RISK_ERROR = 0.1


def done(name: str, score: float, **more: Any) -> Arm:
    """An arm that has had a turn and foresees no more than it has."""
    division = next(k for k, d in enumerate(DIVISIONS) if name in d.networks)
    stated = {"foreseen": score, "risk_error": RISK_ERROR * score} | more
    return Arm(name, division, iterations=20, score=score, **stated)


def standing(*arms: Arm, **more: Any) -> Standing:
    """The arms, and those of the divisions that have not begun."""
    named = {arm.name for arm in arms}
    fresh = [Arm(n, k) for k, d in enumerate(DIVISIONS) for n in d.networks if n not in named]
    return Standing((*arms, *fresh), DIVISIONS, **more)


def stopped(arm: Arm, **more: Any) -> Arm:
    return replace(arm, is_running=False, **more)


def test_every_arm_of_a_division_has_one_turn() -> None:
    assert decide(standing()) == Decision("a", 0)
    assert decide(standing(done("a", 1.0))) == Decision("b", 0)
    assert decide(standing(done("a", 1.0), stopped(done("b", 0.5)))) == Decision("c", 0)


@pytest.mark.parametrize(
    ("foreseen", "uncertainty", "turn"),
    [
        (0.5, 0.0, "b"),  # it may come to half of the best
        (0.5, 0.3, "a"),  # which is within two standard errors
        (0.97, 0.0, "b"),
        (1.2, 0.0, "a"),
    ],
)
def test_an_arm_goes_on_while_it_foresees_to_be_significantly_better(
    foreseen: float, uncertainty: float, turn: str
) -> None:
    arms = [done("a", 1.0), done("b", 1.1, foreseen=foreseen, uncertainty=uncertainty)]
    table = standing(replace(arms[0], iterations=40), arms[1], done("c", 9.0))
    assert decide(table) == Decision(turn, 0)


def test_an_arm_of_a_division_that_was_left_goes_on_too() -> None:
    left = [done("a", 1.0, foreseen=0.2), done("b", 2.0), done("c", 2.0)]
    table = standing(*left, stopped(done("d", 0.5)), division=1, is_demanding=True)
    assert decide(table) == Decision("a", 1)


def test_of_those_that_go_on_the_least_advanced_is_next() -> None:
    arms = [done("a", 1.0), done("b", 1.1, foreseen=0.5), done("c", 1.2, foreseen=0.5)]
    assert decide(standing(replace(arms[0], iterations=40), *arms[1:])) == Decision("b", 0)
    late = [replace(arms[0], iterations=40), replace(arms[1], iterations=40), arms[2]]
    assert decide(standing(*late)) == Decision("c", 0)


def test_the_best_has_to_stop_by_itself_before_it_wins() -> None:
    others = [done("b", 2.0), done("c", 3.0)]
    assert decide(standing(done("a", 1.0), *others)) == Decision("a", 0)
    assert decide(standing(stopped(done("a", 1.0)), *others)) == Decision("a", 0, has_won=True)


def test_the_best_of_all_goes_on_where_later_divisions_have_not_done_better() -> None:
    arms = [done("a", 0.5), done("b", 2.0), done("c", 2.0), stopped(done("d", 1.0))]
    assert decide(standing(*arms, division=1)) == Decision("a", 1)
    arms[-1] = stopped(done("d", 0.4))
    assert decide(standing(*arms, division=1)) == Decision("d", 1, has_won=True)


def test_others_follow_where_data_and_physics_do_not_meet() -> None:
    """The misfit of the physics is told from the noise of the risk, not from the score."""
    others = [done("b", 2.0), done("c", 2.0)]
    for misfit, decision in ((0.02, Decision("a", 0, True)), (0.04, Decision("d", 1))):
        best = stopped(done("a", 1.0, misfit=misfit))
        assert decide(standing(best, *others)) == decision
        many = replace(best, risk_error=0.01)  # a hundred times the values
        assert decide(standing(many, *others)) == Decision("d", 1)


def test_the_last_division_wins_whatever_it_leaves() -> None:
    arms = [done("a", 2.0), done("b", 2.0), done("c", 2.0), stopped(done("d", 1.0, misfit=0.5))]
    assert decide(standing(*arms, division=1)) == Decision("d", 1, has_won=True)


def test_a_demanding_problem_gives_small_networks_one_turn() -> None:
    arms = [done("a", 1.0), done("b", 2.0), done("c", 2.0)]
    assert decide(standing(*arms, is_demanding=True)) == Decision("d", 1)
    assert decide(standing(*arms)) == Decision("a", 0)


def test_nobody_is_asked_to_better_what_leaves_nothing_wanting() -> None:
    small = EXACT**2 / 10
    exact = stopped(done("a", small, misfit=small))
    others = [done("b", 1.0, foreseen=0.0), done("c", 1.0)]
    assert decide(standing(exact, *others)) == Decision("a", 0, has_won=True)


def test_others_follow_one_that_says_itself_that_it_is_poor() -> None:
    arms = [stopped(done("a", 1.0), is_poor=True), done("b", 2.0), done("c", 2.0)]
    assert decide(standing(*arms)) == Decision("d", 1)


@pytest.mark.parametrize("division", [0, 1])
def test_where_all_have_broken_down_nobody_has_won(division: int) -> None:
    fresh = tuple(Arm("d", 1) for _ in range(1 - division))
    name = "d" if fresh else None
    assert decide(Standing(fresh, DIVISIONS, division)) == Decision(name, 1)
