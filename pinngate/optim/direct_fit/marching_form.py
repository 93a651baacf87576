"""A problem as rows that are marched in time: its equations, closed by its conditions, as residuals.

Every unknown u whose highest pure time derivative is of order m has the states u, u_t … ∂ᵗ^(m−1) u.
Each state has a row R(t, x, states, rates, coefficients) = 0 inside, and at an end where a condition
is stated that condition instead, with its derivatives in time for the states above it. Nothing is
solved for symbolically, so that equations may be coupled in their rates and conditions nonlinear.

Derivatives of brackets in space stay brackets: (a*u_x)_x is the difference of fluxes between nodes,
which keeps what flows and carries steps in a, and (u**3)_xx the second difference of u**3. Where an
end has no condition that the order of an equation in space asks for, the domain is taken to go on
beyond it (`open_ends`). First step of a direct fit, above `semidiscrete`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pinngate.errors import ExpressionError, SolveError
from pinngate.expression import (
    CONSTANTS,
    ONE,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    add,
    coefficients_of,
    differentiate,
    divide,
    multiply,
    names,
    negate,
    parse_equation,
    rebuild,
    substitute,
    subtract,
)
from pinngate.limits.modes import conditions_on
from pinngate.statement.brackets import Brackets
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.derivatives import (
    Derivative,
    canonical,
    derivative_name,
    parse_derivative,
    total_derivative,
)
from pinngate.statement.problem import Equation, Plane, Problem
from pinngate.statement.steps import STEPS, calls_of

NOTHING = 1e-12  # added to bases of powers that must not be negative: their logarithms stay finite


class CannotMarch(SolveError):  # noqa: N818 - a reason, told to whoever asked
    """The reason why a problem is none that this fit takes."""


@dataclass(frozen=True)
class Symbol:
    """∂x^order of a state or of its rate."""

    state: int
    order: int
    is_rate: bool


@dataclass(frozen=True)
class Bracket:
    """∂x^order of an expression, which is known between the nodes (`is_staggered`) or on them."""

    inside: Expression
    order: int
    is_staggered: bool


@dataclass(frozen=True)
class Row:
    """residual = 0 for a state: at every node (`end` None), or `layer` nodes from an end, 0 or 1."""

    residual: Expression
    state: int
    end: int | None = None
    layer: int = 0


class MarchingForm:
    """The rows of a problem with time and at most one space axis.

    Args:
        problem: what is marched; its truth is never read.

    Attributes:
        axis: the space axis, None for ordinary differential equations.
        orders: time order of each unknown.
        states: (field, order in time) of every state.
        brackets: by the name that stands for each in the rows.
        open_ends: whether the domain goes on beyond its low and its high end.
        rows: as above.

    Raises:
        CannotMarch: it is of another class, and why.
    """

    def __init__(self, problem: Problem) -> None:
        _refuse(problem)
        self.problem = problem
        self.axis = problem.space_axes[0] if problem.space_axes else None
        self.orders = self._time_orders()
        self.states = [(f, j) for f, m in self.orders.items() for j in range(m)]
        self.brackets: dict[str, Bracket] = {}
        residuals = [self._opened(equation) for equation in problem.equations]
        self._space_orders = {f: self._space_order(f, residuals) for f in problem.unknowns}
        self.open_ends = self._open_ends()
        self.rows = (*self._inside(residuals), *self._at_ends())

    @cached_property
    def is_linear(self) -> bool:
        """Whether every row is linear in states and rates."""
        expressions = [r.residual for r in self.rows] + [b.inside for b in self.brackets.values()]
        return all(self._is_linear(e) for e in expressions)

    @cached_property
    def is_degenerate(self) -> bool:
        """Whether what multiplies the highest derivative in space depends on a field."""
        if any(b.order == 2 and not self._is_linear(b.inside) for b in self.brackets.values()):
            return True
        expressions = [r.residual for r in self.rows if r.end is None]
        expressions += [b.inside for b in self.brackets.values()]
        return any(
            self.symbol(name) is not None and not self._is_linear_in(e, name)
            for e in expressions
            for name in names(e)
            if (s := self.symbol(name)) is not None and s.order > 0
        )

    def symbol(self, name: str) -> Symbol | None:
        """Return what a name means, None where it is no derivative of a state."""
        if name.startswith("rate of "):
            return Symbol(int(name.removeprefix("rate of ")), 0, True)
        found = parse_derivative(name, self.problem.unknowns, self.problem.axes)
        return None if found is None else self.symbol_of(found)

    def symbol_of(self, derivative: Derivative) -> Symbol:
        """Return a derivative of a field as one of a state or its rate."""
        by_axis = dict(zip(self.problem.axes, derivative.orders, strict=True))
        top, in_time = self.orders[derivative.field], by_axis["t"]
        if in_time > top:
            raise CannotMarch(f"a derivative of {derivative.field} is above its equation's order")
        state = self.states.index((derivative.field, min(in_time, top - 1)))
        return Symbol(state, by_axis.get(self.axis or "", 0), in_time == top)

    def stated_initial(self, state: int) -> Expression | None:
        """Return what the conditions say of a state at the initial time, None where nothing."""
        problem, (f, j) = self.problem, self.states[state]
        orders = tuple(j if a == "t" else 0 for a in problem.axes)
        name = derivative_name(Derivative(f, orders), problem.axes)
        for condition in problem.conditions:
            if condition.where != Plane("t", problem.domain["t"][0]):
                continue
            residual = searched(problem, condition.residual)
            linear, rest = coefficients_of(residual, {name})
            if set(linear) == {name} and not self._fields_in(rest) and name not in names(rest):
                return divide(negate(rest), linear[name])
        return None

    def _fields_in(self, expression: Expression) -> set[str]:
        return {n for n in names(expression) if self.symbol(n) is not None}

    def _is_linear(self, expression: Expression) -> bool:
        symbols = self._fields_in(expression) | (self.brackets.keys() & names(expression).keys())
        _, rest = coefficients_of(expression, symbols)
        return not symbols & set(names(rest))

    def _is_linear_in(self, expression: Expression, name: str) -> bool:
        return not self._fields_in(differentiate(expression, name))

    def _time_orders(self) -> dict[str, int]:
        problem = self.problem
        at_t = problem.axes.index("t")
        orders = dict.fromkeys(problem.unknowns, 0)
        for equation in problem.solved_equations:
            for d in problem.derivatives(equation.residual).values():
                if d.field in orders:
                    orders[d.field] = max(orders[d.field], d.orders[at_t])
        for field, order in orders.items():
            if order == 0:
                raise CannotMarch(f"no equation holds a time derivative of {field}")
        return orders

    def _opened(self, equation: Equation) -> Expression:
        """Return an equation's residual with names for its brackets, in searched coefficients."""
        problem = self.problem
        over = {f.name: f.over for f in problem.coefficient_fields}
        chain = Brackets(problem.outputs, problem.axes, over)

        def opened(expression: Expression) -> Expression:
            if not (isinstance(expression, Call) and expression.function.startswith("_")):
                return rebuild(expression, opened)
            letters = expression.function[1:]
            inside = canonical(chain.expanded(expression.argument), problem.outputs, problem.axes)
            if set(letters) != {self.axis} or self._has_time(inside):
                return chain.expanded(expression)
            while len(letters) > 1 and (len(letters) > 2 or self._has_derivatives(inside)):
                inside, letters = chain.expanded(Call(f"_{letters[0]}", inside)), letters[1:]
            name = f"bracket {len(self.brackets)}"
            inside = guarded(searched(problem, inside))
            is_staggered = len(letters) == 1 and (
                self._has_derivatives(inside) or any(calls_of(inside, STEPS))
            )
            self.brackets[name] = Bracket(inside, len(letters), is_staggered)
            return Name(name)

        try:
            text = parse_equation(equation.text, problem.functions)
            residual = canonical(opened(text), problem.outputs, problem.axes)
        except ExpressionError as error:
            raise CannotMarch(f"'{equation.text}': {error.what}") from None
        return guarded(searched(problem, residual))

    def _has_time(self, expression: Expression) -> bool:
        at = self.problem.axes.index("t")
        return any(d.orders[at] for d in self.problem.derivatives(expression).values())

    def _has_derivatives(self, expression: Expression) -> bool:
        return any(d.order for d in self.problem.derivatives(expression).values())

    def _space_order(self, field: str, residuals: list[Expression]) -> int:
        """Return the highest derivative of a field along the space axis."""
        expressions = [(r, 0) for r in residuals]
        expressions += [(b.inside, b.order) for b in self.brackets.values()]
        found = [
            order + symbol.order
            for e, order in expressions
            for name in names(e)
            if (symbol := self.symbol(name)) is not None and self.states[symbol.state][0] == field
        ]
        return max(found, default=0)

    def _inside(self, residuals: list[Expression]) -> Iterator[Row]:
        free = list(residuals)
        for f, top in self.orders.items():
            last = self.states.index((f, top - 1))
            for state in range(last - top + 1, last):
                following = self._name(f, state + 1 - (last - top + 1))
                yield Row(subtract(Name(f"rate of {state}"), following), state)
            own = next((r for r in free if self._holds_rate(r, last)), None)
            if own is None:
                raise CannotMarch(f"no equation of its own gives the time derivative of {f}")
            free.remove(own)
            yield Row(own, last)
        if free:
            raise CannotMarch("there are more equations than unknowns")

    def _name(self, field: str, in_time: int) -> Name:
        orders = tuple(in_time if a == "t" else 0 for a in self.problem.axes)
        return Name(derivative_name(Derivative(field, orders), self.problem.axes))

    def _holds_rate(self, residual: Expression, state: int) -> bool:
        found = (self.symbol(name) for name in names(residual))
        return any(s is not None and s.is_rate and s.state == state for s in found)

    @property
    def _ends(self) -> tuple[tuple[int, float], ...]:
        if self.axis is None or self.axis in self.problem.periodic:
            return ()
        return tuple(enumerate(self.problem.domain[self.axis]))

    def _open_ends(self) -> tuple[bool, bool]:
        """Find the ends without conditions, and refuse those with too few or too many."""
        found = [False, False]
        for k, value in self._ends:
            stated = {
                f: len(conditions_on(self.problem, f, self.axis or "", value))
                for f in self.problem.unknowns
            }
            for f, order in self._space_orders.items():
                asked = order // 2
                if stated[f] > max(1, asked):
                    raise CannotMarch(f"{f} has {stated[f]} conditions at {self.axis} = {value:g}")
                if stated[f] < asked and (any(stated.values()) or asked > 1):
                    raise CannotMarch(f"{f} lacks a condition at {self.axis} = {value:g}")
                found[k] |= stated[f] < asked
        return found[0], found[1]

    def _at_ends(self) -> Iterator[Row]:
        for k, value in self._ends:
            for f in self.problem.unknowns:
                if self.open_ends[k]:
                    if self._space_orders[f] == 2:
                        flat = Name(f"{f}_{self.axis}")
                        yield from self._levels(f, flat, k, 0)
                    continue
                found = conditions_on(self.problem, f, self.axis or "", value)
                for layer, condition in enumerate(found):
                    insides = {flux.name: flux.inside for flux in self.problem.fluxes}
                    residual = substitute(condition.residual, insides)
                    yield from self._levels(f, residual, k, layer)

    def _levels(self, field: str, residual: Expression, end: int, layer: int) -> Iterator[Row]:
        """Yield a condition for the states of a field that it determines, the lowest first."""
        problem = self.problem
        over = {f.name: f.over for f in problem.coefficient_fields}
        at_t = problem.axes.index("t")
        found = problem.derivatives(residual).values()
        level = max((d.orders[at_t] for d in found if d.field == field), default=0)
        for j in range(min(level, self.orders[field] - 1), self.orders[field]):
            state = self.states.index((field, j))
            yield Row(guarded(searched(problem, residual)), state, end, layer)
            residual = total_derivative(residual, "t", problem.outputs, problem.axes, over)


