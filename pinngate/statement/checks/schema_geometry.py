"""The key `geometry` of a problem file: a part of `schema`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pinngate.statement.checks.schema_kinds import (
    Coordinates,
    Interval,
    Kind,
    Name,
    NumberOrFormula,
    Section,
)


class BallSection(Section):
    """A disk in two dimensions, a sphere in three."""

    center: Coordinates = Field(description="its centre")
    radius: NumberOrFormula = Field(description="its radius")


class EllipseSection(Section):
    """An ellipse, in two dimensions."""

    center: Coordinates = Field(description="its centre")
    radii: Annotated[
        list[NumberOrFormula],
        Field(min_length=2, max_length=2),
        Kind("a list of two numbers or formulas"),
    ] = Field(description="its two semi-axes, along the first and the second space axis")
    angle: NumberOrFormula = Field(0.0, description="turned anticlockwise by so much, in radians")


BoxSides = Annotated[dict[str, Interval], Kind("a mapping of every space axis to [low, high]")]


class ShapeSection(Section):
    """A shape in space, the same at all times: one of these keys."""

    disk: BallSection | None = Field(None, description="`center` and `radius`")
    ellipse: EllipseSection | None = Field(
        None, description="`center`, `radii` and optionally `angle`, anticlockwise in radians"
    )
    rectangle: BoxSides | None = Field(None, description="`{x: [0, 1], y: [0, 1]}`")
    polygon: (
        Annotated[
            list[Coordinates], Field(min_length=3), Kind("a list of three or more vertices [x, y]")
        ]
        | None
    ) = Field(None, description="its vertices in order; sides must not cross")
    sphere: BallSection | None = Field(
        None, description="`center` and `radius`, in three dimensions"
    )
    cuboid: BoxSides | None = Field(None, description="`{x: [0, 1], y: [0, 1], z: [0, 1]}`")


class PartSection(Section):
    """A part of the boundary: `of`, `where` or both."""

    of: Name | None = Field(
        None,
        description="the shape that bounds there",
        json_schema_extra={"default": "any"},
    )
    where: Annotated[str, Kind("text such as `x = 0` or `x**2 + y**2 < 1`")] | None = Field(
        None,
        description="which places belong to it: two formulas in the space axes and constants "
        "with `=`, `<` or `>` between them",
        json_schema_extra={"default": "all"},
    )


class GeometrySection(Section):
    """A domain that is no box: everything holds inside it. Needs the extra `geometry` (DeepXDE)."""

    shapes: Annotated[dict[str, ShapeSection], Field(min_length=1), Kind("a mapping")] = Field(
        description="shapes by name, see below; a condition may be stated `on` each of them"
    )
    inside: Annotated[str, Kind("text such as `plate - hole`")] | None = Field(
        None,
        description="the set of points, made from names of shapes with `+` (union), `-` "
        "(difference), `*` (intersection) and brackets",
        json_schema_extra={"default": "the only shape"},
    )
    boundaries: dict[str, PartSection] = Field(
        default_factory=dict, description="further parts of the boundary by name, see below"
    )
