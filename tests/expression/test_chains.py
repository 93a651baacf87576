"""Long formulas: the same values, places of faults, and bounds."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinngate.errors import ExpressionError
from pinngate.expression import differentiate, evaluate, names, parse, parts
from pinngate.expression.chains import MAX_OPERATORS
from pinngate.expression.printing import to_text
from pinngate.expression.tree import depth

GENEROUS = 30.0  # seconds, where the work takes one


@given(
    st.lists(st.sampled_from("+-"), min_size=49, max_size=200), st.sampled_from(["{}", "2*({})"])
)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_sums_of_any_length_are_those_of_python(signs: list[str], around: str) -> None:
    text = around.format("x" + "".join(f"{sign}{k}*x**2" for k, sign in enumerate(signs)))
    assert evaluate(parse(text), {"x": 0.5}, np) == pytest.approx(eval(text, {"x": 0.5}))


@given(st.lists(st.sampled_from("*/"), min_size=49, max_size=200))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_products_of_any_length_are_those_of_python(signs: list[str]) -> None:
    text = "-x" + "".join(f"{sign}-(1 + {k}/50*x)" for k, sign in enumerate(signs))
    assert evaluate(parse(text), {"x": 0.1}, np) == pytest.approx(eval(text, {"x": 0.1}))


def test_ten_thousand_terms() -> None:
    started = time.perf_counter()
    formula = parse(" + ".join(f"sin({k}*x)" for k in range(10_000)))
    assert depth(formula) < 20
    slope = evaluate(differentiate(formula, "x"), {"x": 0.0}, np)
    assert slope == pytest.approx(sum(range(10_000)))
    assert names(formula).keys() == {"x"}
    assert time.perf_counter() - started < GENEROUS


def test_a_long_formula_reads_back_from_its_text() -> None:
    formula = parse("exp(" + "x - 2*t + " * 120 + "1)/(1 + " + "x*" * 80 + "t)")
    assert parse(to_text(formula)) == formula


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x + " * 80 + "y.z", "y.z"),
        ("x*" * 80 + "foo(x)", "foo(x)"),
        ("sin(" + "x + " * 80 + "foo(x))", "foo(x)"),
        ("2*(1 + " + "x*" * 80 + "x[0]) - 3", "x[0]"),
        ("x + " * 80 + "(lambda: 1)", "lambda"),
    ],
)
def test_faults_stand_where_they_stand(text: str, fault: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.offset == text.index(fault)


def test_names_stand_where_they_stand() -> None:
    text = "x + " * 80 + "exp(" + "t*" * 60 + "kappa)"
    assert names(parse(text)) == {"x": 0, "t": text.index("t*"), "kappa": text.index("kappa")}


@pytest.mark.parametrize(
    "text",
    [
        "x+" * (MAX_OPERATORS + 1) + "x",
        "-" * 3000 + "x",
        "2**" * 400 + "x",
        "(" * 300 + "x",
        "sin(1 + " * 150 + "x" + ")" * 150,
        "x +" * 60,
        "(" + "x + " * 60 + "]",
    ],
)
def test_too_long_too_deep_or_wrong_is_said_in_words(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["1_000*x", "x**1_0", "1_0.5", "sin(2_2)"])
def test_digits_are_digits(text: str) -> None:
    with pytest.raises(ExpressionError, match="a number with '_'"):
        parse(text)


def test_derivatives_share_their_parts() -> None:
    started = time.perf_counter()
    nested, product = parse("tanh(" * 20 + "x" + ")" * 20), parse("*".join(["sin(x)"] * 10))
    for formula in (nested, product):
        slope = formula
        for _ in range(4):
            slope = differentiate(slope, "x")
        assert len(parts(slope)) < 20_000
        assert np.isfinite(evaluate(slope, {"x": 0.3}, np))
        assert slope == differentiate(_third(formula), "x")
        assert len(to_text(slope)) < 2_000_000
    assert time.perf_counter() - started < GENEROUS


def _third(formula):
    for _ in range(3):
        formula = differentiate(formula, "x")
    return formula


def test_fourth_derivative_of_a_product_is_exact() -> None:
    slope = parse("*".join(["exp(x)"] * 10))
    for _ in range(4):
        slope = differentiate(slope, "x")
    assert evaluate(slope, {"x": 0.1}, np) == pytest.approx(10**4 * np.exp(1.0))


def test_a_text_without_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(ExpressionError, match="2,000,001 letters"):
        parse("u" + "+u" * 1_000_000)
