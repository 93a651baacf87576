"""Functions that are to be found, against the spline of scipy and differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from pinngate.expression import Applied, Name, UnknownSpline, differentiate, evaluate

PLACES = np.linspace(-1.9, 2.9, 23)
WEIGHTS = np.array([0.3, -1.0, 0.7, 2.0, 1.5, -0.4, 0.1, 0.9])
SPLINE = UnknownSpline("D", 8, -2.0, 3.0)
KNOWN = CubicSpline(np.linspace(-2.0, 3.0, 8), WEIGHTS)
TREE = Applied(SPLINE, (*(Name(f"w{k}") for k in range(8)), Name("u")))
VALUES = {f"w{k}": float(w) for k, w in enumerate(WEIGHTS)}


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_it_is_the_cubic_spline_through_its_weights(order: int) -> None:
    tree = TREE
    for _ in range(order):
        tree = differentiate(tree, "u")
    found = evaluate(tree, {**VALUES, "u": PLACES}, np)
    np.testing.assert_allclose(found, KNOWN(PLACES, order), rtol=1e-9, atol=1e-9)


def test_it_is_linear_in_its_weights() -> None:
    rows = [evaluate(differentiate(TREE, f"w{k}"), {**VALUES, "u": PLACES}, np) for k in range(8)]
    np.testing.assert_allclose(WEIGHTS @ np.array(rows), KNOWN(PLACES), atol=1e-12)
    assert evaluate(differentiate(differentiate(TREE, "w1"), "w2"), {}, np) == 0.0


def test_tensors_and_numbers_have_the_same_values() -> None:
    slope = differentiate(TREE, "u")
    tensors = {name: torch.tensor(v, dtype=torch.float64) for name, v in VALUES.items()}
    at = torch.tensor(PLACES)
    for tree, order in ((TREE, 0), (slope, 1)):
        found = evaluate(tree, {**tensors, "u": at}, torch)
        np.testing.assert_allclose(found.numpy(), KNOWN(PLACES, order), atol=1e-9)
        alone = evaluate(tree, {**VALUES, "u": float(PLACES[4])}, np)
        assert alone == pytest.approx(float(KNOWN(PLACES[4], order)))


def test_weights_may_vary_with_the_place() -> None:
    own = {name: np.full(len(PLACES), value) for name, value in VALUES.items()}
    np.testing.assert_allclose(evaluate(TREE, {**own, "u": PLACES}, np), KNOWN(PLACES), atol=1e-12)


def test_beyond_its_ends_it_is_constant() -> None:
    beyond = {**VALUES, "u": np.array([-5.0, 7.0])}
    np.testing.assert_allclose(evaluate(TREE, beyond, np), WEIGHTS[[0, -1]])
    assert not evaluate(differentiate(TREE, "u"), beyond, np).any()


def test_places_that_change_are_not_taken_for_those_before() -> None:
    places = PLACES.copy()
    evaluate(TREE, {**VALUES, "u": places}, np)
    places += 0.05
    np.testing.assert_allclose(evaluate(TREE, {**VALUES, "u": places}, np), KNOWN(places))
