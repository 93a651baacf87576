"""A problem as an evolution: its equations solved for the highest time derivative of each unknown.

The numerical references start here. Each unknown u whose highest pure time derivative is of order m
contributes the components u, u_t, …, ∂ᵗ^(m−1) u; the equations, linear in the highest derivatives,
are solved for them symbolically, so that any problem file of that class can be integrated without
code of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError, SolveError
from pinngate.expression import (
    CONSTANTS,
    ZERO,
    Expression,
    Name,
    Number,
    coefficients_of,
    differentiate,
    divide,
    evaluate,
    multiply,
    names,
    negate,
    substitute,
    subtract,
)
from pinngate.reference.known import Array, Initial
from pinngate.statement.derivatives import Derivative, derivative_name
from pinngate.statement.problem import Plane, Problem, Where

Component = tuple[str, int]  # field and order of its time derivative


@dataclass(frozen=True)
class EndCondition:
    """``residual = 0`` at one end of a space axis, for components of time order `level`.

    The residual is linear in the derivatives; `coefficients` and `rest` are its parts.
    """

    where: Plane
    field: str
    level: int
    coefficients: dict[str, Expression]
    rest: Expression


@dataclass(frozen=True)
class Evolution:
    """∂ᵗ^m u = rate(x, t, u, u_x, …) for every unknown, with the conditions at the ends.

    Attributes:
        problem: where it comes from.
        time_orders: m of each unknown.
        rates: right-hand side of each unknown, an expression in axes and derivatives only.
        symbols: every derivative that a rate names.
        ends: conditions at the ends, those of unknowns with m > 1 followed by their derivatives
            in time.
    """

    problem: Problem
    time_orders: dict[str, int]
    rates: dict[str, Expression]
    symbols: dict[str, Derivative]
    ends: tuple[EndCondition, ...]

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The state: every unknown and its time derivatives below the highest."""
        return tuple((f, k) for f, m in self.time_orders.items() for k in range(m))

    @property
    def start(self) -> float:
        """The initial time."""
        return self.problem.domain["t"][0]

    def component_of(self, symbol: Derivative) -> tuple[Component, tuple[int, ...]]:
        """Split a derivative into its component and its orders along the space axes."""
        return split_time(self.problem, symbol)

    @cached_property
    def partials(self) -> dict[tuple[str, str], Expression]:
        """Nonzero derivatives of each rate (field) with respect to each symbol."""
        found = {}
        for f, rate in self.rates.items():
            for name in self.symbols.keys() & names(rate).keys():
                partial = differentiate(rate, name)
                if partial != ZERO:
                    found[f, name] = partial
        return found

    def space_order(self, axis: str) -> dict[str, int]:
        """Return the highest derivative of each unknown along a space axis."""
        at = self.problem.axes.index(axis)
        highest = dict.fromkeys(self.time_orders, 0)
        for symbol in self.symbols.values():
            highest[symbol.field] = max(highest[symbol.field], symbol.orders[at])
        return highest


def split_time(problem: Problem, symbol: Derivative) -> tuple[Component, tuple[int, ...]]:
    """Split a derivative into (field, order in time) and its orders along the space axes."""
    order = dict(zip(problem.axes, symbol.orders, strict=True))
    return (symbol.field, order["t"]), tuple(order[a] for a in problem.space_axes)


def known_values(problem: Problem, coefficients: Mapping[str, float] | None) -> dict[str, float]:
    """Return the constants with a value for every estimated coefficient.

    Args:
        problem: the problem.
        coefficients: values of the estimated coefficients; None takes the true ones.

    Raises:
        InputError: a coefficient has no value.
    """
    given = problem.true_coefficients() if coefficients is None else dict(coefficients)
    for coefficient in problem.coefficients:
        if coefficient.name not in given:
            raise InputError(
                f"the value of the coefficient '{coefficient.name}' is not stated",
                expected=f"a number for '{coefficient.name}' under truth: constants",
                hint="a reference solution needs a value for every coefficient",
            )
    return dict(problem.constants) | given


def evolution(problem: Problem, coefficients: Mapping[str, float] | None = None) -> Evolution:
    """Bring a problem into evolution form.

    Raises:
        InputError: it is steady, or its equations or end conditions are not of the class, and why.
    """
    if not problem.has_time:
        raise _refused(problem, "it has no time axis 't'")
    numbers = {k: Number(v) for k, v in (CONSTANTS | known_values(problem, coefficients)).items()}
    residuals = [substitute(e.residual, numbers) for e in problem.equations]
    symbols = {n: d for r in residuals for n, d in problem.derivatives(r).items()}
    orders = _time_orders(problem, symbols)
    tops = [derivative_name(_pure_time(problem, f, m), problem.axes) for f, m in orders.items()]
    rates = dict(zip(orders, _solved(problem, residuals, tops), strict=True))
    lower = {n: d for n, d in symbols.items() if n not in tops}
    return Evolution(problem, orders, rates, lower, _end_conditions(problem, numbers, orders))


