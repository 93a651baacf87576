"""Ends of the domain where an equation has no finite value are told, whatever it looks like."""

from __future__ import annotations

import pytest

from pinngate.config import catalog, load, loads
from pinngate.report.checking import check_lines
from pinngate.statement.singular_ends import singular_ends
from tests.statement.test_messages import HEAT


def ends(equation: str) -> list[tuple[str, str]]:
    return list(singular_ends(loads(HEAT.replace("u_t = kappa*u_xx", equation))))


@pytest.mark.parametrize(
    ("equation", "found"),
    [
        ("u_t = u_x/x", [("equation_1", "x = 0")]),
        ("u_t = u_xx + u_x/(1 - x) + u/t", [("equation_1", "x = 1"), ("equation_1", "t = 0")]),
        ("u_t = log(x)*u_x", [("equation_1", "x = 0")]),
        ("u_t = kappa*u_xx + u_x/(1 + x)", []),
        ("u_t = u*u_x/(0.5 - x)", []),
        ("u_t = abs(x)*u_x", []),
    ],
)
def test_ends_are_found(equation: str, found: list[tuple[str, str]]) -> None:
    assert ends(equation) == found


def test_shipped_problems_have_none_or_say_so() -> None:
    told = {name: list(singular_ends(load(catalog.path(name)))) for name in catalog.names()}
    assert all(len(found) <= 2 for found in told.values())


def test_check_notes_them() -> None:
    lines = check_lines(loads(HEAT.replace("u_t = kappa*u_xx", "u_t = u_x/x")))
    assert any("towards x = 0" in line for line in lines)


def test_a_truth_that_divides_by_zero_does_not_hold() -> None:
    text = HEAT.replace("u_t = kappa*u_xx", "u_t = u_xx/u_tt").replace(
        "u: exp(-kappa*pi**2*t)*sin(pi*x)", "u: t"
    )
    lines = check_lines(loads(text))
    assert any("DOES NOT HOLD" in line for line in lines)


@pytest.mark.parametrize("equation", ["u_t = u**0.5", "u_t = log(sign(u_xx)) - u"])
def test_a_truth_without_real_values_does_not_hold(equation: str) -> None:
    text = HEAT.replace("u_t = kappa*u_xx", equation)
    lines = check_lines(loads(text.replace("u: exp(-kappa*pi**2*t)*sin(pi*x)", "u: -1 - t")))
    assert any("DOES NOT HOLD" in line for line in lines)
