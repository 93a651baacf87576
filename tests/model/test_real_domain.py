"""Roots, logarithms and powers of fields: finite below zero, unchanged above."""

from __future__ import annotations

import math

import pytest
import torch

from pinngate.config import loads
from pinngate.expression import Expression, differentiate, evaluate, parse
from pinngate.model.real_domain import FLOOR, kept_real
from pinngate.model.scales import FieldScale
from pinngate.statement.problem import Problem

SIZE = 2.0
BELOW, ABOVE = -3.0, 0.7


def problem() -> Problem:
    return loads(
        """
        pinngate: 1
        name: powers
        domain: {t: [0, 1]}
        unknowns: [u]
        constants: {two: 2, third: 1/3}
        estimate: {m: {initial: 2, truth: 1}}
        equations: [u_t = -u**m]
        observations: [{of: u, noise: {std: 0.1}, count: 5}]
        truth: {u: exp(-t)}
        """
    )


def value(expression: Expression, u: float) -> float:
    named = {"u": torch.tensor([u], dtype=torch.float64), "m": 1.5, "two": 2.0, "third": 1 / 3}
    return float(torch.as_tensor(evaluate(expression, named, torch)))


@pytest.mark.parametrize(
    "text", ["sqrt(u)", "log(u)", "u**m", "u**0.5", "u**third", "m*sqrt(2*u)*u - log(u)*u**(m - 2)"]
)
def test_values_and_slopes_are_finite_below_zero_and_the_same_above(text: str) -> None:
    stated = parse(text)
    kept = kept_real(problem(), stated, {"u": FieldScale(SIZE)})
    for change in (lambda e: e, lambda e: differentiate(e, "u"), lambda e: differentiate(e, "m")):
        assert math.isfinite(value(change(kept), BELOW))
        assert value(change(kept), ABOVE) == value(change(stated), ABOVE)


def test_below_the_floor_stands_its_value_without_a_slope() -> None:
    kept = kept_real(problem(), parse("sqrt(u)"), {"u": FieldScale(SIZE)})
    assert value(kept, BELOW) == pytest.approx(math.sqrt(FLOOR * SIZE))
    assert value(differentiate(kept, "u"), BELOW) == 0.0


@pytest.mark.parametrize("text", ["u**2", "u**two", "u**-1", "sqrt(2)", "m**0.5", "exp(u)*abs(u)"])
def test_what_is_real_everywhere_stays_the_same_tree(text: str) -> None:
    stated = parse(text)
    assert kept_real(problem(), stated, {}) is stated
