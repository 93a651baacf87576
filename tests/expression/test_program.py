"""Programs against the evaluation of single trees."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from pinngate.errors import ExpressionError
from pinngate.expression import differentiate, evaluate, parse
from pinngate.expression.program import Program

TEXTS = ["sin(a*x)/(1 + x**2)", "a*x + 3", "max(a, x)*exp(-x) - log(0*x)", "2*pi", "abs(x)**1.5"]


@pytest.mark.parametrize("namespace", [np, torch])
def test_values_are_those_of_each_tree(namespace: object) -> None:
    trees = [parse(text) for text in TEXTS]
    trees += [differentiate(tree, "x") for tree in trees]
    x = namespace.linspace(-2, 2, 7)  # type: ignore[attr-defined]
    known = {"x": x, "a": 1.5}
    found = Program(trees, namespace).values(known)
    for tree, values in zip(trees, found, strict=True):
        np.testing.assert_array_equal(values, evaluate(tree, known, namespace))


def test_shared_parts_are_evaluated_once() -> None:
    tree = parse("sin(x)*sin(x) + sin(x)")
    program = Program([tree, differentiate(tree, "x"), parse("sin(x)")], np)
    assert len([step for step in program._steps if step[2] == (0,)]) == 2  # sin x, cos x


def test_a_name_without_value_is_told() -> None:
    with pytest.raises(ExpressionError, match="unknown name 'xx'"):
        Program([parse("xx + 1")], np).values({"x": 1.0})


def test_a_copy_is_the_program_itself() -> None:
    program = Program([parse("sin(x)")], np)
    assert copy.deepcopy([program])[0] is program