def guarded(expression: Expression) -> Expression:
    """Return the expression with what must not be negative held at zero: bases of broken powers."""
    if isinstance(expression, Binary) and expression.operator == "**":
        base, exponent = guarded(expression.left), guarded(expression.right)
        is_whole = isinstance(exponent, Number) and float(exponent.value).is_integer()
        if not is_whole and not isinstance(base, Number):
            base = _positive_part(base)
        return Binary("**", base, exponent)
    if isinstance(expression, Call) and expression.function in ("sqrt", "log"):
        return Call(expression.function, _positive_part(guarded(expression.argument)))
    return rebuild(expression, guarded)


def _positive_part(base: Expression) -> Expression:
    if isinstance(base, Name) and base.id in CONSTANTS:
        return base
    half = multiply(Number(0.5), add(base, Call("abs", base)))
    return add(half, multiply(Number(NOTHING), ONE))


def _refuse(problem: Problem) -> None:
    reasons: Mapping[str, bool] = {
        "it has no time axis": not problem.has_time,
        "it has more than one space axis": len(problem.space_axes) > 1,
        "its domain is no box": problem.geometry is not None,
        "it is periodic in time": "t" in problem.periodic,
        "it has as many equations as it should not": len(problem.equations)
        != len(problem.unknowns),
    }
    for reason, holds in reasons.items():
        if holds:
            raise CannotMarch(reason)
    for condition in problem.conditions:
        where = condition.where
        if not isinstance(where, Plane):
            raise CannotMarch(f"it has a condition on {where}")
        low, high = problem.domain[where.axis]
        is_end = where.value in ((low,) if where.axis == "t" else (low, high))
        if not is_end:
            raise CannotMarch(f"the condition at {where} is not at an end")


__all__ = ["Bracket", "CannotMarch", "MarchingForm", "Row", "Symbol", "guarded"]
