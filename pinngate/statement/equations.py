"""Equations and conditions of a checked problem, and where they hold.

Parts of a `components.Statement`. Everything here is immutable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pinngate.expression import Expression, Name, subtract
from pinngate.expression.printing import to_text
from pinngate.statement.axis_bounds import like
from pinngate.statement.shapes import WHOLE


@dataclass(frozen=True)
class Plane:
    """The part of the domain's closure where one axis has one value, ``x = 0``.

    With `is_past` also what is before it, ``t <= 0``, which delayed values look at.
    """

    axis: str
    value: float
    is_past: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.axis} {'<=' if self.is_past else '='} {self.value:g}"


@dataclass(frozen=True)
class BoundaryPart:
    """A part of the boundary of the geometry, at all times, by its name there.

    It fixes no axis: `axis` is empty where that of a plane has a name.
    """

    name: str
    axis: ClassVar[str] = ""
    value: ClassVar[float] = math.nan

    def __str__(self) -> str:
        return "the boundary" if self.name == WHOLE else f"the boundary part {self.name}"


@dataclass(frozen=True)
class Window:
    """A part of a plane: where other axes lie between bounds, ``x = 0 and t > 1``.

    It fixes no whole plane: `axis` is empty where that of a plane has a name. `bounds` are
    (axis, low, high), each within the domain.
    """

    plane: Plane
    bounds: tuple[tuple[str, float, float], ...]
    axis: ClassVar[str] = ""
    value: ClassVar[float] = math.nan

    def domain(self, whole: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """Return the axes with the bounds of the window."""
        return {**whole, **{axis: like(whole[axis], low, high) for axis, low, high in self.bounds}}

    def __str__(self) -> str:
        parts = (f"{low:g} < {axis} < {high:g}" for axis, low, high in self.bounds)
        return " and ".join([str(self.plane), *parts])


Where = Plane | BoundaryPart | Window


@dataclass(frozen=True)
class Equation:
    """``residual = 0`` inside the domain; derivative names are canonical."""

    text: str
    residual: Expression


@dataclass(frozen=True)
class Flux:
    """A field that nobody stated: the `inside` of a bracket whose derivative would lose a step.

    It is solved for together with the unknowns, and no result shows it (`brackets`).
    """

    name: str
    inside: Expression

    @property
    def equation(self) -> Equation:
        """The equation that defines it."""
        return Equation(
            f"{self.name} = {to_text(self.inside)}", subtract(Name(self.name), self.inside)
        )


@dataclass(frozen=True)
class Condition:
    """``residual = 0`` exactly: Dirichlet, Neumann, Robin, initial value or velocity.

    On a plane, as far as it is inside the geometry; or on a part of the geometry's boundary, where
    the residual may name components ``n_x`` … of the outward unit normal; or on a window of a
    plane.
    """

    where: Where
    text: str
    residual: Expression


@dataclass(frozen=True)
class Conserved:
    """A mean that is known: that of `residual` over the axes `over` is zero at all other places.

    Attributes:
        of: text of what the mean is taken of.
        equals: text of what it is.
        over: the axes.
        residual: of − equals.
        equal: what it is, in the other axes, constants and coefficients.
    """

    of: str
    equals: str
    over: tuple[str, ...]
    residual: Expression
    equal: Expression

    def __str__(self) -> str:
        return f"mean of {self.of} over {', '.join(self.over)} = {self.equals}"
