"""The planner finds the smallest set of channels."""

from __future__ import annotations

import pytest

from pinngate.model.channels.plan import lower_orders, partitions, plan_channels
from tests.equations import CASES


@pytest.mark.parametrize("name", CASES)
def test_number_of_channels(name: str) -> None:
    case = CASES[name]
    problem = case.problem()
    residuals = [e.residual for e in problem.equations]
    arguments = (residuals, case.unknowns, tuple(case.axes), case.estimated)
    assert plan_channels(*arguments).num_channels == case.num_channels
    textbook = plan_channels(*arguments, is_collapsing=False)
    assert textbook.num_channels == case.num_textbook
    assert not textbook.operators


@pytest.mark.parametrize("name", CASES)
def test_plain_channels_are_closed_downwards(name: str) -> None:
    case = CASES[name]
    residuals = [e.residual for e in case.problem().equations]
    plan = plan_channels(residuals, case.unknowns, tuple(case.axes), case.estimated)
    carried = set(plan.derivatives)
    for orders in plan.derivatives:
        assert lower_orders(orders) <= carried
    for operator in plan.operators:
        for orders, _ in operator.terms:
            assert lower_orders(orders) <= carried


@pytest.mark.parametrize(
    ("orders", "bell"), [((1,), 1), ((2,), 2), ((3,), 5), ((4,), 15), ((2, 2), 15), ((1, 1, 1), 5)]
)
def test_partitions_are_counted_by_bell_numbers(orders: tuple[int, ...], bell: int) -> None:
    assert sum(partitions(orders).values()) == bell
