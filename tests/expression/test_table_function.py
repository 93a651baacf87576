"""Tables as functions: values, derivatives and kinks, with numpy, torch and plain numbers."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from pinngate.expression import (
    ZERO,
    Applied,
    Name,
    Tabulated,
    differentiate,
    evaluate,
    parse,
    with_tables,
)
from pinngate.expression.printing import to_text

KNOTS = np.array([0.0, 1.0, 1.5, 3.0])
VALUES = np.array([2.0, 4.0, 1.0, 1.0])
PLACES = np.array([0.0, 0.25, 1.0, 1.2, 1.5, 2.9, 3.0])


def table(interpolation: Any = "linear") -> Tabulated:
    return Tabulated("f", (KNOTS,), VALUES, interpolation)


def surface(interpolation: Any) -> Tabulated:
    x, t = np.linspace(0, 1, 6), np.linspace(0, 2, 5)
    return Tabulated("g", (x, t), np.sin(x)[:, None] * np.exp(t), interpolation)


def test_straight_lines_lie_between_the_knots() -> None:
    found = table().evaluate([PLACES])
    assert found == pytest.approx(np.interp(PLACES, KNOTS, VALUES), rel=1e-15)


def test_a_step_is_held_until_the_next_knot() -> None:
    assert table("step").evaluate([PLACES]).tolist() == [2, 2, 4, 4, 1, 1, 1]


def test_a_smooth_table_is_the_cubic_spline() -> None:
    own = CubicSpline(KNOTS, VALUES)
    for order in range(4):
        found = table("smooth").evaluate([PLACES], [0] * order)
        assert found == pytest.approx(own(PLACES, order), rel=1e-12, abs=1e-12)


def test_the_values_at_the_ends_are_held_beyond() -> None:
    for interpolation in ("step", "linear", "smooth"):
        found = table(interpolation).evaluate([np.array([-9.0, 9.0])])
        assert found == pytest.approx([2.0, 1.0], abs=1e-12)


@pytest.mark.parametrize("interpolation", ["step", "linear", "smooth"])
@pytest.mark.parametrize("by", [(), (0,), (1,), (0, 1), (1, 1)])
def test_tensors_numbers_and_arrays_agree_on_a_grid(interpolation: str, by: Any) -> None:
    own = surface(interpolation)
    x, t = np.random.default_rng(0).uniform([0, 0], [1, 2], (50, 2)).T
    found = own.evaluate([x, t], by)
    tensors = own.evaluate([torch.as_tensor(x), torch.as_tensor(t)], by)
    assert isinstance(tensors, torch.Tensor)
    assert tensors.numpy() == pytest.approx(found, rel=1e-14, abs=1e-14)
    assert own.evaluate([float(x[0]), float(t[0])], by) == pytest.approx(found[0])
    assert own.evaluate([x[:, None], t[None, :]], by).shape == (50, 50)


def test_smooth_tables_of_smooth_functions_are_close() -> None:
    x, t = np.linspace(0.05, 0.95, 7), 1.3
    assert surface("smooth").evaluate([x, t]) == pytest.approx(np.sin(x) * np.exp(t), rel=3e-3)


def test_autograd_gives_the_derivative() -> None:
    places = torch.tensor(PLACES[1:-1] + 0.01, requires_grad=True)
    own = table("smooth")
    (slope,) = torch.autograd.grad(own.evaluate([places]).sum(), places)
    assert slope.numpy() == pytest.approx(own.evaluate([places.detach().numpy()], [0]))


def test_single_precision_stays() -> None:
    assert table().evaluate([torch.tensor([0.5], dtype=torch.float32)]).dtype == torch.float32


def test_a_tree_with_a_table_is_differentiated_and_evaluated() -> None:
    tree = with_tables(parse("t**2*f + u"), {"f": Applied(table(), (Name("t"),))})
    slope = differentiate(tree, "t")
    found = evaluate(slope, {"t": np.array([0.5]), "u": 0.0}, np)
    assert found == pytest.approx(2 * 0.5 * 3.0 + 0.25 * 2.0)
    assert to_text(tree) == "t**2*f + u"
    assert to_text(slope) == "2*t*f + t**2*f_t"


def test_axes_keep_their_order() -> None:
    own = surface("linear")
    tree = with_tables(parse("2*g"), {"g": Applied(own, (Name("x"), Name("t")))})
    assert evaluate(tree, {"x": 0.3, "t": 1.9}, np) == 2 * own.evaluate([0.3, 1.9])


def test_a_step_has_no_slope() -> None:
    tree = with_tables(parse("f"), {"f": Applied(table("step"), (Name("t"),))})
    assert differentiate(tree, "t") == ZERO


def test_kinks_are_where_a_table_departs_from_a_line() -> None:
    straight = Tabulated("f", (np.arange(5.0),), np.array([0.0, 1.0, 2.0, 2.0, 2.0]))
    assert [place for place, _ in straight.kinks(0)] == [2.0]
    steps = Tabulated("f", (np.arange(5.0),), np.array([0.0, 0.0, 2.0, 2.0, 1.0]), "step")
    assert steps.kinks(0) == [(2.0, 1.0), (4.0, 0.5)]
    assert table("smooth").kinks(0) == []


def test_equal_tables_are_equal_and_survive_pickling() -> None:
    own = table()
    own.evaluate([0.5])
    assert pickle.loads(pickle.dumps(own)) == own == table()
    assert own != table("step")
    assert hash(own) == hash(table())
    assert repr(own) == "Tabulated('f', 4 values, linear)"
