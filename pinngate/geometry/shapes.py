"""What a problem states of its geometry: shapes, the set they form and named boundary parts.

Plain data below `problem`; `region` turns it into points. A set of points is an expression in the
names of shapes with + (union), - (difference) and * (intersection), as in constructive solid
geometry (Requicha, ACM Computing Surveys 12, 1980).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Binary, Expression, Name

Array = NDArray[np.float64]
Point = tuple[float, ...]

WHOLE = "boundary"  # the name of the whole boundary


@dataclass(frozen=True)
class Ball:
    """A disk or a sphere."""

    center: Point
    radius: float

    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest coordinates."""
        return np.array(self.center) - self.radius, np.array(self.center) + self.radius


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with semi-axes `radii`, the first turned anticlockwise by `angle` from x."""

    center: Point
    radii: tuple[float, float]
    angle: float = 0.0

    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest coordinates."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        half = np.hypot(*(np.array([[cos, sin], [-sin, cos]]) * np.array(self.radii)[:, None]))
        return np.array(self.center) - half, np.array(self.center) + half


@dataclass(frozen=True)
class Box:
    """A rectangle or a cuboid along the axes."""

    low: Point
    high: Point

    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest coordinates."""
        return np.array(self.low), np.array(self.high)


@dataclass(frozen=True)
class Polygon:
    """A simple polygon by its vertices, in either direction."""

    vertices: tuple[Point, ...]

    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest coordinates."""
        vertices = np.array(self.vertices)
        return vertices.min(axis=0), vertices.max(axis=0)


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

    The boundary as a whole is called ``boundary``; what each shape gives to it has the shape's name.
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

    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest coordinates of a box around the set.

        The box of a difference is that of its first shape; low > high says that the set is empty.
        """
        boxes = {name: shape.bounds() for name, shape in self.shapes.items()}
        return combine(
            self.inside,
            boxes,
            union=lambda a, b: (np.minimum(a[0], b[0]), np.maximum(a[1], b[1])),
            difference=lambda a, b: a,
            intersection=lambda a, b: (np.maximum(a[0], b[0]), np.minimum(a[1], b[1])),
        )


def combine(
    inside: Expression,
    of_shapes: Mapping[str, Any],
    *,
    union: Callable[[Any, Any], Any],
    difference: Callable[[Any, Any], Any],
    intersection: Callable[[Any, Any], Any],
) -> Any:
    """Evaluate a set of shapes, given a value for each shape and the three operations."""
    operations = {"+": union, "-": difference, "*": intersection}

    def value(node: Expression) -> Any:
        match node:
            case Name():
                return of_shapes[node.id]
            case Binary(operator, left, right):
                return operations[operator](value(left), value(right))
        raise AssertionError(node)

    return value(inside)
