"""Functions of the caller's own: parsed, differentiated, evaluated, and refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pinngate.errors import ExpressionError, InputError
from pinngate.expression import (
    OwnFunction,
    coefficients_of,
    constant_value,
    differentiate,
    evaluate,
    names,
    parse,
    parse_equation,
    substitute,
)
from pinngate.expression.printing import to_text
from pinngate.statement.brackets import Brackets

DOUBLE = torch.float64


def mixed(a: Tensor, b: Tensor) -> Tensor:
    return torch.sin(a) * b**2 + torch.exp(a * b)


def power(a: Tensor, n: Any = 3) -> Tensor:
    return a**n


FUNCTIONS = {"mixed": mixed, "power": power, "sine": torch.sin}
TWIN = "sin({a})*({b})**2 + exp(({a})*({b}))"


def values(count: int = 7) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {n: torch.rand(count, generator=random, dtype=DOUBLE) for n in ("u", "x", "k")}


@pytest.mark.parametrize("arguments", [("u", "x"), ("k*u**2", "x - u"), ("u", "u"), ("u", "0.7")])
@pytest.mark.parametrize("by", ["", "u", "x", "uu", "ux", "xx", "uux"])
def test_values_and_derivatives_are_those_of_the_text(arguments: tuple[str, str], by: str) -> None:
    a, b = arguments
    own = parse(f"x*mixed({a}, {b}) + u", FUNCTIONS)
    text = parse(f"x*({TWIN.format(a=a, b=b)}) + u")
    for name in by:
        own, text = differentiate(own, name), differentiate(text, name)
    found, expected = evaluate(own, values(), torch), evaluate(text, values(), torch)
    torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected))


def test_numpy_arrays_and_numbers_give_their_own_kind() -> None:
    own, text = parse("mixed(u, x)", FUNCTIONS), parse(TWIN.format(a="u", b="x"))
    arrays = {name: value.numpy() for name, value in values().items()}
    arrays["u"].flags.writeable = False
    found = evaluate(differentiate(own, "u"), arrays, np)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, evaluate(differentiate(text, "u"), arrays, np))
    column = {"u": arrays["u"][:, None], "x": arrays["x"]}
    np.testing.assert_allclose(evaluate(own, column, np), evaluate(text, column, np))
    assert constant_value(parse("1 + power(2)", FUNCTIONS), {}) == 9.0


def test_autograd_goes_through() -> None:
    known = {name: value.requires_grad_() for name, value in values().items()}
    for name in ("u", "x"):
        slope = differentiate(parse("mixed(u, x)", FUNCTIONS), name)
        text = differentiate(parse(TWIN.format(a="u", b="x")), name)
        found, expected = (evaluate(e, known, torch) for e in (slope, text))
        for variable in known.values():
            a, b = (
                torch.autograd.grad(
                    v.sum(), variable, retain_graph=True, allow_unused=True, materialize_grads=True
                )[0]
                for v in (found, expected)
            )
            torch.testing.assert_close(a, b)
    with torch.no_grad():
        assert not evaluate(slope, known, torch).requires_grad


def test_precision_is_that_of_the_tensors() -> None:
    known = {name: value.float() for name, value in values().items()}
    assert evaluate(parse("mixed(u, 0.5)", FUNCTIONS), known, torch).dtype == torch.float32


def test_a_tree_with_it_is_walked_like_any_other() -> None:
    tree = parse_equation("u_t = k*u_xx + mixed(u, x + power(k, 2))", FUNCTIONS)
    assert names(tree) == {"u_t": 0, "k": 6, "u_xx": 8, "u": 21, "x": 24}
    assert to_text(parse("2*mixed(u, x)**2", FUNCTIONS)) == "2*mixed(u, x)**2"
    assert substitute(tree, {}) == tree
    assert parse("mixed(u, x)", FUNCTIONS) != parse("mixed(u, x)", {"mixed": power})
    linear, rest = coefficients_of(tree, {"u", "u_t", "u_xx"})
    assert set(linear) == {"u_t", "u_xx"}
    assert set(names(rest)) == {"u", "x", "k"}


def test_derivatives_of_brackets_use_the_chain_rule() -> None:
    bracket = parse("(mixed(u, x)*u_x)_x", FUNCTIONS)
    brackets = Brackets(("u",), ("x",))
    found = brackets.expanded(bracket)
    text = brackets.expanded(parse(f"(({TWIN.format(a='u', b='x')})*u_x)_x"))
    known = values() | {"u_x": values()["k"], "u_xx": values()["k"] ** 2}
    torch.testing.assert_close(evaluate(found, known, torch), evaluate(text, known, torch))


def test_the_derivative_of_a_constant_is_zero() -> None:
    known = {"one": lambda u: 1.0, "step": lambda u: torch.where(u > 0.5, 1.0, 0.0)}
    for name in known:
        slope = differentiate(parse(f"{name}(u)", known), "u")
        assert not evaluate(slope, values(), torch).any()


def needs_all(a: Tensor, b: Tensor, *, c: float = 1.0) -> Tensor:
    return a + b + c


@pytest.mark.parametrize(
    ("text", "offset", "length", "what"),
    [
        ("1 + mixed(u)", 4, 8, "mixed takes 2 argument(s), found 1"),
        ("mixed(u, x, k)", 0, 14, "mixed takes 2 argument(s), found 3"),
        ("power(u, 2, 3)", 0, 14, "power takes 1 to 2 argument(s), found 3"),
        ("sine()", 0, 6, "sine takes 1 or more argument(s), found 0"),
        ("mixed(a=u, b=x)", 0, 15, "names of arguments"),
        ("x*mixd(u, x)", 2, 10, "unknown function 'mixd'"),
        ("needs_all(u, x, k)", 0, 18, "needs_all takes 2 argument(s), found 3"),
    ],
)
def test_wrong_calls_are_refused_at_their_place(
    text: str, offset: int, length: int, what: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, FUNCTIONS | {"needs_all": needs_all})
    assert (caught.value.offset, caught.value.length) == (offset, length)
    assert what in caught.value.what


def test_any_number_of_arguments() -> None:
    own = parse("total(u, x, k, 1)", {"total": lambda *a: sum(a)})
    known = values()
    expected = known["u"] + known["x"] + known["k"] + 1
    torch.testing.assert_close(evaluate(own, known, torch), expected)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda u: u.sum(), "returns the shape () for arguments of shape (7,)"),
        (lambda u: u[:3], "returns the shape (3,)"),
        (lambda u: [u], "returns list"),
        (lambda u: u + undefined, "fails: NameError"),  # noqa: F821
        (lambda u: torch.from_numpy(np.sin(u.numpy())), "fails: RuntimeError"),
    ],
)
def test_what_a_function_must_not_do_is_told(function: Any, told: str) -> None:
    slope = differentiate(parse("f(u)", {"f": function}), "u")
    with pytest.raises(InputError) as caught:
        evaluate(slope, values(), torch)
    assert told in str(caught.value)


def test_functions_are_equal_by_name_and_function() -> None:
    assert OwnFunction("f", mixed) == OwnFunction("f", mixed) != OwnFunction("g", mixed)
