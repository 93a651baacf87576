"""Derivatives of brackets in space kept as differences of what is in the bracket.

(a*u_x)_x is the difference of fluxes between nodes, which keeps what flows and carries steps in
a; (u**3)_xx is the second difference of u**3, which keeps its sign. The equation's own text is
read anew for that, since its residual has the chain rule carried out. Above `marched_states`;
`guarded` keeps broken powers of fields that dip below zero from having no value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pinngate.errors import ExpressionError
from pinngate.expression import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    add,
    multiply,
    parse_equation,
    transformed,
    with_tables,
)
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.statement.brackets import Brackets
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.components import named_tables
from pinngate.statement.coordinates import with_laplacians
from pinngate.statement.derivatives import canonical, spelled
from pinngate.statement.field_functions import callable_in, written
from pinngate.statement.problem import Equation, Problem
from pinngate.statement.steps import STEPS, calls_of

BRACKET = "bracket "
NOTHING = 1e-12  # what is held at zero is held this far above: logarithms stay finite


@dataclass(frozen=True)
class Bracket:
    """∂x^order of an expression, which is known between the nodes (`is_staggered`) or on them."""

    inside: Expression
    order: int
    is_staggered: bool


class OpenedBrackets:
    """Equations with names in place of their brackets.

    Args:
        problem: with one space axis, or none.
        axis: the space axis.

    Attributes:
        found: the brackets by those names.
    """

    def __init__(self, problem: Problem, axis: str | None) -> None:
        self._problem, self._axis = problem, axis
        over = {f.name: f.over for f in problem.coefficient_fields}
        self._chain = Brackets(problem.outputs, problem.axes, over)
        self.found: dict[str, Bracket] = {}

    def residual(self, equation: Equation) -> Expression:
        """Return an equation's residual, in the variables in which coefficients are searched for.

        Raises:
            CannotMarch: a bracket with a step cannot be kept.
        """
        problem = self._problem
        try:
            own, tables = problem.field_functions, named_tables(problem)
            typed = parse_equation(equation.text, callable_in(problem.functions, own))
            typed = with_laplacians(written(typed, own), problem.axes, problem.coordinates)
            opened = self._opened(with_tables(typed, tables))
        except ExpressionError as error:
            raise CannotMarch(f"'{equation.text}': {error.what}") from None
        return guarded(searched(problem, canonical(opened, problem.outputs, problem.axes)))

    def _opened(self, expression: Expression) -> Expression:
        """Return an expression with its outermost brackets kept."""
        return transformed(expression, self._kept, _is_bracket)

    def _kept(self, expression: Expression) -> Expression:
        """Return the name that a bracket is kept by, or the bracket carried out."""
        if not _is_bracket(expression):
            return expression
        assert isinstance(expression, Call)
        problem = self._problem
        letters = spelled(expression.function[1:], problem.axes)
        inside = self._chain.expanded(expression.argument)
        inside = canonical(inside, problem.outputs, problem.axes)
        is_plain = isinstance(inside, Name)
        if (
            is_plain
            or set(letters) != {self._axis}
            or self._has_derivatives(inside, lambda a: a == "t")
        ):
            return self._chain.expanded(expression)
        has_derivatives = self._has_derivatives(inside, lambda _: True)
        while len(letters) > (1 if has_derivatives else 2):
            inside, letters = self._chain.expanded(Call(f"_{letters[0]}", inside)), letters[1:]
            has_derivatives = True
        is_staggered = len(letters) == 1 and (has_derivatives or any(calls_of(inside, STEPS)))
        name = f"{BRACKET}{len(self.found)}"
        kept = guarded(searched(problem, inside))
        self.found[name] = Bracket(kept, len(letters), is_staggered)
        return Name(name)

    def _has_derivatives(self, expression: Expression, along: Callable[[str], bool]) -> bool:
        columns = [k for k, axis in enumerate(self._problem.axes) if along(axis)]
        found = self._problem.derivatives(expression).values()
        return any(d.orders[k] for d in found for k in columns)


def guarded(expression: Expression) -> Expression:
    """Return an expression with bases of broken powers, arguments of √ and log held at zero."""
    return transformed(expression, _held)


def _held(part: Expression) -> Expression:
    match part:
        case Binary("**", base, exponent):
            is_whole = isinstance(exponent, Number) and float(exponent.value).is_integer()
            return part if is_whole else Binary("**", _positive_part(base), exponent)
        case Call("sqrt" | "log", argument):
            return Call(part.function, _positive_part(argument))
    return part


def _is_bracket(part: Expression) -> bool:
    return isinstance(part, Call) and part.function.startswith("_")


def _positive_part(base: Expression) -> Expression:
    """Return (b + |b|)/2, and a little."""
    if isinstance(base, Number):
        return base
    half = multiply(Number(0.5), add(base, Call("abs", base)))
    return add(half, Number(NOTHING))
