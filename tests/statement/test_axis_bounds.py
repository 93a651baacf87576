"""Axes that are searched on their logarithm: places, measures and derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate import Observations, Problem
from pinngate.data.quantities import mean_nodes
from pinngate.expression import evaluate, parse, substitute
from pinngate.statement.axis_bounds import LogBounds, half_length, like
from pinngate.statement.axis_places import at_share, share_at, spaced
from pinngate.statement.derivatives import differentiated
from pinngate.statement.logarithmic_axes import along_search, in_axes
from pinngate.statement.measurement import Mean

BOUNDS = LogBounds((0.1, 1000.0))


def test_places_are_even_in_the_logarithm() -> None:
    assert np.allclose(spaced(BOUNDS, 5), [0.1, 1, 10, 100, 1000])
    assert np.allclose(
        share_at(BOUNDS, at_share(BOUNDS, np.linspace(0, 1, 7))), np.linspace(0, 1, 7)
    )
    assert half_length(BOUNDS) == pytest.approx(2 * np.log(10))
    assert isinstance(like(BOUNDS, 1.0, 2.0), LogBounds)
    assert np.allclose(spaced((0.0, 2.0), 3), [0, 1, 2])


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_along_the_logarithm_are_those_of_the_field(order: int) -> None:
    problem = Problem(
        domain={"r": {"bounds": (0.5, 50), "log": True}},
        coordinates="radial",
        unknowns=["u"],
        equations=["u_" + "r" * order + " = 0"],
        observations=[Observations("u", [[1.0]], [1.0], std=0.1)],
    )
    r = np.geomspace(0.5, 50, 11)
    field, along_s = parse("r**2 + 1/r"), parse("exp(2*s) + exp(-s)")
    written = along_search(problem, problem.equations[0].residual)
    slopes = {
        name: differentiated(along_s, ("s",), d.orders)
        for name, d in problem.derivatives(written).items()
    }
    found = evaluate(substitute(written, slopes), {"r": r, "s": np.log(r)}, np)
    assert np.allclose(found, evaluate(differentiated(field, ("r",), (order,)), {"r": r}, np))
    back = sum(
        factor * r ** own[0] * evaluate(differentiated(field, ("r",), own), {"r": r}, np)
        for own, factor in in_axes((order,), [0])
    )
    assert np.allclose(
        back, evaluate(differentiated(along_s, ("s",), (order,)), {"s": np.log(r)}, np)
    )


@pytest.mark.parametrize(("kind", "power"), [("radius", 1), ("spherical-radius", 2), ("other", 0)])
@pytest.mark.parametrize("bounds", [(0.1, 3.0), LogBounds((0.1, 3.0))])
@pytest.mark.parametrize("width", [None, 0.4])
def test_means_have_the_measure_of_the_axis(
    kind: str, power: int, bounds: tuple[float, float], width: float | None
) -> None:
    nodes, weights = mean_nodes(np.array([[1.0]]), Mean(("r",), width), {"r": bounds}, {"r": kind})
    low, high = bounds if width is None else (0.8, 1.2)
    r = np.linspace(low, high, 200_001)
    true = np.trapezoid(np.exp(-r) * r**power, r) / np.trapezoid(r**power, r)
    assert float((np.exp(-nodes[:, :, 0]) * weights).sum()) == pytest.approx(true, rel=1e-6)
