"""Rectangular elements between lines: nodes, shape functions, quadrature, and the sides of the box.

On one or two axes. A function is linear in every axis on every element; integrals are taken at two
Gauss points along each axis, which are inside of elements, never on the lines where coefficients
jump. Source: G. Strang, G. Fix, An Analysis of the Finite Element Method (1973), chapter 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Elements:
    """Elements of the box, or of one of its sides.

    Attributes:
        nodes: numbers of the corners, (E, c).
        shapes: of every corner at the quadrature points, (Q, c).
        slopes: their derivative along each axis, (axes, E, Q, c).
        weights: of the quadrature, (E, Q).
        points: where it is taken, (E, Q, axes).
        owners: the element of the box that each is, or is a side of, (E,).
    """

    nodes: Indices
    shapes: Array
    slopes: Array
    weights: Array
    points: Array
    owners: Indices


class ElementGrid:
    """Lines along each axis and the elements between them.

    Args:
        lines: increasing, from end to end of each axis.
    """

    def __init__(self, lines: Sequence[Array]) -> None:
        self.lines = tuple(lines)
        self.shape = tuple(len(own) for own in self.lines)
        self.corners = np.array(list(itertools.product((0, 1), repeat=len(self.lines))))
        cells = np.stack(
            [
                m.ravel()
                for m in np.meshgrid(*(np.arange(n - 1) for n in self.shape), indexing="ij")
            ],
            1,
        )
        self.cells = cells
        unit = (1 + np.polynomial.legendre.leggauss(2)[0]) / 2
        places = np.array(list(itertools.product(unit, repeat=len(self.lines))))
        self.inside = self._elements(cells, places, np.arange(len(cells)))

    @property
    def size(self) -> int:
        """Number of nodes."""
        return math.prod(self.shape)

    @cached_property
    def points(self) -> Array:
        """The nodes, (N, axes)."""
        return np.stack([m.ravel() for m in np.meshgrid(*self.lines, indexing="ij")], 1)

    def side(self, axis: int, end: int) -> Elements:
        """Return the elements on one side, as those whose quadrature is on it."""
        unit = (1 + np.polynomial.legendre.leggauss(2)[0]) / 2
        along = [(float(end),) if k == axis else unit for k in range(len(self.lines))]
        places = np.array(list(itertools.product(*along)))
        last = self.shape[axis] - 2
        chosen = np.flatnonzero(self.cells[:, axis] == end * last)
        found = self._elements(self.cells[chosen], places, chosen)
        length = np.diff(self.lines[axis])[end * last]
        return Elements(
            found.nodes, found.shapes, found.slopes, found.weights / length, found.points, chosen
        )

    def nodes_on(self, axis: int, end: int) -> Indices:
        """Return the numbers of the nodes on one side."""
        index = np.indices(self.shape).reshape(len(self.shape), -1)
        return np.flatnonzero(index[axis] == end * (self.shape[axis] - 1))

    def _elements(self, cells: Indices, places: Array, owners: Indices) -> Elements:
        low, size = self._boxes(cells)
        shapes, unit_slopes = self._shapes(places)
        slopes = unit_slopes[:, None] / size.T[:, :, None, None]
        weights = np.repeat(size.prod(1)[:, None] / len(places), len(places), 1)
        points = low[:, None, :] + size[:, None, :] * places
        return Elements(self._numbers(cells), shapes, slopes, weights, points, owners)

    def _boxes(self, cells: Indices) -> tuple[Array, Array]:
        """Return low corners and sizes of cells, (E, axes) each."""
        low = np.stack([own[cells[:, k]] for k, own in enumerate(self.lines)], 1)
        size = np.stack([np.diff(own)[cells[:, k]] for k, own in enumerate(self.lines)], 1)
        return low, size

    def _numbers(self, cells: Indices) -> Indices:
        corners = cells[:, None, :] + self.corners
        return np.ravel_multi_index(tuple(np.moveaxis(corners, 2, 0)), self.shape)

    def _shapes(self, places: Array) -> tuple[Array, Array]:
        """Return shape functions at places (…, axes) of the unit cell, (…, c), and slopes."""
        factor = np.where(self.corners == 1, places[..., None, :], 1 - places[..., None, :])
        slopes = []
        for k in range(len(self.lines)):
            own = factor.copy()
            own[..., k] = np.where(self.corners[:, k] == 1, 1.0, -1.0)
            slopes.append(own.prod(-1))
        return factor.prod(-1), np.stack(slopes)

    def cells_at(self, points: Array) -> Indices:
        """Return the cell of points (n, axes), (n, axes)."""
        along = [
            np.clip(np.searchsorted(own, points[:, k], "right") - 1, 0, len(own) - 2)
            for k, own in enumerate(self.lines)
        ]
        return np.stack(along, 1)

    def sampler(self, points: Array, axis: int | None = None) -> scipy.sparse.csr_array:
        """Return what takes nodal values to values at points, or to a derivative: (n, N)."""
        cells = self.cells_at(points)
        low, size = self._boxes(cells)
        shapes, slopes = self._shapes((points - low) / size)
        weights = shapes if axis is None else slopes[axis] / size[:, axis, None]
        starts = np.arange(len(points) + 1) * weights.shape[1]
        columns = self._numbers(cells).ravel()
        shape = (len(points), self.size)
        return scipy.sparse.csr_array((weights.ravel(), columns, starts), shape=shape)


__all__ = ["ElementGrid", "Elements"]
