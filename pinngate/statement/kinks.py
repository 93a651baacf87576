"""Kinks and jumps whose place is written in a problem.

heaviside(g), sign(g) and abs(g) change where g changes its sign, min(a, b) and max(a, b) where
a − b does, floor(a) and mod(a, b) where a and a/b are whole. With g a function of one axis and
of constants the places are known before anything is solved: exactly, −b/c, where g = c·x + b; else
from the sign of g on a grid, each change bisected to the last digit. The grid is made finer until
three in a row find as many changes, so that a train of pulses loses none. A change that is gone
within `REACH` on both sides is none: g only touches zero there, up to rounding. Source of bisection
on the sign alone, which needs no continuous g: R. P. Brent, Algorithms for Minimization without
Derivatives (1973), chapter 4. Cost: up to `MOST_CELLS` values of each nonlinear g.

The knots of a table are kinks too: of a log thousands. What is marched in time stops at each of
them (`knot_stops`); where every kink costs functions, those that matter most count, by the share
of the table's range that it changes there (`kink_places`), and the others are left to refinement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError
from pinngate.expression import (
    CONSTANTS,
    Applied,
    Call,
    Expression,
    Name,
    Number,
    Paired,
    Piecewise,
    Tabulated,
    coefficients_of,
    constant_value,
    divide,
    evaluate,
    multiply,
    names,
    parts,
    substitute,
    subtract,
    tables_in,
)
from pinngate.statement.problem import Plane, Problem, Window
from pinngate.statement.steps import BENDS, STEPS

Array = NDArray[np.float64]
Bounds = tuple[float, float]

# cells of the grids: primes, so that no period that people write divides the distance of nodes
CELLS = (4099, 8209, 16411, 32771, 65537, 131101, 262147)
MOST_CELLS = CELLS[-1]
NUM_HALVINGS = 60  # a cell of a 4,000th of an axis to less than the last digit of a double
REACH = 1e-7  # of an axis; the false roots of a double root written out, (x - a)**2, are 1e-8 apart
MOST_KNOTS = 100  # of one axis; with n axes MOST_KNOTS/n³, for their numbers multiply
MOST_STOPS = 20_000  # of a march in time, each some tenths of a millisecond
SAME = 1e-9  # of an axis: places nearer to each other, or to an end, are one


def kink_places(problem: Problem) -> dict[str, tuple[float, ...]]:
    """Return the places of kinks and jumps strictly inside the domain: axis → sorted places.

    Every axis has an entry. Arguments that name a field or an estimated coefficient are left out,
    and of a condition on a plane counts what is on the plane. Of the knots of tables those that
    matter most count, few enough for a basis with a break at each.
    """
    most = MOST_KNOTS // len(problem.axes) ** 3
    return {
        axis: tuple(_distinct([*places, *_knots(problem, axis, most)], problem.domain[axis]))
        for axis, places in formula_kinks(problem).items()
    }


def formula_kinks(problem: Problem) -> dict[str, tuple[float, ...]]:
    """Return the places of kinks and jumps that formulas and windows of conditions write."""
    found = kinks_of(problem, _formulas(problem))
    edges = [e for c in problem.conditions if isinstance(c.where, Window) for e in c.where.bounds]
    for axis, *places in edges:
        low, high = problem.domain[axis]
        inner = [place for place in places if low < place < high]
        found[axis] = tuple(_distinct([*found[axis], *inner], (low, high)))
    return found


def knot_stops(problem: Problem) -> tuple[float, ...]:
    """Return the times strictly inside the domain at which tables alone have a kink or a jump."""
    low, high = problem.domain["t"]
    written = np.array([low, *formula_kinks(problem)["t"]])
    knots = _distinct(_knots(problem, "t", MOST_STOPS), (low, high))
    return tuple(k for k in knots if np.abs(written - k).min() > SAME * (high - low))


def _knots(problem: Problem, axis: str, most: int) -> list[float]:
    """Return the knots of tables along an axis that change most, as far as they are kinks."""
    low, high = problem.domain[axis]
    gap = SAME * (high - low)
    tables = (table for formula in _formulas(problem) for table in tables_in(formula))
    found = [
        (-share, place)
        for table in dict.fromkeys(tables)
        for k, argument in enumerate(table.arguments)
        if argument == Name(axis) and isinstance(table.function, Tabulated)
        for place, share in table.function.kinks(k)
        if low + gap < place < high - gap
    ]
    return [place for _, place in sorted(found)[:most]]


def kinks_of(problem: Problem, formulas: Iterable[Expression]) -> dict[str, tuple[float, ...]]:
    """Return the same of some formulas in the axes and constants of a problem."""
    formulas = list(formulas)
    found = _breaks(problem, formulas)
    for argument in _arguments(formulas):
        named = _named(problem, argument)
        if len(named) == 1 and (axis := next(iter(named))) in problem.domain:
            found[axis] += sign_changes(problem, argument, axis)
    return {axis: tuple(_distinct(places, problem.domain[axis])) for axis, places in found.items()}


def _breaks(problem: Problem, formulas: Iterable[Expression]) -> dict[str, list[float]]:
    """Return the breaks of functions that are constant on pieces, by axis."""
    found: dict[str, list[float]] = {axis: [] for axis in problem.axes}
    for part in (part for formula in formulas for part in parts(formula)):
        match part:
            case Applied(Piecewise() as function, arguments):
                for breaks, place in zip(function.breaks, arguments[function.count :], strict=True):
                    if isinstance(place, Name) and place.id in found:
                        found[place.id] += breaks
    return found


def oblique_kinks(problem: Problem) -> tuple[Expression, ...]:
    """Return the arguments g whose zeros no tensor grid follows, each once.

    They depend on several axes, or on one and on estimated coefficients.
    """
    estimated = {c.name for c in problem.coefficients}
    return tuple(
        argument
        for argument in _arguments(_formulas(problem))
        if len(named := _named(problem, argument)) > 1
        and named <= {*problem.axes, *estimated}
        and named & set(problem.axes)
    )


def sign_changes(problem: Problem, argument: Expression, axis: str) -> list[float]:
    """Return where an expression in one axis changes its sign, strictly inside the domain."""
    low, high = problem.domain[axis]
    linear, rest = coefficients_of(argument, {axis})
    if axis in linear and axis not in names(rest):
        places = _root(problem, linear[axis], rest)
    else:
        places = _bisected(_function(problem, argument, axis), (low, high))
    gap = SAME * (high - low)
    return [place for place in places if low + gap < place < high - gap]


def _arguments(formulas: Iterable[Expression]) -> list[Expression]:
    """Return the expressions in whose sign there is a kink, each once."""
    found = (
        switch
        for formula in formulas
        for part in parts(formula)
        if (switch := _switch(part)) is not None
    )
    return list(dict.fromkeys(found))


def _switch(part: Expression) -> Expression | None:
    """Return the expression at whose changes of sign a part has a kink, None where it has none.

    floor(a) and mod(a, b) jump where sin(πa) and sin(πa/b) change their sign.
    """
    match part:
        case Call("floor", a):
            return Call("sin", multiply(Name("pi"), a))
        case Call(function, a) if function in STEPS + BENDS:
            return a
        case Applied(Paired("min" | "max"), (a, b)):
            return subtract(a, b)
        case Applied(Paired("mod"), (a, b)):
            return Call("sin", multiply(Name("pi"), divide(a, b)))
    return None


def _formulas(problem: Problem) -> Iterator[Expression]:
    """Yield what is solved, what is given, on a plane as it is there, and what sensors see."""
    yield from (equation.residual for equation in problem.solved_equations)
    for condition in problem.conditions:
        where = condition.where
        plane = where.plane if isinstance(where, Window) else where
        on = {plane.axis: Number(plane.value)} if isinstance(plane, Plane) else {}
        yield substitute(condition.residual, on)
    yield from (o.quantity for o in problem.observations if o.quantity is not None)


def _named(problem: Problem, argument: Expression) -> set[str]:
    """Return the names in an argument whose values are not known."""
    return set(names(argument)) - set(problem.constants) - set(CONSTANTS)


def _root(problem: Problem, slope: Expression, rest: Expression) -> list[float]:
    try:
        c, b = (constant_value(e, problem.constants) for e in (slope, rest))
        return [-b / c + 0.0]  # no negative zero
    except (InputError, ZeroDivisionError):
        return []


def _function(problem: Problem, argument: Expression, axis: str) -> Callable[[Array], Array]:
    """Return sign(g) as a function of places (n,), NaN where g has no value."""

    def sign(places: Array) -> Array:
        with np.errstate(all="ignore"):
            values = evaluate(argument, {**problem.constants, axis: places}, np)
        return np.broadcast_to(np.sign(np.asarray(values, dtype=np.float64)), places.shape)

    return sign


def _bisected(sign: Callable[[Array], Array], bounds: Bounds) -> list[float]:
    low, high = bounds
    left, right = _brackets(sign, bounds)
    before = sign(left)
    for _ in range(NUM_HALVINGS):
        middle = (left + right) / 2
        is_left = sign(middle) == before
        left, right = np.where(is_left, middle, left), np.where(is_left, right, middle)
    places, reach = (left + right) / 2, REACH * (high - low)
    one, other = sign(places - reach), sign(places + reach)
    return places[(one != other) & ~np.isnan(one + other)].tolist()


def _brackets(sign: Callable[[Array], Array], bounds: Bounds) -> tuple[Array, Array]:
    """Return the ends (n,) and (n,) of the cells in which the sign changes."""
    counts: list[int] = []
    for cells in CELLS:
        nodes = np.linspace(*bounds, cells + 1)
        signs = sign(nodes)
        at = np.flatnonzero(signs[1:] != signs[:-1])
        at = at[~np.isnan(signs[at] + signs[at + 1])]
        counts.append(len(at))
        if len(counts) > 2 and len(set(counts[-3:])) == 1:
            break
    return nodes[at], nodes[at + 1]


def _distinct(places: list[float], bounds: Bounds) -> Iterator[float]:
    gap, last = SAME * (bounds[1] - bounds[0]), -np.inf
    for place in sorted(places):
        if place - last > gap:
            yield place
        last = place


__all__ = [
    "formula_kinks",
    "kink_places",
    "kinks_of",
    "knot_stops",
    "oblique_kinks",
    "sign_changes",
]