def _refused(problem: Problem, why: str, hint: str = "") -> InputError:
    return InputError(
        f"problem '{problem.name}' cannot be integrated in time: {why}",
        expected="equations that can be solved for the highest time derivative of each unknown, "
        "with conditions at the ends that are linear in the unknowns",
        hint=hint,
    )


def _pure_time(problem: Problem, field: str, order: int) -> Derivative:
    return Derivative(field, tuple(order if a == "t" else 0 for a in problem.axes))


def _time_orders(problem: Problem, symbols: Mapping[str, Derivative]) -> dict[str, int]:
    orders = dict.fromkeys(problem.unknowns, 0)
    for symbol in symbols.values():
        (field, order), _ = split_time(problem, symbol)
        orders[field] = max(orders[field], order)
    for field, order in orders.items():
        if order == 0:
            raise _refused(problem, f"no equation holds a time derivative of '{field}'")
    for name, symbol in symbols.items():
        (field, order), space = split_time(problem, symbol)
        if order == orders[field] and any(space):
            raise _refused(problem, f"'{name}' mixes space with the highest time derivative")
    return orders


def _solved(problem: Problem, residuals: list[Expression], tops: list[str]) -> list[Expression]:
    """Solve the residuals, linear in `tops`, for them: Gaussian elimination on expressions."""
    if len(residuals) != len(tops):
        raise _refused(problem, f"it has {len(residuals)} equations for {len(tops)} unknowns")
    matrix, right = [], []
    for equation, residual in zip(problem.equations, residuals, strict=True):
        linear, rest = coefficients_of(residual, set(tops))
        for top in set(tops) & set(names(rest)):
            raise _refused(problem, f"'{equation.text}' is not linear in '{top}'")
        matrix.append([linear.get(top, ZERO) for top in tops])
        right.append(negate(rest))
    return _eliminated(problem, matrix, right, tops)


def _eliminated(
    problem: Problem, matrix: list[list[Expression]], right: list[Expression], tops: list[str]
) -> list[Expression]:
    """Solve matrix · tops = right by elimination of Gauss and Jordan; both are overwritten."""
    count = len(tops)
    for k in range(count):
        pivot = next((i for i in range(k, count) if matrix[i][k] != ZERO), None)
        if pivot is None:
            raise _refused(problem, f"its equations do not determine '{tops[k]}'")
        matrix[k], matrix[pivot] = matrix[pivot], matrix[k]
        right[k], right[pivot] = right[pivot], right[k]
        scale = matrix[k][k]
        matrix[k] = [divide(c, scale) for c in matrix[k]]
        right[k] = divide(right[k], scale)
        for i in range(count):
            factor = matrix[i][k]
            if i != k and factor != ZERO:
                pairs = zip(matrix[i], matrix[k], strict=True)
                matrix[i] = [subtract(a, multiply(factor, b)) for a, b in pairs]
                right[i] = subtract(right[i], multiply(factor, right[k]))
                matrix[i][k] = ZERO
    return right


def _end_conditions(
    problem: Problem, numbers: Mapping[str, Number], orders: Mapping[str, int]
) -> tuple[EndCondition, ...]:
    found: list[EndCondition] = []
    taken: Counter[tuple[Plane, str]] = Counter()
    for condition in problem.conditions:
        where = condition.where
        if where.axis == "t":
            continue
        end = _end(problem, where)
        residual = substitute(condition.residual, numbers)
        present = problem.derivatives(residual)
        if not present:
            raise _refused(problem, f"the condition '{condition.text}' names no unknown")
        # A condition that couples several fields is given to the one with the fewest so far.
        field = min(sorted({d.field for d in present.values()}), key=lambda f: taken[end, f])
        taken[end, field] += 1
        level = max(split_time(problem, d)[0][1] for d in present.values() if d.field == field)
        for time_order in range(level, max(orders[field], level + 1)):
            if time_order > level:
                residual = _in_time(problem, residual)
            found.append(_linear(problem, condition.text, residual, end, field, time_order, orders))
    return tuple(found)


