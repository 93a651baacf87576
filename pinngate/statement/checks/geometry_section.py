"""The `geometry` of a problem file: shapes, the set they form and named parts of its boundary.

Part of `building`. Everything is checked here that needs no sampling; that a set or a part is not
empty shows when points are drawn.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from pinngate.errors import InputError, Span, nearest
from pinngate.expression import Binary, Expression, Name, names
from pinngate.statement.checks.schema import (
    BallSection,
    EllipseSection,
    GeometrySection,
    PartSection,
    ShapeSection,
)
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.shapes import (
    WHOLE,
    Ball,
    Box,
    Ellipse,
    Geometry,
    Part,
    Point,
    Polygon,
    Relation,
    Shape,
)

_PLANAR = {"disk", "ellipse", "rectangle", "polygon"}
_WORDS = {2: "disk, ellipse, rectangle, polygon", 3: "sphere, cuboid"}


def build_geometry(scope: Scope, section: GeometrySection | None) -> Geometry | None:
    """Read the geometry; its names are declared in the scope.

    Raises:
        InputError: a shape is none, reaches outside the domain or is not used; a name is unknown;
            a part states nothing.
    """
    if section is None:
        return None
    reader = _Reader(scope)
    if len(reader.space) < 2:
        raise InputError(
            "a geometry needs two or three space axes",
            span=scope.source.key(("geometry",)),
            expected=f"the domain has {len(reader.space)}: {', '.join(reader.space)}",
        )
    for axis in reader.space:
        scope.declare(f"n_{axis}", "a component of the normal of the geometry", ("geometry",))
    shapes = {}
    for name, stated in section.shapes.items():
        reader.declare(name, "a shape", ("geometry", "shapes", name))
        shapes[name] = reader.shape(stated, ("geometry", "shapes", name))
    inside = reader.inside(section.inside, shapes)
    parts = {name: reader.part(name, part, shapes) for name, part in section.boundaries.items()}
    geometry = Geometry(shapes, inside, parts)
    reader.fits(geometry)
    return geometry


class _Reader:
    """Reads the pieces of one geometry."""

    def __init__(self, scope: Scope) -> None:
        self.scope, self.source = scope, scope.source
        self.space = [axis for axis in scope.axes if axis != "t"]

    def declare(self, name: str, kind: str, place: Place) -> None:
        if name == WHOLE:
            raise InputError(
                f"'{name}' cannot name {kind}: it is the whole boundary",
                span=self.source.key(place),
                expected="a name that nothing else has",
            )
        self.scope.declare(name, kind, place)

    def unknown(self, name: str, shapes: dict[str, Shape], span: Span) -> InputError:
        return InputError(
            f"unknown shape '{name}'",
            span=span,
            expected=f"the shapes are {', '.join(shapes)}",
            hint=nearest(name, shapes),
        )

    def shape(self, section: ShapeSection, place: Place) -> Shape:
        """Read one shape."""
        stated = [key for key in ShapeSection.model_fields if getattr(section, key) is not None]
        if len(stated) != 1:
            raise InputError(
                f"a shape is one thing, and this one is {' and '.join(stated) or 'none'}",
                span=self.source.key(place),
                expected=f"exactly one of {', '.join(ShapeSection.model_fields)}",
            )
        (kind,) = stated
        place = (*place, kind)
        if (kind in _PLANAR) != (len(self.space) == 2):
            raise InputError(
                f"a {kind} is no shape in {len(self.space)} dimensions",
                span=self.source.key(place),
                expected=f"{_WORDS[len(self.space)]}: the space axes are {', '.join(self.space)}",
            )
        return self._shape(getattr(section, kind), place)

    def _shape(self, section: Any, place: Place) -> Shape:
        if isinstance(section, BallSection):
            center = self.point(section.center, (*place, "center"))
            return Ball(center, self.length(section.radius, (*place, "radius")))
        if isinstance(section, EllipseSection):
            center = self.point(section.center, (*place, "center"))
            a, b = (self.length(r, (*place, "radii", i)) for i, r in enumerate(section.radii))
            angle = self.scope.number(section.angle, (*place, "angle"), "'angle'")
            return Ellipse(center, (a, b), angle)
        if isinstance(section, dict):
            return self.box(section, place)
        vertices = [self.point(v, (*place, i)) for i, v in enumerate(section)]
        return Polygon(self.simple(vertices, place))

    def point(self, values: list[float | str], place: Place) -> Point:
        if len(values) != len(self.space):
            raise InputError(
                f"a point with {len(values)} coordinates",
                span=self.source.span(place),
                expected=f"{len(self.space)}, one for each of {', '.join(self.space)}",
            )
        return tuple(
            self.scope.number(v, (*place, i), "a coordinate") for i, v in enumerate(values)
        )

    def length(self, value: float | str, place: Place) -> float:
        number = self.scope.number(value, place, f"'{place[-1]}'")
        if number <= 0:
            raise InputError(
                f"a length of {number:g}", span=self.source.span(place), expected="more than 0"
            )
        return number

    def box(self, sides: dict[str, list[float | str]], place: Place) -> Box:
        if set(sides) != set(self.space):
            raise InputError(
                f"a {place[-1]} with sides along {', '.join(sides) or 'no axis'}",
                span=self.source.key(place),
                expected=f"[low, high] for each of {', '.join(self.space)}",
            )
        bounds = {}
        for axis, pair in sides.items():
            low, high = (
                self.scope.number(v, (*place, axis, i), "a bound") for i, v in enumerate(pair)
            )
            if not low < high:
                raise InputError(
                    f"the lower bound of {axis}, {low:g}, is not below the upper, {high:g}",
                    span=self.source.span((*place, axis)),
                    expected="[low, high] with low < high",
                )
            bounds[axis] = (low, high)
        ends = [bounds[axis] for axis in self.space]
        return Box(tuple(low for low, _ in ends), tuple(high for _, high in ends))

    def simple(self, vertices: list[Point], place: Place) -> tuple[Point, ...]:
        """Refuse a polygon whose sides cross or touch elsewhere than at their common vertex."""
        sides = list(pairwise([*vertices, vertices[0]]))
        for i, a in enumerate(sides):
            for j in range(i + 1, len(sides)):
                is_next = j == i + 1 or (i == 0 and j == len(sides) - 1)
                if a[0] == a[1] or (not is_next and _meet(a, sides[j])):
                    raise InputError(
                        "the sides of the polygon cross or touch",
                        span=self.source.span((*place, i)),
                        expected="vertices in order around it, each once",
                    )
        return tuple(vertices)

    def inside(self, text: str | None, shapes: dict[str, Shape]) -> Expression:
        """Read the set of points."""
        place: Place = ("geometry", "inside")
        if text is None and len(shapes) > 1:
            raise InputError(
                "the geometry has several shapes and no 'inside'",
                span=self.source.key(("geometry",)),
                expected=f"inside: {' + '.join(shapes)}, or another set of them",
            )
        if text is None:
            return Name(next(iter(shapes)))
        inside = self.scope.formula(text, place)
        for name, offset in names(inside).items():
            if name not in shapes:
                raise self.unknown(name, shapes, self.source.within(place, offset, len(name)))
        if not _is_set(inside):
            raise InputError(
                f"'{text}' is not a set of shapes",
                span=self.source.span(place),
                expected="names of shapes with + (union), - (difference), * (intersection)",
            )
        for name in shapes:
            if name not in names(inside):
                raise InputError(
                    f"'inside' does not use the shape '{name}'",
                    span=self.source.key(("geometry", "shapes", name)),
                    expected="each shape in 'inside'",
                )
        return inside

    def part(self, name: str, stated: PartSection, shapes: dict[str, Shape]) -> Part:
        """Read one named part of the boundary."""
        place: Place = ("geometry", "boundaries", name)
        self.declare(name, "a boundary part", place)
        if stated.of is None and stated.where is None:
            raise InputError(
                f"the boundary part '{name}' states neither 'of' nor 'where'",
                span=self.source.key(place),
                expected="{of: a shape}, {where: x = 0}, or both",
            )
        if stated.of is not None and stated.of not in shapes:
            raise self.unknown(stated.of, shapes, self.source.span((*place, "of")))
        where = None if stated.where is None else self.relation(stated.where, (*place, "where"))
        return Part(stated.of, where)

    def relation(self, text: str, place: Place) -> Relation:
        """Read two formulas and what holds between them."""
        match = re.fullmatch(r"([^<=>]+)([<=>])([^<=>]+)", text, re.DOTALL)
        if match is None:
            raise InputError(
                f"'{text}' is not a relation",
                span=self.source.span(place),
                expected="two formulas with =, < or > between them, such as x = 0",
            )
        left, operator, right = match.groups()
        sides = []
        for side in (left, " " * match.end(2) + right):  # offsets count from the start of the text
            formula = self.scope.formula(side, place)
            known = [*self.space, *self.scope.constants]
            self.scope.check_names(formula, place, "'where'", known, "the names here")
            sides.append(formula)
        return Relation(sides[0], operator, sides[1])

    def fits(self, geometry: Geometry) -> None:
        """Refuse a geometry that is empty at first sight or reaches outside the domain."""
        span = self.source.key(("geometry", "inside" if self.has_inside() else "shapes"))
        for axis, (low, high) in zip(self.space, geometry.bounds(), strict=True):
            least, most = self.scope.domain[axis]
            slack = 1e-9 * (most - least)
            if low > high:
                raise InputError("the geometry is empty", span=span, expected="shapes that meet")
            if low < least - slack or high > most + slack:
                raise InputError(
                    f"the geometry reaches from {axis} = {low:g} to {high:g}, outside the domain",
                    span=span,
                    expected=f"a domain around it; {axis} goes from {least:g} to {most:g}",
                )

    def has_inside(self) -> bool:
        return ("geometry", "inside") in self.source.keys


def _is_set(node: Expression) -> bool:
    match node:
        case Name():
            return True
        case Binary("+" | "-" | "*", left, right):
            return _is_set(left) and _is_set(right)
    return False


def _meet(a: tuple[Point, Point], b: tuple[Point, Point]) -> bool:
    """Return whether two segments have a point in common."""

    def turn(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    def between(p: Point, q: Point, r: Point) -> bool:
        return all(min(u, v) <= w <= max(u, v) for u, v, w in zip(p, q, r, strict=True))

    (p, q), (r, s) = a, b
    first, second = (turn(p, q, r), turn(p, q, s)), (turn(r, s, p), turn(r, s, q))
    if first[0] * first[1] < 0 and second[0] * second[1] < 0:
        return True
    return any(
        at == 0 and between(*side, end)
        for at, side, end in (
            (first[0], a, r),
            (first[1], a, s),
            (second[0], b, p),
            (second[1], b, q),
        )
    )
