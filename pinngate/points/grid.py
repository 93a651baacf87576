"""Regular grids of the domain, on which fields are judged, drawn and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pinngate.errors import InputError
from pinngate.geometry.region import Mask, Region
from pinngate.statement.axis_places import measure, spaced
from pinngate.statement.problem import Problem

GRID_POINTS = {1: 401, 2: 101, 3: 33, 4: 15}  # along each axis, by number of axes


@dataclass(frozen=True)
class Grid:
    """A regular grid: coordinates of each axis, and its points (n, axes) inside, in C order.

    `inside` has the grid's shape and n true entries. `kinds` says what its axes measure, `columns`
    names those of the points where they are more than the axes.
    """

    axes: dict[str, np.ndarray]
    points: np.ndarray
    inside: Mask
    kinds: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    @property
    def weights(self) -> np.ndarray | float:
        """Measure of the domain at the points, (n,), 1 of straight axes; see `coordinates`.

        A grid that is even on a logarithm is judged evenly on it.
        """
        columns = self.columns or tuple(self.axes)
        return measure(self.kinds, dict(zip(columns, self.points.T, strict=True)))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return values (n,) on the whole grid, NaN outside."""
        everywhere = np.full(self.inside.shape, np.nan)
        everywhere[self.inside] = values
        return everywhere

    def restricted(self, names: Sequence[str]) -> Grid:
        """Return the grid of some of the axes, the others held at their first coordinate."""
        axes = {a: c if a in names else c[:1] for a, c in self.axes.items()}
        others = tuple(k for k, a in enumerate(self.axes) if a not in names)
        inside: Mask = np.any(self.inside, axis=others, keepdims=True)
        mesh = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1)
        kinds = {a: kind for a, kind in self.kinds.items() if a in names}
        own, shape = {a: axes[a] for a in names}, np.squeeze(inside, others)
        return Grid(own, mesh[inside], shape, kinds, tuple(self.axes))


def evaluation_grid(problem: Problem, *, fraction: float = 1.0) -> Grid:
    """Return the grid a problem is judged on; `fraction` thins every axis.

    Raises:
        InputError: none of its points is inside the geometry.
    """
    count = max(3, round(GRID_POINTS[len(problem.domain)] * fraction))
    axes = {a: spaced(bounds, count) for a, bounds in problem.domain.items()}
    mesh = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1)
    inside = Region(problem).inside(mesh.reshape(-1, len(axes))).reshape(mesh.shape[:-1])
    if not inside.any():
        raise InputError(
            f"no point of a grid with {count} points along each axis is inside the geometry",
            expected="a domain that fits closely around the geometry",
        )
    return Grid(axes, mesh[inside], inside, problem.coordinates)
