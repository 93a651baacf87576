"""Functions that are to be found, against the spline of scipy and differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from pinngate.expression import Applied, Knots, Name, UnknownSpline, differentiate, evaluate
from pinngate.expression.printing import to_text

PLACES = np.linspace(-1.9, 2.9, 23)
WEIGHTS = np.array([0.3, -1.0, 0.7, 2.0, 1.5, -0.4, 0.1, 0.9])
SPLINE = UnknownSpline("D", (Knots(8, -2.0, 3.0),))
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


SURFACE = UnknownSpline("f", (Knots(5, -2.0, 3.0), Knots(4, 0.0, 1.5)))
TABLE = np.random.default_rng(2).standard_normal((5, 4))
TWO = Applied(SURFACE, (*(Name(f"v{k}") for k in range(20)), Name("u"), Name("s")))
OWN = {f"v{k}": float(w) for k, w in enumerate(TABLE.ravel())}
OTHER = np.linspace(0.05, 1.4, 23)[::-1]


def surface(u: np.ndarray, s: np.ndarray, orders: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return the tensor product by two splines of scipy, one after the other."""
    along = CubicSpline(np.linspace(0.0, 1.5, 4), TABLE, axis=1)(s, orders[1])
    across = CubicSpline(np.linspace(-2.0, 3.0, 5), along, axis=0)(u, orders[0])
    return np.diagonal(across).copy()


@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 1), (2, 1), (1, 2), (3, 0)], ids=str)
def test_of_two_arguments_it_is_the_tensor_product(orders: tuple[int, int]) -> None:
    tree = TWO
    for name, order in zip("us", orders, strict=True):
        for _ in range(order):
            tree = differentiate(tree, name)
    found = evaluate(tree, {**OWN, "u": PLACES, "s": OTHER}, np)
    np.testing.assert_allclose(found, surface(PLACES, OTHER, orders), rtol=1e-9, atol=1e-9)


def test_its_partial_derivatives_are_those_of_differences() -> None:
    h = 1e-5

    def value(**shift: float) -> np.ndarray:
        at = {"u": PLACES, "s": OTHER}
        at |= {name: at[name] + by for name, by in shift.items()}
        return np.asarray(evaluate(TWO, {**OWN, **at}, np))

    for name in "us":
        slope = evaluate(differentiate(TWO, name), {**OWN, "u": PLACES, "s": OTHER}, np)
        by_differences = (value(**{name: h}) - value(**{name: -h})) / (2 * h)
        np.testing.assert_allclose(slope, by_differences, atol=1e-7)
    mixed = differentiate(differentiate(TWO, "u"), "s")
    found = evaluate(mixed, {**OWN, "u": PLACES, "s": OTHER}, np)
    corners = [value(u=a * h * 10, s=b * h * 10) * a * b for a in (-1, 1) for b in (-1, 1)]
    np.testing.assert_allclose(found, sum(corners) / (4 * (10 * h) ** 2), atol=1e-4)


def test_of_two_arguments_it_is_linear_in_its_weights() -> None:
    at = {"u": PLACES, "s": OTHER}
    rows = [evaluate(differentiate(TWO, f"v{k}"), {**OWN, **at}, np) for k in range(20)]
    np.testing.assert_allclose(TABLE.ravel() @ np.array(rows), surface(PLACES, OTHER), atol=1e-12)
    np.testing.assert_allclose(SURFACE.rows([PLACES, OTHER]).T, np.array(rows), atol=1e-12)
    assert evaluate(differentiate(differentiate(TWO, "v1"), "v2"), {}, np) == 0.0


def test_its_arguments_broadcast_and_tensors_agree() -> None:
    u, s = PLACES[:, None], np.linspace(0.1, 1.4, 3)[None, :]
    found = evaluate(TWO, {**OWN, "u": u, "s": s}, np)
    assert found.shape == (23, 3)
    np.testing.assert_allclose(found[:, 1], surface(PLACES, np.full(23, s[0, 1])), atol=1e-12)
    tensors = {name: torch.tensor(v, dtype=torch.float64) for name, v in OWN.items()}
    for tree in (TWO, differentiate(TWO, "s"), differentiate(TWO, "v7")):
        theirs = evaluate(tree, {**tensors, "u": torch.tensor(u), "s": torch.tensor(s)}, torch)
        ours = evaluate(tree, {**OWN, "u": u, "s": s}, np)
        np.testing.assert_allclose(theirs.numpy(), ours, atol=1e-12)


def test_beyond_the_end_of_one_argument_it_follows_the_other() -> None:
    at = {"u": np.array([-7.0, -2.0]), "s": np.array([0.4, 0.4])}
    beyond, end = evaluate(TWO, {**OWN, **at}, np)
    assert beyond == pytest.approx(end)
    assert evaluate(differentiate(TWO, "u"), {**OWN, **at}, np)[0] == 0
    assert evaluate(differentiate(TWO, "s"), {**OWN, **at}, np)[0] != 0


def test_what_is_not_finite_stays_so() -> None:
    at = {"u": np.array([np.nan, 0.0]), "s": np.array([0.4, 0.4])}
    assert np.isnan(evaluate(TWO, {**OWN, **at}, np)).tolist() == [True, False]


def test_it_is_written_with_its_arguments_alone() -> None:
    assert to_text(TWO) == "f(u, s)"
