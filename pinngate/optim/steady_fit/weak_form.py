"""A steady problem as fluxes and sources, which elements integrate against test functions.

Every equation is written as Σ_a ∂_a q_a + s = 0, q_a and s in fields, first derivatives, axes and
coefficients, so that with test functions v

    ∫ s v − Σ_a q_a ∂_a v  +  Σ_sides n_a ∫ q_a v = 0

asks for no derivative of a coefficient, which may jump. On a side a condition gives the field, or
its derivative along the normal, with which q_a is known there. Functions on pieces stand in the
formulas by their names alone. Source: G. Strang, G. Fix, An Analysis of the Finite Element Method
(1973), chapter 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pinngate.expression import (
    ZERO,
    Applied,
    Expression,
    Name,
    Piecewise,
    add,
    coefficients_of,
    divide,
    multiply,
    names,
    negate,
    substitute,
    subtract,
    transformed,
)
from pinngate.limits.modes import conditions_on
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.statement.derivatives import Derivative, parse_derivative, total_derivative
from pinngate.statement.problem import Equation, Plane, Problem
from pinngate.statement.steps import step_along


@dataclass(frozen=True)
class Balance:
    """Σ ∂_a q_a + s = 0 for one field: `fluxes` by axis, and the `source` s."""

    fluxes: Mapping[str, Expression]
    source: Expression

    @property
    def formulas(self) -> tuple[Expression, ...]:
        """The source, then the fluxes."""
        return self.source, *self.fluxes.values()


@dataclass(frozen=True)
class Side:
    """What holds of a field where an axis ends.

    Attributes:
        field: index of the field.
        axis: index of the axis.
        end: 0 at the low end, 1 at the high one.
        value: residual of the field there; None where its flux is known.
        flux: q_a there, in the fields; None where the field is known.
    """

    field: int
    axis: int
    end: int
    value: Expression | None = None
    flux: Expression | None = None


class SteadyForm:
    """The balances and sides of a steady problem.

    Args:
        problem: what is solved; its truth is never read.

    Attributes:
        balances: one for each unknown, in their order.
        sides: of every unknown at both ends of every axis.

    Raises:
        CannotMarch: it is of another class, and why.
    """

    axis = None
    open_ends = (False, False)
    marched = ()

    def __init__(self, problem: Problem) -> None:
        _refuse(problem)
        self.problem = problem
        found = [_balance(problem, equation) for equation in problem.equations]
        self.balances = tuple(self._of_field(f, found) for f in problem.unknowns)
        self.sides = tuple(self._sides())

    def stated_initial(self, state: int) -> Expression | None:
        """There are no initial states."""
        return None

    def _of_field(self, field: str, free: list[Balance]) -> Balance:
        """Return the first balance left whose fluxes hold derivatives of a field."""
        for balance in free:
            found = (parse_derivative(n, (field,), self.problem.axes) for n in _named(balance))
            if any(d is not None and d.order for d in found):
                free.remove(balance)
                return balance
        raise CannotMarch(f"no equation of second order is that of {field}")

    def _sides(self) -> Iterator[Side]:
        problem = self.problem
        for k, field in enumerate(problem.unknowns):
            for a, axis in enumerate(problem.axes):
                for end, value in enumerate(problem.domain[axis]):
                    stated = conditions_on(problem, field, axis, value)
                    if len(stated) != 1:
                        where = f"{axis} = {value:g}"
                        raise CannotMarch(f"{field} has {len(stated)} conditions at {where}")
                    yield self._side(k, a, end, on_names(stated[0].residual))

    def _side(self, field: int, axis: int, end: int, residual: Expression) -> Side:
        problem = self.problem
        derivatives = problem.derivatives(residual)
        if not any(d.order for d in derivatives.values()):
            return Side(field, axis, end, value=residual)
        along = f"{problem.unknowns[field]}_{problem.axes[axis]}"
        linear, rest = coefficients_of(residual, {along})
        if set(linear) != {along} or any(d.order for d in problem.derivatives(rest).values()):
            raise CannotMarch(f"a condition gives neither {problem.unknowns[field]} nor {along}")
        slope = divide(negate(rest), linear[along])
        flux = self.balances[field].fluxes.get(problem.axes[axis], ZERO)
        return Side(field, axis, end, flux=substitute(flux, {along: slope}))


def on_names(expression: Expression) -> Expression:
    """Return a formula with the names of functions on pieces in their place."""

    def change(part: Expression) -> Expression:
        match part:
            case Applied(Piecewise(name=name), by=()):
                return Name(name)
        return part

    return transformed(expression, change)


def _named(balance: Balance) -> set[str]:
    return {name for flux in balance.fluxes.values() for name in names(flux)}


def _balance(problem: Problem, equation: Equation) -> Balance:
    """Return an equation as fluxes and a source."""
    residual, insides = equation.residual, {f.name: f.inside for f in problem.fluxes}
    kept = {n: d for n, d in problem.derivatives(residual).items() if _is_differenced(problem, d)}
    linear, source = coefficients_of(residual, set(kept))
    if set(linear) != set(kept):
        raise CannotMarch(f"'{equation.text}' is not linear in its highest derivatives")
    fluxes: dict[str, Expression] = {}
    for name, derivative in kept.items():
        axis, inside = _under(problem, derivative)
        factor = linear[name]
        fluxes[axis] = add(fluxes.get(axis, ZERO), multiply(factor, inside))
        source = subtract(source, multiply(_slope(problem, factor, axis), inside))
    fluxes = {axis: on_names(substitute(flux, insides)) for axis, flux in fluxes.items()}
    found = Balance(fluxes, on_names(substitute(source, insides)))
    if _highest_order(problem, found) > 1:
        raise CannotMarch(f"'{equation.text}' has derivatives that no flux holds")
    return found


def _highest_order(problem: Problem, balance: Balance) -> int:
    named = (d for e in balance.formulas for d in problem.derivatives(e).values())
    return max((derivative.order for derivative in named), default=0)


def _is_differenced(problem: Problem, derivative: Derivative) -> bool:
    """Whether a derivative is that of a flux: of the second order, or the first of a bracket."""
    return derivative.order >= (1 if derivative.field in problem.hidden else 2)


def _under(problem: Problem, derivative: Derivative) -> tuple[str, Expression]:
    """Return the axis of the last derivative, and what is under it."""
    name, orders = derivative.field, derivative.orders
    axis = problem.axes[max(range(len(orders)), key=orders.__getitem__)]
    if max(orders) != sum(orders) or sum(orders) > (1 if name in problem.hidden else 2):
        raise CannotMarch(f"a derivative of {name} of order {sum(orders)} is no flux's")
    return axis, Name(name if name in problem.hidden else f"{name}_{axis}")


def _slope(problem: Problem, factor: Expression, axis: str) -> Expression:
    """Return the derivative of what multiplies a derivative of a flux."""
    if step_along(factor, axis, partial(_varies, problem, axis)) is not None:
        raise CannotMarch("a step multiplies a derivative from outside its bracket")
    return total_derivative(factor, axis, problem.outputs, problem.axes, {})


def _varies(problem: Problem, axis: str, name: str) -> bool:
    return name == axis or parse_derivative(name, problem.outputs, problem.axes) is not None


def _refuse(problem: Problem) -> None:
    reasons = {
        "it has a time axis": problem.has_time,
        "it has more than two axes": len(problem.axes) > 2,
        "its domain is no box": problem.geometry is not None,
        "it is periodic": bool(problem.periodic),
        "its axes are no straight lines": bool(problem.coordinates),
        "a coefficient varies smoothly": bool(problem.coefficient_fields),
        f"it has {len(problem.equations)} equations for {len(problem.unknowns)} unknowns": (
            len(problem.equations) != len(problem.unknowns)
        ),
        "a condition holds on a part of a side": any(
            not isinstance(condition.where, Plane) for condition in problem.conditions
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            raise CannotMarch(reason)


__all__ = ["Balance", "Side", "SteadyForm", "on_names"]
