"""The time left is told from the turns that are still to come, and is about right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import pinngate
from pinngate.optim.race import HEAT
from pinngate.runs.training import begin
from tests.reliability.waiting import Foretold, foretold


def test_a_race_plans_a_turn_for_each_and_half_a_turn_for_the_best() -> None:
    stepper = begin(pinngate.load("heat-noisy-ic")).stepper
    count = len(stepper.race.divisions[0].networks)
    assert count > 1
    assert stepper.expected_iterations == HEAT * count + HEAT // 2


def test_beyond_the_plan_each_that_has_not_stopped_has_half_a_turn() -> None:
    stepper = begin(pinngate.load("heat-noisy-ic")).stepper
    stepper.iteration = 300
    for solver in list(stepper.solvers.values())[:2]:
        solver.iteration = 20
    assert stepper.expected_iterations == 300 + HEAT
    for solver in stepper.solvers.values():
        solver.reason = "it stopped"
    assert stepper.expected_iterations == 301


@pytest.mark.parametrize(
    ("told", "left", "is_right"), [(1.0, 1.9, True), (1.0, 2.1, False), (2.1, 1.0, False)]
)
def test_right_is_within_a_factor_of_two(told: float, left: float, is_right: bool) -> None:
    assert Foretold("p", 0, told, left).is_right == is_right


def test_the_half_of_a_real_run() -> None:
    found = foretold("advection-noisy-ic", 0)
    assert found is not None
    assert found.left > 0
    assert 0.25 < found.ratio < 4  # a busy machine may double it


def test_a_run_of_one_iteration_tells_nothing() -> None:
    assert foretold("predator-prey", 0) is None


def test_nothing_is_left_once_it_is_won(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = begin(pinngate.load("heat-noisy-ic")).stepper
    stepper.iteration = 7
    monkeypatch.setattr(stepper, "race", SimpleNamespace(winner="sine-24-4"))
    assert stepper.expected_iterations == 7
