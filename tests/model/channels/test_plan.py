"""The planner finds the smallest set of channels."""

from __future__ import annotations

import itertools
import time
from random import Random

import pytest

from pinngate.expression import parse
from pinngate.model.channels import plan as plan_module
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


def fewest_by_trying(residuals, unknowns, axes, estimated=()) -> int:
    """The slow twin: every choice of candidates is built."""
    candidates = [
        plan_module.Candidate(number, field, terms)
        for number, residual in enumerate(residuals)
        for field, terms in plan_module._collapsible(residual, unknowns, axes, estimated).items()
    ]
    return min(
        plan_module._build(residuals, unknowns, axes, chosen).num_channels
        for size in range(len(candidates) + 1)
        for chosen in itertools.combinations(candidates, size)
    )


def test_no_choice_has_fewer_channels() -> None:
    unknowns, axes = ("u", "v"), ("x", "t")
    random = Random(0)
    derivatives = ["", "_x", "_t", "_xx", "_xt", "_xxx", "_xxxx"]
    for _ in range(200):
        residuals = [
            parse(
                " + ".join(
                    random.choice(["", "2*", "x*", "k*", "u*"])
                    + random.choice(unknowns)
                    + random.choice(derivatives)
                    for _ in range(random.randint(1, 4))
                )
            )
            for _ in range(random.randint(1, 3))
        ]
        found = plan_channels(residuals, unknowns, axes, ["k"])
        assert found.num_channels == fewest_by_trying(residuals, unknowns, axes, ["k"])


def test_many_equations_are_planned() -> None:
    unknowns = tuple(f"u{k}" for k in range(16))
    started = time.perf_counter()
    apart = [parse(f"{u}_t + {u} - {k}*{u}_xx") for k, u in enumerate(unknowns)]
    assert plan_channels(apart, unknowns, ("x", "t")).num_channels == 4
    coupled = [parse(" + ".join([f"{u}_t", *(f"{v}_xx" for v in unknowns)])) for u in unknowns]
    assert plan_channels(coupled, unknowns, ("x", "t")).num_channels == 4
    assert time.perf_counter() - started < 30  # tenths of a second
