"""What a problem states of its geometry: shapes, the set they form and named boundary parts.

Plain data below `problem`; `region` turns it into points. A set of points is an expression in the
names of shapes with + (union), - (difference) and * (intersection), as in constructive solid
geometry (Requicha, ACM Computing Surveys 12, 1980).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pinngate.expression import Binary, Expression, Name

T = TypeVar("T")
Point = tuple[float, ...]
Bounds = list[tuple[float, float]]  # (low, high) along each space axis

WHOLE = "boundary"  # the name of the whole boundary


@dataclass(frozen=True)
class Ball:
    """A disk or a sphere."""

    center: Point
    radius: float

    def bounds(self) -> Bounds:
        """Return the smallest box around it."""
        return [(c - self.radius, c + self.radius) for c in self.center]


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with semi-axes `radii`, the first turned anticlockwise by `angle` from x."""

    center: Point
    radii: tuple[float, float]
    angle: float = 0.0

    def bounds(self) -> Bounds:
        """Return the smallest box around it."""
        (a, b), cos, sin = self.radii, math.cos(self.angle), math.sin(self.angle)
        reach = math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)
        return [(c - r, c + r) for c, r in zip(self.center, reach, strict=True)]


@dataclass(frozen=True)
class Box:
    """A rectangle or a cuboid along the axes."""

    low: Point
    high: Point

    def bounds(self) -> Bounds:
        """Return the box itself."""
        return list(zip(self.low, self.high, strict=True))


@dataclass(frozen=True)
class Polygon:
    """A simple polygon by its vertices, in either direction."""

    vertices: tuple[Point, ...]

    def bounds(self) -> Bounds:
        """Return the smallest box around it."""
        return [(min(values), max(values)) for values in zip(*self.vertices, strict=True)]


Shape = Ball | Ellipse | Box | Polygon


@dataclass(frozen=True)
class Relation:
    """``left relation right`` with one of < > =, formulas of the space axes."""

    left: Expression
    operator: str
    right: Expression


@dataclass(frozen=True)
class Part:
    """A part of the boundary: of one shape (None: of all), where a relation holds (None: all)."""

    of: str | None = None
    where: Relation | None = None


@dataclass(frozen=True)
class Geometry:
    """Shapes by name, the set `inside` of them and further named boundary parts.

    The whole boundary is called ``boundary``; what each shape gives to it has the shape's name.
    """

    shapes: dict[str, Shape]
    inside: Expression
    parts: dict[str, Part] = field(default_factory=dict)

    def part(self, name: str) -> Part:
        """Return a part of the boundary by its name."""
        return self.parts.get(name) or Part(of=None if name == WHOLE else name)

    def part_names(self) -> list[str]:
        """Return the names that a condition may use."""
        return [WHOLE, *self.shapes, *self.parts]

    def bounds(self) -> Bounds:
        """Return a box around the set; low > high says that the set is empty.

        The box of a difference is that of its first shape.
        """

        def union(a: Bounds, b: Bounds) -> Bounds:
            return [(min(p, r), max(q, s)) for (p, q), (r, s) in zip(a, b, strict=True)]

        def intersection(a: Bounds, b: Bounds) -> Bounds:
            return [(max(p, r), min(q, s)) for (p, q), (r, s) in zip(a, b, strict=True)]

        return combine(
            self.inside,
            {name: shape.bounds() for name, shape in self.shapes.items()},
            union=union,
            difference=lambda a, b: a,
            intersection=intersection,
        )


def combine(
    inside: Expression,
    of_shapes: Mapping[str, T],
    *,
    union: Callable[[T, T], T],
    difference: Callable[[T, T], T],
    intersection: Callable[[T, T], T],
) -> T:
    """Evaluate a set of shapes, given a value for each shape and the three operations."""
    operations = {"+": union, "-": difference, "*": intersection}

    def value(node: Expression) -> T:
        match node:
            case Name():
                return of_shapes[node.id]
            case Binary(operator, left, right):
                return operations[operator](value(left), value(right))
        raise AssertionError(node)

    return value(inside)