def _end(problem: Problem, where: Where) -> Plane:
    """Return where a condition holds, an end of an axis that is not periodic."""
    if not isinstance(where, Plane):
        raise _refused(problem, f"it has a condition on {where}, and this solver knows boxes")
    if where.axis in problem.periodic:
        raise _refused(problem, f"{where.axis} is periodic and has a condition at {where}")
    if where.value not in problem.domain[where.axis]:
        raise _refused(problem, f"the condition at {where} is inside the domain")
    return where


def _in_time(problem: Problem, residual: Expression) -> Expression:
    """Return the total time derivative of a residual."""
    total = differentiate(residual, "t")
    at = problem.axes.index("t")
    for name, symbol in problem.derivatives(residual).items():
        raised = tuple(k + (i == at) for i, k in enumerate(symbol.orders))
        later = Name(derivative_name(Derivative(symbol.field, raised), problem.axes))
        term = multiply(differentiate(residual, name), later)
        total = subtract(total, negate(term))
    return total


def _linear(
    problem: Problem,
    text: str,
    residual: Expression,
    where: Plane,
    field: str,
    level: int,
    orders: Mapping[str, int],
) -> EndCondition:
    symbols = problem.derivatives(residual)
    for name, symbol in symbols.items():
        (owner, order), _ = split_time(problem, symbol)
        if order >= orders[owner]:
            raise _refused(problem, f"the condition '{text}' at {where} involves '{name}'")
    linear, rest = coefficients_of(residual, set(symbols))
    for name in symbols.keys() & names(rest).keys():
        raise _refused(problem, f"the condition '{text}' at {where} is not linear in '{name}'")
    return EndCondition(where, field, level, linear, rest)


def evaluated(expression: Expression, values: Mapping[str, Any], shape: tuple[int, ...]) -> Array:
    """Evaluate to a float array of the given shape; values that are not finite come out as such."""
    with np.errstate(all="ignore"):
        try:
            value: Any = evaluate(expression, values, np)
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise SolveError(f"an expression has no value at a point ({error})") from None
    return np.broadcast_to(np.asarray(value, dtype=np.float64), shape)


def initial_from(
    expressions: Mapping[str, Expression], constants: Mapping[str, float] | None = None
) -> dict[str, Initial]:
    """Turn expressions of the space axes into initial data for the solvers.

    Args:
        expressions: keys such as ``u`` and ``u_t``.
        constants: values of the names, other than axes, that the expressions hold.
    """
    known = dict(constants or {})

    def function(expression: Expression) -> Initial:
        def initial(axes: dict[str, Array]) -> Array:
            shape = np.broadcast_shapes(*(np.shape(a) for a in axes.values()))
            return evaluated(expression, known | axes, shape)

        return initial

    return {name: function(expression) for name, expression in expressions.items()}


def initial_state(
    system: Evolution, initial: Mapping[str, Initial], axes: dict[str, NDArray[np.float64]]
) -> list[Array]:
    """Return the initial values of every component on a grid.

    What `initial` lacks is taken from exact conditions at the initial time, if they state it.

    Args:
        system: the evolution.
        initial: keys such as ``u`` and ``u_t``, functions of the space axes.
        axes: coordinates of the grid points along each space axis, all of one shape.

    Raises:
        InputError: a component has no initial data, or not finite ones.
    """
    problem = system.problem
    shape = np.shape(next(iter(axes.values()), 0.0))
    state = []
    for field, order in system.components:
        name = derivative_name(_pure_time(problem, field, order), problem.axes)
        function = initial.get(name) or _stated_initial(problem, name, system.start)
        if function is None:
            raise _refused(
                problem,
                f"no initial data for '{name}'",
                f"state it under truth: clean: {{{name}: …}}, or as a condition at t = "
                f"{system.start:g}",
            )
        values = np.broadcast_to(np.asarray(function(axes), dtype=np.float64), shape)
        if not np.isfinite(values).all():
            raise _refused(problem, f"the initial data of '{name}' are not finite everywhere")
        state.append(np.array(values))
    return state


def _stated_initial(problem: Problem, name: str, start: float) -> Initial | None:
    for condition in problem.conditions:
        if condition.where != Plane("t", start):
            continue
        if set(problem.derivatives(condition.residual)) != {name}:
            continue
        linear, rest = coefficients_of(condition.residual, {name})
        if name in linear and name not in names(rest):
            solution = divide(negate(rest), linear[name])
            known = dict(problem.constants) | problem.true_coefficients() | {"t": start}
            return initial_from({name: solution}, known)[name]
    return None
