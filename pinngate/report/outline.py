"""What a plane shows of a geometry: the part outside, covered, so that edges are drawn smooth.

Part of the report, which is made from files alone: shapes are known by their formulas, and no
library that places points is needed to draw them.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from numpy.typing import NDArray

from pinngate.statement.shapes import Ball, Box, Ellipse, Geometry, Polygon, Shape, combine

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NUM_PIXELS = 240  # along each side of a plane
BLUR = 1.5  # pixels
_EDGE = 1e-9  # of a shape: its own outline counts as inside


def is_inside(geometry: Geometry, points: Array) -> Mask:
    """Return which of the points (n, 2) are inside a geometry in the plane."""
    found: Mask = combine(
        geometry.inside,
        {name: _within(shape, points) for name, shape in geometry.shapes.items()},
        union=np.logical_or,
        difference=lambda a, b: a & ~b,
        intersection=np.logical_and,
    )
    return found


def _within(shape: Shape, points: Array) -> Mask:
    match shape:
        case Ball(center, radius):
            return np.asarray(np.linalg.norm(points - center, axis=1) <= radius * (1 + _EDGE))
        case Ellipse(center, radii, angle):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            scaled = (points - center) @ turn / radii
            return np.asarray(np.linalg.norm(scaled, axis=1) <= 1 + _EDGE)
        case Box(low, high):
            room = _EDGE * np.subtract(high, low)
            return np.all((points >= low - room) & (points <= high + room), axis=1)
        case Polygon(vertices):
            return Path(np.array(vertices)).contains_points(points, radius=0.0)


def filled(z: Array) -> Array:
    """Return values on a plane with each missing one replaced by the nearest that is known."""
    missing = ~np.isfinite(z)
    if missing.all() or not missing.any():
        return z
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(z[tuple(nearest)])


def cover_outside(plot: Axes, geometry: Geometry, x: Array, y: Array) -> None:
    """Cover what is outside a geometry in white, over the plane that x and y span."""
    across = np.linspace(x[0], x[-1], NUM_PIXELS)
    along = np.linspace(y[0], y[-1], NUM_PIXELS)
    places = np.stack([a.ravel() for a in np.meshgrid(across, along)], axis=1)
    outside = ~is_inside(geometry, places).reshape(NUM_PIXELS, NUM_PIXELS)
    if outside.any():
        from scipy.ndimage import gaussian_filter

        # between the pixels the outline is where as much is outside as inside
        share = gaussian_filter(outside.astype(np.float64), BLUR, mode="nearest")
        cover = plot.contourf(across, along, share, levels=[0.5, 1.5], colors=["white"])
        cover.set_edgecolor("#AAAAAA")
        cover.set_linewidth(0.8)
