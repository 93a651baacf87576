"""The points of a geometry: what is inside, and its boundary with outward normals.

Between a stated geometry and everything that places points: collocation, conditions, observations,
evaluation. DeepXDE gives the primitive shapes (Lu et al., arXiv 1907.04502). The set operations are
done here, from `inside` alone: a point of a shape's boundary is on the boundary of the set if
exactly one of the places just beside it is inside, and the outward normal points to the other.
DeepXDE's own set operations keep edges that two shapes share.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError
from pinngate.expression import evaluate
from pinngate.geometry.isolation import isolated
from pinngate.statement.problem import Problem
from pinngate.statement.shapes import (
    WHOLE,
    Ball,
    Box,
    Ellipse,
    Geometry,
    Polygon,
    Relation,
    Shape,
    combine,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NUM_BOUNDARY = 4096  # places on the boundary to draw conditions from; a side of 1 % has forty
NUM_PROBED = 4096  # points that tell whether a geometry is empty
NEARNESS = 1e-6  # of the bounding box: what is so near to a boundary may be on it


class Region:
    """The points of a problem's domain that are inside its geometry: all of them without one.

    Args:
        problem: states domain, geometry and constants.

    Raises:
        InputError: DeepXDE is not installed, or the geometry is empty.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.geometry = problem, problem.geometry
        self.columns = [problem.axes.index(axis) for axis in problem.space_axes]
        bounds = [problem.domain[axis] for axis in problem.space_axes]
        low, high = np.array(bounds).reshape(-1, 2).T
        # DeepXDE compares with absolute tolerances, so that shapes are handed over of size one
        self.origin, self.size = low, float(np.max(high - low, initial=0.0))
        self._solids: dict[str, Any] = {}
        self._outlines: dict[str, tuple[Array, Array]] = {}
        if self.geometry is not None:
            self._set = self.geometry.inside
            with isolated() as deepxde:
                for name, shape in self.geometry.shapes.items():
                    self._solids[name] = _solid(deepxde, shape, self.origin, self.size)
            unit = np.random.default_rng(0).random((NUM_PROBED, len(low)))
            if not self._within(unit * (high - low) / self.size).any():
                raise InputError(
                    "the geometry is empty: none of "
                    f"{NUM_PROBED:,} points spread over the domain is inside it",
                    expected="shapes, and a set of them, that fill some of the domain",
                )

    def inside(self, points: Array) -> Mask:
        """Return which of the points (n, axes) are inside or, but for rounding, on the boundary."""
        if self.geometry is None:
            return np.ones(len(points), dtype=bool)
        scaled = (points[:, self.columns] - self.origin) / self.size
        corners = list(product((-1, 1), repeat=len(self.columns)))
        around = scaled + NEARNESS * np.array([[0] * len(self.columns), *corners])[:, None]
        found = self._within(around.reshape(-1, len(self.columns)))
        return np.asarray(found.reshape(len(around), -1).any(axis=0))

    def _within(self, scaled: Array) -> Mask:
        with isolated():
            members = {name: solid.inside(scaled) for name, solid in self._solids.items()}
        found: Mask = combine(
            self._set,
            members,
            union=np.logical_or,
            difference=lambda a, b: a & ~b,
            intersection=np.logical_and,
        )
        return found

    def boundary(self, name: str = WHOLE) -> tuple[Array, Array]:
        """Return places on a part of the boundary and the outward unit normals there.

        Args:
            name: ``boundary``, a shape or a named part.

        Returns:
            Two arrays (m, space axes): random, uniform by length or area, ordered around each
            shape, and the same at every call. m is `NUM_BOUNDARY` or less.

        Raises:
            InputError: the part holds no point.
        """
        if self.geometry is None:
            raise InputError("the problem states no geometry, so that its boundary has no parts")
        self._draw_outlines(self.geometry)
        part = self.geometry.part(name)
        outlines = self._outlines.values() if part.of is None else [self._outlines[part.of]]
        places, normals = (np.concatenate(arrays) for arrays in zip(*outlines, strict=True))
        places = self.origin + self.size * places
        if part.where is not None:
            chosen = self._satisfies(part.where, places)
            places, normals = places[chosen], normals[chosen]
        if not len(places):
            raise InputError(
                f"no point of the boundary belongs to '{name}'",
                hint="a shape that does not reach the boundary, or 'where' that holds nowhere?",
            )
        return places, normals

    def _draw_outlines(self, geometry: Geometry) -> None:
        """Fill `_outlines`, once: the points that each shape gives to the boundary."""
        if self._outlines:
            return
        density = NUM_BOUNDARY / sum(_measure(shape) for shape in geometry.shapes.values())
        for seed, (own, shape) in enumerate(geometry.shapes.items()):
            count = math.ceil(density * _measure(shape))
            self._outlines[own] = self._outline(self._solids[own], count, seed)

    def _outline(self, solid: Any, count: int, seed: int) -> tuple[Array, Array]:
        """Return what one shape gives to the boundary, and the normals, in scaled coordinates."""
        with isolated(seed):
            x = np.asarray(solid.random_boundary_points(count), dtype=np.float64)
            n = np.asarray(solid.boundary_normal(x), dtype=np.float64)
        is_smooth = np.isclose(np.linalg.norm(n, axis=1), 1)
        x, n = x[is_smooth], n[is_smooth]
        order = np.argsort(np.arctan2(*(x - x.mean(axis=0)).T[:2]))
        x, n = x[order], n[order]
        outer, inner = self._within(x + NEARNESS * n), self._within(x - NEARNESS * n)
        is_edge = outer != inner
        return x[is_edge], np.where(outer, -1.0, 1.0)[is_edge, None] * n[is_edge]

    def _satisfies(self, relation: Relation, places: Array) -> Mask:
        axes = dict(zip(self.problem.space_axes, places.T, strict=True))
        difference = np.broadcast_to(
            evaluate(relation.left, self.problem.constants | axes, np)
            - evaluate(relation.right, self.problem.constants | axes, np),
            len(places),
        )
        if relation.operator == "=":
            return np.asarray(np.abs(difference) <= NEARNESS * self.size)
        return np.asarray(difference < 0 if relation.operator == "<" else difference > 0)


