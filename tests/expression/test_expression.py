"""Expressions: what parses, what is refused and where, values, exact derivatives, LaTeX."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pinngate.errors import ExpressionError
from pinngate.expression import (
    FUNCTIONS,
    Name,
    Number,
    coefficients_of,
    constant_value,
    differentiate,
    evaluate,
    names,
    parse,
    parse_equation,
    substitute,
    summands,
    undefined_part,
)
from pinngate.expression.printing import to_text

SMOOTH = ["sin", "cos", "tan", "sinh", "cosh", "tanh", "exp"]


@pytest.mark.parametrize("text", ["1 + 2*3", "2**-1", "-3**2", "(1 - 4)/2", "1e-3", "2*pi"])
def test_numbers_as_in_python(text: str) -> None:
    assert constant_value(parse(text), {}) == eval(text, {"pi": math.pi})


@pytest.mark.parametrize(
    ("text", "offset", "what"),
    [
        ("1 + __import__('os')", 4, "unknown function"),
        ("x.real", 0, "not allowed"),
        ("x[0]", 0, "not allowed"),
        ("2*x^2", 0, "'^' is not an operator"),
        ("sin(x, y)", 0, "one argument"),
        ("1 + snh(x)", 4, "unknown function 'snh'"),
        ("(x", 0, "does not parse"),
        ("", 0, "empty"),
        ("lambda: 1", 0, "not allowed"),
        ("x if y else z", 0, "not allowed"),
        ("x < 1", 0, "not allowed"),
        ("'text'", 0, "not a number"),
        ("1j", 0, "not a number"),
        ("True", 0, "not a number"),
        ("f(x)(y)", 0, "not allowed"),
        ("sin(x=1)", 0, "one argument"),
    ],
)
def test_refused_with_its_place(text: str, offset: int, what: str) -> None:
    with pytest.raises(ExpressionError, match=what.replace("^", r"\^")) as caught:
        parse(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize(("name", "ours"), [("ln", "log"), ("asin", "arcsin"), ("sgn", "sign")])
def test_names_of_other_languages_lead_to_ours(name: str, ours: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(f"{name}(x)")
    assert caught.value.hint == f"did you mean '{ours}'?"


def test_equation_is_left_minus_right_with_offsets_in_the_whole_text() -> None:
    text = "u_t = kappa*u_xx"
    residual = parse_equation(text)
    assert names(residual) == {"u_t": 0, "kappa": 6, "u_xx": 12}
    assert evaluate(residual, {"u_t": 5.0, "kappa": 2.0, "u_xx": 1.0}, math) == 3.0
    with pytest.raises(ExpressionError, match="more than one '='") as caught:
        parse_equation("u = v = w")
    assert caught.value.offset == 6


@pytest.mark.parametrize("function", FUNCTIONS)
def test_numpy_torch_and_numbers_agree(function: str) -> None:
    x = np.array([0.3, 0.7, 0.9 if function.startswith("arc") else 1.9])
    expression = parse(f"{function}(x)")
    array = evaluate(expression, {"x": x}, np)
    tensor = evaluate(expression, {"x": torch.from_numpy(x)}, torch)
    np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-14)
    single = [evaluate(expression, {"x": float(value)}, math) for value in x]
    np.testing.assert_allclose(array, single, rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [f"{f}(x*y)" for f in (*SMOOTH, "log", "sqrt", "abs")]
    + ["x**3/y", "(x + y)**x", "x/(1 + y**2) - y*x", "-x**2", "2**x", "x**0.5"],
)
def test_derivative_equals_autograd(text: str) -> None:
    expression = parse(text)
    x = torch.tensor([0.2, 0.7, 1.1], dtype=torch.float64, requires_grad=True)
    values = {"x": x, "y": torch.tensor([0.9, 0.4, 1.3], dtype=torch.float64)}
    (expected,) = torch.autograd.grad(evaluate(expression, values, torch).sum(), x)
    found = evaluate(differentiate(expression, "x"), values, torch)
    torch.testing.assert_close(found.detach(), expected, rtol=1e-12, atol=1e-13)


def test_jumps_have_no_derivative() -> None:
    assert differentiate(parse("sign(x) + heaviside(x)"), "x") == Number(0.0)


def test_split_into_linear_part_and_rest() -> None:
    expression = parse("u_t + u*u_x - nu*u_xx + sin(t)")
    linear, rest = coefficients_of(expression, {"u", "u_t", "u_x", "u_xx"})
    assert set(linear) == {"u_t", "u_xx"}
    assert set(names(rest)) == {"u", "u_x", "t"}
    values = {"u": 2.0, "u_t": 3.0, "u_x": 5.0, "u_xx": 7.0, "nu": 0.1, "t": 1.0}
    total = evaluate(rest, values, math) + sum(
        evaluate(c, values, math) * values[s] for s, c in linear.items()
    )
    assert total == pytest.approx(evaluate(expression, values, math), rel=1e-15)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_substitution_commutes_with_evaluation(a: float, b: float) -> None:
    expression = parse("x*y - (x - y)**2 + 3*x")
    folded = substitute(expression, {"x": Number(a)})
    expected = evaluate(expression, {"x": a, "y": b}, math)
    assert evaluate(folded, {"y": b}, math) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ExpressionError, match="unknown name 'kapa'") as caught:
        evaluate(parse("2*kapa"), {"kappa": 1.0}, math)
    assert caught.value.hint == "did you mean 'kappa'?"
    assert (caught.value.offset, caught.value.length) == (2, 4)


@pytest.mark.parametrize("text", ["1/0", "log(0)", "sqrt(-1)", "exp(1000)", "(-1)**0.5"])
def test_constants_are_finite_and_real(text: str) -> None:
    with pytest.raises(ExpressionError, match="no finite"):
        constant_value(parse(text), {})


def test_names_compare_without_their_place() -> None:
    assert Name("u", 3) == Name("u", 7)
    assert len({Name("u", 3), Name("u", 7)}) == 1


def test_summands_are_the_terms_of_a_sum() -> None:
    found = summands(parse("u_t - k*(u_xx + u_yy) + 3"))
    assert [to_text(part) for part in found] == ["u_t", "k*u_xx", "k*u_yy", "3"]
    assert summands(parse("u*v")) == [parse("u*v")]


def test_the_derivative_of_a_bracket_of_numbers_is_defined() -> None:
    assert undefined_part(parse("v - (.5)_x + (kappa)_tt"), {"kappa": 2.0}) is None
    assert undefined_part(parse("1/(2)_x"), {}) is not None
