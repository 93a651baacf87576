"""What an evolution carries in time: every unknown with its time derivatives below the highest.

Bottom of `direct_fit`: the names of derivatives in formulas as derivatives of states and rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pinngate.errors import SolveError
from pinngate.expression import Expression, Name, coefficients_of, differentiate, names
from pinngate.statement.derivatives import Derivative, derivative_name, parse_derivative
from pinngate.statement.problem import Problem
from pinngate.statement.steps import has_step_of

RATE = "rate of "


class CannotMarch(SolveError):  # noqa: N818 - a reason, told to whoever asked
    """The reason why a problem has no direct fit."""


class MarchFailed(Exception):  # noqa: N818 - an outcome
    """The state grew without bound, or no step length was short enough."""


@dataclass(frozen=True)
class Symbol:
    """∂x^order of a state or of its rate."""

    state: int
    order: int
    is_rate: bool


@dataclass(frozen=True)
class MarchedStates:
    """The states of a problem with time and at most one space axis.

    Raises:
        CannotMarch: no equation holds a time derivative of an unknown.
    """

    problem: Problem

    @property
    def axis(self) -> str | None:
        """The space axis, None for ordinary differential equations."""
        return self.problem.space_axes[0] if self.problem.space_axes else None

    @cached_property
    def orders(self) -> dict[str, int]:
        """Order in time of each unknown."""
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

    @cached_property
    def all(self) -> list[tuple[str, int]]:
        """Field and order in time of every state."""
        return [(f, j) for f, m in self.orders.items() for j in range(m)]

    def number(self, field: str, in_time: int) -> int:
        """Return the number of a state."""
        return self.all.index((field, in_time))

    def name(self, field: str, in_time: int) -> str:
        """Return the name of a time derivative in formulas."""
        orders = tuple(in_time if a == "t" else 0 for a in self.problem.axes)
        return derivative_name(Derivative(field, orders), self.problem.axes)

    def rate(self, state: int) -> Name:
        """Return the name that stands for the rate of a state that is not the field's last."""
        return Name(f"{RATE}{state}")

    def symbol(self, name: str) -> Symbol | None:
        """Return what a name means, None where it is no derivative of a state."""
        if name.startswith(RATE):
            return Symbol(int(name.removeprefix(RATE)), 0, True)
        found = parse_derivative(name, self.problem.unknowns, self.problem.axes)
        return None if found is None else self.symbol_of(found)

    def symbol_of(self, derivative: Derivative) -> Symbol:
        """Return a derivative of a field as one of a state or its rate.

        Raises:
            CannotMarch: it is of a higher order in time than the field's equation.
        """
        by_axis = dict(zip(self.problem.axes, derivative.orders, strict=True))
        top, in_time = self.orders[derivative.field], by_axis["t"]
        if in_time > top:
            raise CannotMarch(f"a derivative of {derivative.field} is above its equation's order")
        state = self.number(derivative.field, min(in_time, top - 1))
        return Symbol(state, by_axis.get(self.axis or "", 0), in_time == top)

    def named_in(self, expression: Expression) -> dict[str, Symbol]:
        """Return the derivatives of states that an expression names."""
        found = ((name, self.symbol(name)) for name in names(expression))
        return {name: symbol for name, symbol in found if symbol is not None}

    def is_linear(self, expression: Expression, others: frozenset[str] = frozenset()) -> bool:
        """Whether an expression is linear in states, rates and other names together."""
        symbols = {*self.named_in(expression), *others}
        _, rest = coefficients_of(expression, symbols)
        return not symbols & set(names(rest)) and not has_step_of(expression, symbols)

    def is_quasilinear(self, expression: Expression) -> bool:
        """Whether what multiplies a derivative in space depends on a state."""
        return any(
            self.named_in(differentiate(expression, name))
            for name, symbol in self.named_in(expression).items()
            if symbol.order > 0
        )
