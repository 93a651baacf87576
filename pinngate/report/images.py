"""Planes of a field as images: one row of panels with common colours and one colour bar.

Part of the report. `cuts` chooses the planes, `fields` the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pinngate.report.archive import RunArchive
from pinngate.report.cuts import Array, Cut, aspect, points_of, points_on_plane
from pinngate.report.notation import with_unit
from pinngate.report.outline import cover_outside, filled
from pinngate.report.style import FONT, GREY, INK, field_colours, label, scale

SEEN = 0.99  # of the places that the colours of a size tell apart; those beyond are the last one
MANY = 400  # observations beyond that are dots without the colour of their value
Colours = tuple[str, Normalize]


@dataclass(frozen=True)
class Image:
    """What a row of planes shows.

    Attributes:
        name: of the colour bar.
        values: on the grid of the run.
        observed: field whose observations are drawn above; empty for none.
        is_size: whether the colours count from zero, as for errors and standard deviations.
    """

    name: str
    values: Array
    observed: str = ""
    is_size: bool = False

    def colours(self, planes: Sequence[Array]) -> Colours:
        """Return colour map and limits: of the whole field, or of what is seen of a size."""
        return _from_zero(planes) if self.is_size else field_colours(self.values)


def draw_row(
    figure: Figure, plots: Any, archive: RunArchive, cuts: list[Cut], image: Image
) -> None:
    """Draw the planes `cuts` of an image in `plots`, axes of one each, with one colour bar."""
    planes = [cut.of(image.values, archive.problem.axes) for cut in cuts]
    colours = image.colours(planes)
    points = points_of(archive, image.observed) if image.observed else {}
    mesh: Any = None
    for index, (plot, cut, plane) in enumerate(zip(plots, cuts, planes, strict=True)):
        mesh = _draw_plane(plot, archive, cut, plane.T, colours)
        near = points_on_plane(archive, points, cut, cuts)
        if near:
            _scatter(plot, near, cut, colours)
        is_left = index == 0 or cuts[index - 1].free != cut.free
        axis_names(plot, archive, cut, is_left)
    beyond = image.is_size and any(np.nanmax(p, initial=0.0) > mesh.norm.vmax for p in planes)
    extend: Any = "max" if beyond else "neither"
    bar = figure.colorbar(mesh, ax=list(plots), pad=0.02, aspect=22, extend=extend)
    bar.set_label(image.name, fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT - 1, color=GREY)
    bar.outline.set_visible(False)


def _draw_plane(plot: Axes, archive: RunArchive, cut: Cut, plane: Array, colours: Colours) -> Any:
    """Draw the values (vertical, horizontal) on one plane; return the mesh."""
    x, y = (archive.solution[axis] for axis in cut.free)
    is_plane = len(archive.problem.space_axes) == 2
    geometry = archive.problem.geometry if is_plane else None
    if geometry is not None:
        plane = filled(plane)
    mesh = _draw_values(plot, x, y, plane, colours)
    if geometry is not None:
        cover_outside(plot, geometry, x, y)
    plot.set_xlim(x[0], x[-1])
    plot.set_ylim(y[0], y[-1])
    return mesh


def _draw_values(plot: Axes, x: Array, y: Array, plane: Array, colours: Colours) -> Any:
    """Draw values (y, x) at grid points: as an image where these are even, else as a mesh."""
    cmap, limits = colours
    if all(is_even(grid) for grid in (x, y)):
        return plot.imshow(
            plane, cmap=cmap, norm=limits, extent=cells(x, y), origin="lower", aspect="auto",
            interpolation="bilinear" if np.isfinite(plane).all() else "nearest",
        )  # fmt: skip
    shading: Any = "gouraud" if np.isfinite(plane).all() else "nearest"
    return plot.pcolormesh(x, y, plane, cmap=cmap, norm=limits, shading=shading, rasterized=True)


def is_even(grid: Array) -> bool:
    """Whether the points of a grid are one distance apart."""
    return grid.size > 1 and bool(np.allclose(np.diff(grid), np.ptp(grid) / (grid.size - 1)))


def cells(x: Array, y: Array) -> tuple[float, float, float, float]:
    """Return the ends (left, right, bottom, top) of cells about the points of even grids."""
    across, up = (0.5 * np.ptp(grid) / (grid.size - 1) for grid in (x, y))
    return (
        float(x[0] - across), float(x[-1] + across), float(y[0] - up), float(y[-1] + up),
    )  # fmt: skip


def _scatter(plot: Axes, near: dict[str, Array], cut: Cut, colours: Colours) -> None:
    """Draw observations: few with the colour of their value, many as dots."""
    x, y = (near[axis] for axis in cut.free)
    value, (cmap, limits) = near["value"], colours
    look: dict[str, Any] = {"c": value, "cmap": cmap, "norm": limits, "s": 11, "edgecolors": INK}
    if value.size > MANY:
        look = {"c": INK, "s": 2, "edgecolors": "none"}
    plot.scatter(x, y, linewidths=0.4, clip_on=False, zorder=4, **look)


def axis_names(plot: Axes, archive: RunArchive, cut: Cut, is_left: bool = True) -> None:
    """Label the axes of a plane, and draw it to scale where both are lengths."""
    units = archive.problem.units
    horizontal, vertical = (with_unit(axis, units) for axis in cut.free)
    label(plot, horizontal, vertical if is_left else "", cut.title)
    x, y = (archive.problem.domain[axis] for axis in cut.free)
    scale(plot, x, y)
    if not is_left:
        plot.tick_params(labelleft=False)
    if aspect(archive, cut):
        plot.set_aspect("equal")


def _from_zero(planes: Sequence[Array]) -> Colours:
    finite = np.concatenate([plane[np.isfinite(plane)] for plane in planes])
    # a corner where nothing is known would leave the rest one colour
    top = float(np.quantile(finite, SEEN)) if finite.size else 0.0
    return "cividis", Normalize(0.0, top or 1.0)
