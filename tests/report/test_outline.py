"""Geometries as they are drawn agree with geometries as points are drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pinngate import config
from pinngate.config import catalog
from pinngate.geometry.region import Region
from pinngate.report.outline import cover_outside, filled, is_inside
from tests.geometry.stated import needs_deepxde

ELLIPSE = """\
pinngate: 1
name: ellipse
domain: {x: [-2, 2], y: [-1, 3]}
geometry:
  shapes:
    body: {ellipse: {center: [0.2, 0.9], radii: [1.5, 0.6], angle: 0.7}}
    bite: {rectangle: {x: [0, 1], y: [0.5, 2]}}
  inside: body - bite
unknowns: [u]
equations: [u_xx + u_yy = 1]
conditions:
  - {on: boundary, equation: u = 0}
"""


@needs_deepxde
@pytest.mark.parametrize("name", ["heat-disk", "heat-hole", "poisson-l-shape", "ellipse"])
def test_inside_is_where_points_are_drawn(name: str) -> None:
    problem = config.loads(ELLIPSE) if name == "ellipse" else config.load(catalog.path(name))
    assert problem.geometry is not None
    bounds = np.array(list(problem.domain.values()))
    points = np.random.default_rng(0).uniform(*bounds.T, (2000, len(bounds)))
    drawn = is_inside(problem.geometry, points[:, :2])
    assert 0 < drawn.mean() < 1
    np.testing.assert_array_equal(drawn, Region(problem).inside(points))


def test_missing_values_take_the_nearest() -> None:
    z = np.array([[1.0, np.nan, np.nan, 4.0]])
    np.testing.assert_array_equal(filled(z), [[1.0, 1.0, 4.0, 4.0]])
    nothing = np.full((2, 2), np.nan)
    assert np.isnan(filled(nothing)).all()


def test_what_is_outside_is_white() -> None:
    geometry = config.load(catalog.path("heat-hole")).geometry
    assert geometry is not None
    figure = Figure(figsize=(2, 2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    plot = figure.add_axes((0, 0, 1, 1))
    plot.set_axis_off()
    unit = np.linspace(0, 1, 11)
    plot.pcolormesh(unit, unit, np.zeros((11, 11)), cmap="viridis", shading="gouraud")
    cover_outside(plot, geometry, unit, unit)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    assert (pixels[100, 120, :3] == 255).all()  # the centre of the hole
    assert (pixels[20, 20, :3] != 255).any()
