"""The functions of formulas: values with every namespace, derivatives against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import erf

from pinngate.errors import ExpressionError
from pinngate.expression import constant_value, differentiate, evaluate, parse
from pinngate.expression.printing import to_text

A = np.array([-0.9, -0.3, 0.2, 0.7])
B = np.array([0.4, -0.8, 0.5, 0.6])
EXPECTED = {
    "sech(3*a)": 1 / np.cosh(3 * A),
    "arcsin(a)": np.arcsin(A),
    "arccos(a)": np.arccos(A),
    "arctan(4*a)": np.arctan(4 * A),
    "erf(a)": erf(A),
    "floor(3*a)": np.floor(3 * A),
    "min(a, b)": np.minimum(A, B),
    "max(a, b)": np.maximum(A, B),
    "min(a, b, 0.1)": np.minimum(np.minimum(A, B), 0.1),
    "max(a, 0)": np.maximum(A, 0),
    "arctan2(a, b)": np.arctan2(A, B),
    "mod(a, b)": np.mod(A, B),
    "mod(a, 0.4)": np.mod(A, 0.4),
    "min(a**2, sech(b))*mod(b, 0.35)": np.minimum(A**2, 1 / np.cosh(B)) * np.mod(B, 0.35),
}


@pytest.mark.parametrize("text", EXPECTED)
def test_values_agree_for_arrays_tensors_and_numbers(text: str) -> None:
    tree = parse(text)
    assert parse(to_text(tree)) == tree
    assert evaluate(tree, {"a": A, "b": B}, np) == pytest.approx(EXPECTED[text], rel=1e-14)
    tensors = {"a": torch.as_tensor(A), "b": torch.as_tensor(B)}
    assert evaluate(tree, tensors, torch).numpy() == pytest.approx(EXPECTED[text], rel=1e-13)
    for a, b, wanted in zip(A.tolist(), B.tolist(), EXPECTED[text].tolist(), strict=True):
        assert constant_value(tree, {"a": a, "b": b}) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("text", EXPECTED)
@pytest.mark.parametrize("name", ["a", "b"])
def test_derivatives_are_those_of_differences(text: str, name: str) -> None:
    tree, step = parse(text), 1e-6
    known = {"a": A, "b": B}
    above, below = (
        evaluate(tree, known | {name: known[name] + side * step}, np) for side in (1, -1)
    )
    slope = evaluate(differentiate(tree, name), known, np)
    wanted = np.broadcast_to((above - below) / (2 * step), A.shape)
    assert np.broadcast_to(slope, A.shape) == pytest.approx(wanted, rel=1e-7, abs=1e-8)


def test_second_derivatives() -> None:
    for text, second in {"erf(a)": -4 * A * np.exp(-(A**2)) / math.sqrt(math.pi)}.items():
        found = differentiate(differentiate(parse(text), "a"), "a")
        assert evaluate(found, {"a": A}, np) == pytest.approx(second)


def test_sech_does_not_overflow() -> None:
    assert evaluate(parse("sech(a)"), {"a": np.array([-1e4, 0, 1e4])}, np).tolist() == [0, 1, 0]
    assert constant_value(parse("sech(1000)"), {}) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min(a)", "min takes two arguments or more"),
        ("mod(a, b, a)", "mod takes two arguments"),
        ("arctan2(a, x=b)", "arctan2 takes two arguments"),
        ("erf(a, b)", "erf takes one argument"),
        ("minn(a, b)", "did you mean 'min'?"),
    ],
)
def test_wrong_calls_are_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert said in str(caught.value)
