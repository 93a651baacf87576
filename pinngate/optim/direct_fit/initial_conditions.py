"""What the conditions at the initial time say of states, together: eliminated one by one.

    S + I = N            S := N − I
    u_t + c u = 0        u_t := −c u
    T_t = 0              T := … from T's equation, a steady beginning

Each condition gives the state that it is linear in, the highest in time first, in terms of those
that stay free; rates are those that ordinary equations give. Above `marched_states`, below
`marching_form`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pinngate.expression import (
    Expression,
    coefficients_of,
    constant_value,
    divide,
    names,
    negate,
    substitute,
)
from pinngate.optim.direct_fit.marched_states import CannotMarch, MarchedStates
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.problem import Condition, Plane, Problem


def initial_states(
    problem: Problem, states: MarchedStates, rows: Mapping[int, Expression]
) -> dict[int, Expression]:
    """Return what is known of states at the initial time, in free states, by state.

    Args:
        problem: with its conditions.
        states: what is marched.
        rows: the residual of each state's equation.

    Raises:
        CannotMarch: a condition gives no state, or contradicts those before it.
    """
    start = Plane("t", problem.domain["t"][0])
    stated = [condition for condition in problem.conditions if condition.where == start]
    found: dict[int, Expression] = {}
    for condition in sorted(stated, key=lambda c: len(states.named_in(c.residual))):
        residual = _in_states(searched(problem, condition.residual), states, rows)
        residual = substitute(residual, {_name(states, k): e for k, e in found.items()})
        if not states.named_in(residual):
            _repeated(problem, condition, residual)
            continue
        state, expression = _given(states, condition, residual)
        known = {_name(states, state): expression}
        found = {k: substitute(e, known) for k, e in found.items()} | {state: expression}
    return found


def _name(states: MarchedStates, state: int) -> str:
    return states.name(*states.all[state])


def _in_states(
    residual: Expression, states: MarchedStates, rows: Mapping[int, Expression]
) -> Expression:
    """Replace rates by what the equations of ordinary problems give for them."""
    rates = {n: s for n, s in states.named_in(residual).items() if s.is_rate and not s.order}
    if states.axis is not None:
        return residual
    given: dict[str, Expression] = {}
    for name, symbol in rates.items():
        linear, rest = coefficients_of(rows[symbol.state], {name})
        if set(linear) == {name} and not _rates_in(states, rest, linear[name]):
            given[name] = divide(negate(rest), linear[name])
    return substitute(residual, given)


def _rates_in(states: MarchedStates, *expressions: Expression) -> bool:
    return any(s.is_rate for e in expressions for s in states.named_in(e).values())


def _given(
    states: MarchedStates, condition: Condition, residual: Expression
) -> tuple[int, Expression]:
    """Return the state that a condition gives, and what it is."""
    named = states.named_in(residual)
    is_of_states = not any(s.is_rate or s.order for s in named.values())
    highest_first = sorted(
        named.items(), key=lambda pair: (-states.all[pair[1].state][1], pair[1].state)
    )
    for name, symbol in highest_first if is_of_states else ():
        linear, rest = coefficients_of(residual, {name})
        if set(linear) == {name} and not (states.named_in(linear[name]) or name in names(rest)):
            return symbol.state, divide(negate(rest), linear[name])
    raise CannotMarch(
        f"the condition {condition.text} at the initial time gives no state by itself"
    )


def _repeated(problem: Problem, condition: Condition, residual: Expression) -> None:
    """Let a condition that others imply pass: whatever coefficients are, nothing is left of it."""
    free = set(names(residual)) - set(problem.constants)
    linear, rest = coefficients_of(residual, free)
    parts = [rest, *linear.values()]
    is_known = all(set(names(part)) <= set(problem.constants) for part in parts)
    if not is_known or any(constant_value(part, problem.constants) != 0 for part in parts):
        raise CannotMarch(f"the condition {condition.text} is one too many at the initial time")


__all__ = ["initial_states"]
