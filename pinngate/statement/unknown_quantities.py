"""What a checked problem asks for beside its fields: coefficients, and functions of axes or fields.

Parts of a `components.Statement`. Everything here is immutable.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from pinngate.expression import Applied, Expression, Knots, Name, Piecewise, UnknownSpline

# along each argument of a function of a field, by their number; how many count, smoothness tells
NUM_KNOTS = {1: 12, 2: 8}


@dataclass(frozen=True)
class Prior:
    """What is known of a number beforehand: normal, of it or `is_of_logarithm` of its logarithm."""

    mean: float
    std: float
    is_of_logarithm: bool = False

    def __str__(self) -> str:
        if self.is_of_logarithm:
            return f"{math.exp(self.mean):.4g}, within a factor of {math.exp(self.std):.4g}"
        return f"{self.mean:.4g} ± {self.std:.4g}"


@dataclass(frozen=True)
class Coefficient:
    """A scalar to infer. Bounds are None where there is none; `positive` means lower bound 0."""

    name: str
    initial: float
    lower: float | None = None
    upper: float | None = None
    truth: float | None = None
    prior: Prior | None = None

    @property
    def is_positive(self) -> bool:
        """Whether the coefficient is searched for through its logarithm."""
        return self.lower == 0.0 and self.upper is None


@dataclass(frozen=True)
class Spread:
    """Coefficients of several experiments that scatter normally about a common one.

    Attributes:
        name: of the common one.
        members: those of the experiments.
        is_of_logarithm: whether their logarithms do.
    """

    name: str
    members: tuple[str, ...]
    is_of_logarithm: bool


@dataclass(frozen=True)
class CoefficientField:
    """A coefficient to infer that varies with the axes `over`; bounds as of a `Coefficient`.

    `truth` is an expression in those axes, in constants and in true values of coefficients.
    `natural` is the size at which it matters in its equations, 0 while nobody knows.
    """

    name: str
    over: tuple[str, ...]
    initial: float
    lower: float | None = None
    upper: float | None = None
    truth: Expression | None = None
    natural: float = 0.0

    @property
    def size(self) -> float:
        """Of what it is searched in where it has no bounds: the larger of start and `natural`."""
        return max(abs(self.initial), self.natural) or 1.0

    @property
    def is_positive(self) -> bool:
        """Whether the field is searched for through its logarithm."""
        return self.lower == 0.0 and self.upper is None


@dataclass(frozen=True)
class FieldFunction(CoefficientField):
    """A function to infer of one or two fields, derivatives or axes, `over` their names.

    One of them at least is no axis. Its free variable is an `UnknownSpline`; `truth` is an
    expression in those names and in constants; else as its base.

    Attributes:
        ranges: of each argument; None where it is that of the measured values, or of the axis.
        knots: how many places the spline has along each argument.
        weight: the size of its weights at which it matters in its equations.
    """

    ranges: tuple[tuple[float, float] | None, ...] = (None,)
    knots: tuple[int, ...] = (NUM_KNOTS[1],)
    weight: float = 1.0

    @property
    def spline(self) -> UnknownSpline:
        """What it is free in; on the unit interval while nobody knows a range."""
        each = zip(self.knots, self.ranges, strict=True)
        along = tuple(Knots(count, *(ends or (0.0, 1.0))) for count, ends in each)
        return UnknownSpline(self.name, along)

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of its weights, which no formula can hold: ``D(0)``, ``D(1)`` …"""
        return tuple(f"{self.name}({k})" for k in range(math.prod(self.knots)))

    @property
    def places(self) -> tuple[str, ...]:
        """Names of the arrays that hold places of its arguments, ``D_at`` or ``f_at_u`` …"""
        if len(self.over) == 1:
            return (f"{self.name}_at",)
        return tuple(f"{self.name}_at_{over}" for over in self.over)

    @property
    def seen(self) -> tuple[str, ...]:
        """Names of the arrays that hold where a function of two was visited, ``f_seen_u`` …"""
        return tuple(f"{self.name}_seen_{over}" for over in self.over[: 2 * len(self.over) - 2])

    @property
    def call(self) -> str:
        """How formulas call it, ``D(u)`` or ``f(u, v)``."""
        return f"{self.name}({', '.join(self.over)})"


@dataclass(frozen=True)
class Pieces(CoefficientField):
    """A coefficient that is constant on pieces, the cells between `breaks`; else as its base.

    The value of each piece is a `Coefficient` of the problem with the same start, bounds and prior.
    `truth` is an expression in the axes `over` and in constants.

    Attributes:
        breaks: inner ends of the cells along each axis.
        prior: of the value of each piece.
    """

    breaks: tuple[tuple[float, ...], ...] = ()
    prior: Prior | None = None

    @property
    def function(self) -> Piecewise:
        """The function of the values and of the axes."""
        return Piecewise(self.name, self.breaks)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the values, which no formula can hold: ``k[1][1]``, ``k[1][2]`` …"""
        indices = itertools.product(*(range(1, n + 1) for n in self.function.shape))
        return tuple(self.name + "".join(f"[{k}]" for k in index) for index in indices)

    @property
    def expression(self) -> Applied:
        """What stands for its name in formulas."""
        return Applied(self.function, tuple(map(Name, (*self.members, *self.over))))