def _solid(deepxde: Any, shape: Shape, origin: Array, size: float) -> Any:
    """Return a shape as DeepXDE has it, in scaled coordinates."""

    def scaled(point: Any) -> Array:
        return np.asarray((np.array(point) - origin) / size)

    match shape:
        case Ball(center, radius):
            kind = deepxde.Disk if len(center) == 2 else deepxde.Sphere
            return kind(scaled(center), radius / size)
        case Ellipse(center, (a, b), angle):
            turned = angle if a >= b else angle + math.pi / 2  # the longer semi-axis comes first
            solid = deepxde.Ellipse(scaled(center), max(a, b) / size, min(a, b) / size, -turned)
            solid.boundary_normal = partial(_focal_normal, solid)  # which DeepXDE has not
            return solid
        case Box(low, high):
            kind = deepxde.Rectangle if len(low) == 2 else deepxde.Cuboid
            return kind(scaled(low), scaled(high))
        case Polygon(vertices):
            corners = scaled(vertices)
            # one more vertex along a side: DeepXDE refuses triangles and rectangles as polygons
            solid = deepxde.Polygon(np.insert(corners, 1, corners[:2].mean(axis=0), axis=0))
            solid.boundary_normal = partial(_side_normal, solid)  # DeepXDE's is a Python loop
            return solid


def _focal_normal(ellipse: Any, points: Array) -> Array:
    """Return the normals of an ellipse: gradients of the sum of distances from its foci."""
    rays = [points - ellipse.focus1, points - ellipse.focus2]
    total = sum(ray / np.linalg.norm(ray, axis=1, keepdims=True) for ray in rays)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True))


def _side_normal(polygon: Any, points: Array) -> Array:
    """Return the normals of the sides of a polygon that are nearest to the points."""
    sides = polygon.segments
    rays = points[:, None] - (polygon.vertices - sides)  # from the start of each side
    along = np.clip(np.sum(rays * sides, axis=2) / np.sum(sides**2, axis=1), 0, 1)
    distances = np.linalg.norm(rays - along[..., None] * sides, axis=2)
    return np.asarray(polygon.normal[distances.argmin(axis=1)])


def _measure(shape: Shape) -> float:
    """Return the length of a shape's boundary, or its area in three dimensions."""
    match shape:
        case Ball(center, radius):
            return 2 * math.pi * radius if len(center) == 2 else 4 * math.pi * radius**2
        case Ellipse(_, (a, b), _):
            h = ((a - b) / (a + b)) ** 2  # Ramanujan's second formula, exact to 5e-4 at worst
            return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
        case Box(low, high):
            sides = np.subtract(high, low)
            return float(2 * np.sum(np.prod(sides) / sides))
        case Polygon(vertices):
            return sum(math.dist(a, b) for a, b in pairwise([*vertices, vertices[0]]))
