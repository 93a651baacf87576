"""Planes and lines through a gridded field of up to four axes, and the observations near them.

Part of the report: a field of several axes is shown by its cuts. `fields` draws what is chosen
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.notation import mathtext, significant

_MAX_POINTS = 1000  # more observations than that hide the field beneath them
_NUM_PANELS = 4
FRAMES = 24  # pictures of a film at most
FEW_PLACES = 12  # of sensors along an axis
NODAL = 0.05  # of the largest mean square: the middle tells little of the field
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """A plane or line through the grid: the axes that vary and the grid index of the others."""

    free: tuple[str, ...]
    fixed: dict[str, int]
    title: str = ""

    def of(self, values: Array, axes: tuple[str, ...]) -> Array:
        """Return the values on the cut, indexed in the order of `free`."""
        at = tuple(self.fixed.get(axis, slice(None)) for axis in axes)
        remaining = [axis for axis in axes if axis not in self.fixed]
        return values[at].transpose([remaining.index(axis) for axis in self.free])


def plane_rows(archive: RunArchive) -> list[list[Cut]]:
    """Choose the planes to show: rows of panels."""
    space, grids = archive.problem.space_axes, archive.solution
    times: list[dict[str, int]] = [{}]
    if archive.problem.has_time and len(space) > 1:
        count = _NUM_PANELS if len(space) == 2 else 3
        times = [{"t": i} for i in stations(grids["t"], None, count)]
    match space:
        case (x,):
            return [[Cut(("t", x), {})]]
        case (x, y):
            return [[Cut((x, y), at, title_of(archive, at)) for at in times]]
    return [_mid_planes(archive, at) for at in times]


def _mid_planes(archive: RunArchive, time: dict[str, int]) -> list[Cut]:
    """Return the three planes through the middle of a volume at a time."""
    x, y, z = archive.problem.space_axes
    cuts = []
    for free, normal in (((x, y), z), ((x, z), y), ((y, z), x)):
        at = {normal: archive.solution[normal].size // 2} | time
        cuts.append(Cut(free, at, title_of(archive, at)))
    return cuts


def stations(grid: Array, observed: NDArray[Any] | None, count: int) -> list[int]:
    """Choose up to `count` indices of a grid: evenly spaced, moved to where data are few places."""
    chosen = np.unique(np.linspace(0, grid.size - 1, min(count, grid.size)).round().astype(int))
    places = np.unique(observed) if observed is not None else np.array([])
    for place in places if places.size <= 3 else ():
        at = int(np.abs(grid - place).argmin())
        chosen[int(np.abs(chosen - at).argmin())] = at
    return [int(i) for i in np.unique(chosen)]


def film_times(archive: RunArchive) -> list[int]:
    """Return the grid indices of the times that a film shows, the first and the last among them."""
    return stations(archive.solution["t"], None, FRAMES)


def held_at(archive: RunArchive, unknown: str, axis: str) -> int:
    """Return the grid index at which a slice holds an axis: at a sensor or inside, never an end.

    Where the data are at a few places, the one nearest to the middle. Where the middle is next to
    a nodal plane, as of many standing waves, the place inside where the field is largest.
    """
    grid = archive.solution[axis]
    middle, points = grid.size // 2, points_of(archive, unknown)
    places = np.unique(points[axis]) if points else np.zeros(0)
    if 0 < places.size <= FEW_PLACES:
        place = places[np.abs(places - grid[middle]).argmin()]
        at = int(np.abs(grid - place).argmin())
        if 0 < at < grid.size - 1:
            return at
    u = np.nan_to_num(archive.solution[unknown])
    others = tuple(i for i, name in enumerate(archive.problem.axes) if name != axis)
    inside = np.mean(u**2, axis=others)[1:-1]
    if not inside.size or inside[middle - 1] > NODAL * inside.max():
        return middle
    return 1 + int(np.argmax(inside))


def title_of(archive: RunArchive, fixed: dict[str, int]) -> str:
    """Return where a cut lies, ``y = 0.5, t = 1``, as mathtext."""
    places = ((axis, float(archive.solution[axis][index])) for axis, index in fixed.items())
    return ", ".join(f"{mathtext(axis)} = {significant(place)}" for axis, place in places)


def panel_height(archive: RunArchive, cut: Cut, width: float) -> float:
    """Return the height in inches of a panel `width` wide, to scale where the axes are lengths."""
    scale = aspect(archive, cut)
    return float(np.clip(width * scale, 1.0, 3.6)) if scale else min(0.9 * width + 0.3, 3.0)


def aspect(archive: RunArchive, cut: Cut) -> float | None:
    """Return height over width of a plane in space; None where it is no use to draw to scale."""
    if "t" in cut.free:
        return None
    width, height = (float(np.ptp(archive.solution[axis])) for axis in cut.free)
    return height / width if 3 * width > height > width / 3 else None


def points_of(archive: RunArchive, unknown: str) -> dict[str, Array]:
    """Return the observations of one field, thinned at random where they are very many."""
    if not archive.observations:
        return {}
    rows = np.flatnonzero(archive.observations["of"].astype(str) == unknown)
    if rows.size > _MAX_POINTS:
        rows = np.random.default_rng(0).choice(rows, _MAX_POINTS, replace=False)
    columns = (*archive.problem.axes, "value")
    return {name: archive.observations[name][rows] for name in columns} if rows.size else {}


def points_near_line(
    archive: RunArchive, points: dict[str, Array], cut: Cut, window: float
) -> dict[str, Array]:
    """Return the observations within a fraction of the domain from a cut."""
    if not points:
        return {}
    is_near = np.ones(points["value"].shape, dtype=bool)
    for axis, index in cut.fixed.items():
        grid = archive.solution[axis]
        is_near &= np.abs(points[axis] - grid[index]) <= (window + 1e-9) * np.ptp(grid)
    return {name: v[is_near] for name, v in points.items()} if is_near.any() else {}


def points_on_plane(
    archive: RunArchive, points: dict[str, Array], cut: Cut, cuts: list[Cut]
) -> dict[str, Array]:
    """Return the observations to draw on a plane: those nearest to it among its row in time."""
    if not points or len(archive.problem.space_axes) > 2:
        return {}  # points of a volume do not lie on its mid-planes
    if "t" not in cut.fixed:
        return points
    times = archive.solution["t"][[c.fixed["t"] for c in cuts]]
    nearest = np.abs(points["t"][:, None] - times).argmin(axis=1)
    is_near = nearest == [c.fixed["t"] for c in cuts].index(cut.fixed["t"])
    return {name: v[is_near] for name, v in points.items()} if is_near.any() else {}
