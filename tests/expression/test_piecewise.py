"""Functions that are constant on pieces, in numpy and torch."""

from __future__ import annotations

import numpy as np
import torch

from pinngate.expression import ZERO, Applied, Name, Piecewise, differentiate, evaluate
from pinngate.expression.printing import to_text

CELLS = Piecewise("k", ((0.3, 0.7), (0.5,)))
NAMES = tuple(f"w{n}" for n in range(6))
TREE = Applied(CELLS, (*map(Name, NAMES), Name("x"), Name("y")))
WEIGHTS = {name: float(n) for n, name in enumerate(NAMES, 1)}
X, Y = np.array([0.1, 0.1, 0.5, 0.9, 0.3, 0.3]), np.array([0.2, 0.6, 0.2, 0.9, 0.2, 0.5])
EXPECTED = [1.0, 2.0, 3.0, 6.0, 2.0, 2.5]  # on a break the mean of what is around


def test_it_has_the_value_of_the_piece() -> None:
    np.testing.assert_allclose(evaluate(TREE, {**WEIGHTS, "x": X, "y": Y}, np), EXPECTED)
    assert evaluate(TREE, {**WEIGHTS, "x": 0.9, "y": 0.1}, np) == 5.0
    assert to_text(TREE) == "k"


def test_torch_says_the_same_and_differentiates() -> None:
    weights = {n: torch.tensor(w, dtype=torch.float64) for n, w in WEIGHTS.items()}
    weights["w2"].requires_grad_()
    places = {"x": torch.as_tensor(X), "y": torch.as_tensor(Y)}
    found = evaluate(TREE, {**weights, **places}, torch)
    np.testing.assert_allclose(found.detach(), EXPECTED)
    found.sum().backward()
    assert float(weights["w2"].grad) == 1.0 + 0.5 + 0.25


def test_weights_may_differ_between_places() -> None:
    varied = {name: np.full(6, w) for name, w in WEIGHTS.items()}
    np.testing.assert_allclose(evaluate(TREE, {**varied, "x": X, "y": Y}, np), EXPECTED)
    tensors = {name: torch.as_tensor(w) for name, w in varied.items()}
    places = {"x": torch.as_tensor(X), "y": torch.as_tensor(Y)}
    np.testing.assert_allclose(evaluate(TREE, {**tensors, **places}, torch), EXPECTED)


def test_the_slope_in_a_weight_is_the_indicator_of_its_piece() -> None:
    slopes = [
        evaluate(differentiate(TREE, name), {**WEIGHTS, "x": X, "y": Y}, np) for name in NAMES
    ]
    np.testing.assert_allclose(np.sum(slopes, axis=0), 1.0)
    np.testing.assert_allclose(np.array(list(WEIGHTS.values())) @ slopes, EXPECTED)


def test_between_breaks_it_is_constant() -> None:
    assert differentiate(TREE, "x") == ZERO
    assert differentiate(differentiate(TREE, "w0"), "w1") == ZERO
