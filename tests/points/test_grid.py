"""Grids that fields and functions are judged on: what is inside, and the measure there."""

from __future__ import annotations

import numpy as np

import pinngate
from pinngate.points.grid import evaluation_grid
from pinngate.statement.problem import Problem


def stated(**more: object) -> Problem:
    return pinngate.Problem(
        unknowns=["u"], observations=[pinngate.Observations("u", [[1.0, 0.5]], [1.0])], **more
    )


def test_straight_axes_weigh_alike() -> None:
    grid = evaluation_grid(stated(domain={"x": [0, 1], "t": [0, 1]}, equations=["u_t = u_xx"]))
    assert grid.weights == 1.0
    assert grid.restricted(["x"]).weights == 1.0
    assert grid.restricted(["x"]).spread(np.arange(101.0)).shape == (101,)


def test_the_measure_of_a_disk_is_kept_on_one_of_its_axes() -> None:
    grid = evaluation_grid(
        stated(
            domain={"r": [0, 2], "t": [0, 1]},
            coordinates="radial",
            equations=["u_t = laplacian(u)"],
        )
    )
    np.testing.assert_allclose(grid.weights, grid.points[:, 0])
    own = grid.restricted(["r"])
    np.testing.assert_allclose(own.weights, np.linspace(0, 2, 101))
