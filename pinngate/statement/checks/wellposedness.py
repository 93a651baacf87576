"""Whether equations and conditions alone can determine the fields.

The last of the checks, for a problem without observations. Along each axis a
system of equations needs as many conditions as its order there. The order of a system is Jacobi's
number: the largest sum of derivative orders over all ways to pair equations with unknowns, so that
first-order systems and constraints such as a pressure count rightly. Source: Jacobi's bound, as in
Ollivier, arXiv 0911.2674 (an upper bound, reached unless a determinant vanishes).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from pinngate.errors import InputError
from pinngate.expression import names
from pinngate.statement.checks.source import Source
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.equations import BoundaryPart, Condition, Equation, Window

MAX_SYSTEM = 12  # pairings are counted over subsets, 2^n of them


def order_table(
    equations: Sequence[Equation], unknowns: tuple[str, ...], axes: tuple[str, ...], axis: str
) -> list[list[int | None]]:
    """Return the highest order along `axis` of each unknown in each equation; None is absent."""
    table: list[list[int | None]] = []
    position = axes.index(axis)
    for equation in equations:
        row: dict[str, int] = {}
        for name in names(equation.residual):
            derivative = parse_derivative(name, unknowns, axes)
            if derivative is not None:
                order = derivative.orders[position]
                row[derivative.field] = max(order, row.get(derivative.field, 0))
        table.append([row.get(unknown) for unknown in unknowns])
    return table


def jacobi_number(table: Sequence[Sequence[int | None]]) -> int | None:
    """Return the largest sum over pairings of rows with columns, None where there is no pairing.

    Args:
        table: as many rows as columns. Cost: n 2ⁿ.
    """
    best: dict[int, int] = {0: 0}
    for row in table:
        following: dict[int, int] = {}
        for used, total in best.items():
            for column, order in enumerate(row):
                if order is not None and not used >> column & 1:
                    key = used | 1 << column
                    following[key] = max(following.get(key, -1), total + order)
        best = following
    return best.get((1 << len(table)) - 1)


def needed_conditions(
    equations: Sequence[Equation], unknowns: tuple[str, ...], axes: tuple[str, ...]
) -> dict[str, int] | None:
    """Return how many conditions each axis needs at least; None where equations are too few.

    With more equations than unknowns, the least demanding choice among them counts.
    """
    if len(unknowns) > MAX_SYSTEM or len(equations) > MAX_SYSTEM:
        return dict.fromkeys(axes, 0)
    needed = {}
    for axis in axes:
        table = order_table(equations, unknowns, axes, axis)
        numbers = [jacobi_number(rows) for rows in combinations(table, len(unknowns))]
        feasible = [number for number in numbers if number is not None]
        if not feasible:
            return None
        needed[axis] = min(feasible)
    return needed


def given_conditions(
    conditions: Sequence[Condition], periodic: Sequence[str], needed: dict[str, int]
) -> dict[str, int]:
    """Count the conditions along each axis; a periodic axis has all that it needs.

    A condition on a part of a curved boundary closes both ends of every space axis, as far as can
    be told without looking at how much of the boundary the parts cover; windows of one side count
    as one condition on it.
    """
    windows = [c.where for c in conditions if isinstance(c.where, Window)]
    around = 2 * sum(isinstance(condition.where, BoundaryPart) for condition in conditions)
    return {
        axis: max(
            sum(condition.where.axis == axis for condition in conditions)
            + len({w.plane for w in windows if w.plane.axis == axis})
            + (around if axis != "t" else 0),
            count if axis in periodic else 0,
        )
        for axis, count in needed.items()
    }


def require_determined(source: Source, stated: Statement) -> None:
    """Refuse a problem without observations that has too few conditions.

    Raises:
        InputError: along an axis there are too few, or none is left for the coefficients.
    """
    if stated.coefficient_fields:
        name = stated.coefficient_fields[0].name
        raise InputError(
            f"nothing from which to infer the field '{name}'",
            span=source.key(("estimate", name)),
            expected="observations",
        )
    has_conditions = bool(stated.conditions or stated.periodic)
    span = source.key(("conditions",) if has_conditions else ("equations",))
    what = "nothing determines this problem: it has no observations and "
    needed = needed_conditions(stated.solved_equations, stated.solved_fields, stated.axes)
    if needed is None:
        raise InputError(
            f"{what}{len(stated.equations)} equation(s) for {len(stated.unknowns)} unknowns",
            span=span,
            expected="an equation for each unknown, or observations",
        )
    given = given_conditions(stated.conditions, stated.periodic, needed)
    for axis, count in needed.items():
        if given[axis] < count:
            words = f"condition{'s' * (given[axis] != 1)} along {axis}"
            raise InputError(
                f"{what}{given[axis] or 'no'} {words}",
                span=span,
                expected=f"{count} along {axis} at least, the order of the equations in {axis}"
                + ("" if axis == "t" else f"; {{periodic: {axis}}} counts as all"),
                hint="or observations",
            )
    spare = sum(given.values()) - sum(needed.values())
    if spare < len(stated.coefficients):
        name = stated.coefficients[0].name
        raise InputError(
            f"{what}nothing from which to infer '{name}'",
            span=source.key(("estimate", name)),
            expected="observations, or more conditions than the fields need",
        )
