"""The conformance suite of problems, on every shipped problem and on broken ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from pinngate import config
from pinngate.config import catalog
from pinngate.expression import parse
from pinngate.statement.problem import Condition, Plane, changed
from pinngate.testing import ProblemUnderTest, check_problem, problem_checks
from tests.geometry.stated import needs_deepxde


@cache
def case(name: str) -> ProblemUnderTest:
    return ProblemUnderTest(config.load(config.resolve(name)))


SHIPPED = [
    pytest.param(name, marks=[needs_deepxde] if case(name).problem.geometry else [])
    for name in catalog.names()
]


def complaint(check: str, of: ProblemUnderTest) -> str | None:
    try:
        problem_checks()[check](of)
    except AssertionError as fault:
        return str(fault)
    return None


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_problem_passes(name: str) -> None:
    complaints = {check: complaint(check, case(name)) for check in problem_checks()}
    assert complaints == dict.fromkeys(problem_checks())


def test_a_truth_that_breaks_a_condition_is_found() -> None:
    problem = case("heat-noisy-ic").problem
    wrong = Condition(Plane("x", 0.0), "u = 1", parse("u - 1"))
    with pytest.raises(AssertionError, match=r"check_problem heat-noisy-ic, truth: .*'u = 1"):
        check_problem(changed(problem, conditions=(*problem.conditions, wrong)))


def test_a_problem_that_its_file_does_not_state_is_found() -> None:
    problem = case("heat-noisy-ic").problem
    equation = replace(problem.equations[0], text="u_t = u_xx")
    with pytest.raises(AssertionError, match="round trip: written and read back it differs"):
        check_problem(changed(problem, equations=(equation,)))


def test_a_residual_without_a_value_is_found() -> None:
    text = "u_t = kappa*u_xx + 0*log(-1 - x)"
    problem = case("heat-noisy-ic").problem
    equation = replace(problem.equations[0], text=text, residual=parse("u_t-kappa*u_xx-log(-1-x)"))
    broken = ProblemUnderTest(changed(problem, equations=(equation,)))
    assert "residuals are not finite" in str(complaint("Jacobian", broken))
