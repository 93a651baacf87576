"""A problem as rows that are marched in time: equations, closed by conditions, as residuals.

Each state has a row R(t, x, states, rates, coefficients) = 0 at every node, and at an end where a
condition is stated that condition instead, with its derivatives in time for the states above it.
Nothing is solved for symbolically, so that equations may be coupled in their rates and conditions
nonlinear. Where an end lacks the condition that an equation of second order in space asks for,
the domain is taken to go on beyond it (`open_ends`). Above `marched_states`, below
`semidiscrete`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from pinngate.expression import (
    Expression,
    Name,
    names,
    substitute,
    subtract,
)
from pinngate.limits.modes import conditions_on
from pinngate.optim.direct_fit.initial_conditions import initial_states
from pinngate.optim.direct_fit.marched_states import CannotMarch, MarchedStates
from pinngate.optim.direct_fit.opened_brackets import OpenedBrackets, guarded
from pinngate.optim.direct_fit.switching import switch_arguments, with_switches
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.condition_windows import with_joined_windows
from pinngate.statement.constraints import with_constraints_in_time
from pinngate.statement.delays import delayed_values
from pinngate.statement.derivatives import total_derivative
from pinngate.statement.problem import Plane, Problem


@dataclass(frozen=True)
class Row:
    """residual = 0 for a state: at every node where `end` is None.

    Else at the low end, 0, or the high one, 1, in place of the state's row `layer` nodes from it.
    """

    residual: Expression
    state: int
    end: int | None = None
    layer: int = 0


class MarchingForm:
    """The rows of a problem with time and at most one space axis.

    Args:
        problem: what is marched; its truth is never read.

    Attributes:
        states: what is marched.
        brackets: by the name that stands for each in the rows.
        open_ends: whether the domain goes on beyond its low and its high end.
        rows: for all states.
        switches: the arguments of steps whose times are not known, see `switching`.

    Raises:
        CannotMarch: it is of another class, and why.
    """

    def __init__(self, problem: Problem) -> None:
        problem = with_constraints_in_time(with_joined_windows(problem))
        _refuse(problem)
        self.problem, self.states = problem, MarchedStates(problem)
        self.axis = self.states.axis
        opened = OpenedBrackets(problem, self.axis)
        residuals = [opened.residual(equation) for equation in problem.equations]
        self.brackets = opened.found
        self._space_orders = {f: self._space_order(f, residuals) for f in problem.unknowns}
        self.open_ends = self._open_ends()
        inside = list(self._inside(residuals))
        self._initial = initial_states(problem, self.states, {r.state: r.residual for r in inside})
        self.switches = switch_arguments(self.states, [row.residual for row in inside])
        inside = [replace(r, residual=with_switches(r.residual, self.switches)) for r in inside]
        self.rows = (*inside, *self._at_ends())

    @property
    def marched(self) -> tuple[tuple[str, int], ...]:
        """Fields and orders in time of the states."""
        return tuple(self.states.all)

    @property
    def is_linear(self) -> bool:
        """Whether every row is linear in states and rates."""
        brackets = frozenset(self.brackets)
        inside = (self.states.is_linear(b.inside) for b in self.brackets.values())
        return all(self.states.is_linear(r.residual, brackets) for r in self.rows) and all(inside)

    @property
    def is_quasilinear(self) -> bool:
        """Whether what multiplies a derivative in space depends on a field: fronts may be sharp."""
        if any(
            b.order == 2 and not self.states.is_linear(b.inside) for b in self.brackets.values()
        ):
            return True
        expressions = [row.residual for row in self.rows if row.end is None]
        expressions += [b.inside for b in self.brackets.values()]
        return any(map(self.states.is_quasilinear, expressions))

    def stated_initial(self, state: int) -> Expression | None:
        """Return what the conditions say of a state at the initial time, None where nothing.

        It may name other states, of which they say nothing.
        """
        return self._initial.get(state)

    def _space_order(self, field: str, residuals: list[Expression]) -> int:
        """Return the highest derivative of a field along the space axis."""
        expressions = [(residual, 0) for residual in residuals]
        expressions += [(b.inside, b.order) for b in self.brackets.values()]
        found = [
            order + symbol.order
            for expression, order in expressions
            for symbol in self.states.named_in(expression).values()
            if self.states.all[symbol.state][0] == field
        ]
        return max(found, default=0)

    def _inside(self, residuals: list[Expression]) -> Iterator[Row]:
        last = {f: self.states.number(f, top - 1) for f, top in self.states.orders.items()}
        holds = [[self._holds_rate(r, state) for r in residuals] for state in last.values()]
        order = np.abs(np.subtract.outer(range(len(last)), range(len(residuals))))
        own = linear_sum_assignment(np.where(holds, order, order.size**2))[1]
        for k, (f, top) in enumerate(self.states.orders.items()):
            for j in range(top - 1):
                state, following = self.states.number(f, j), Name(self.states.name(f, j + 1))
                yield Row(subtract(self.states.rate(state), following), state)
            if not holds[k][own[k]]:
                raise CannotMarch(f"no equation of its own gives the time derivative of {f}")
            yield Row(residuals[own[k]], last[f])

    def _holds_rate(self, residual: Expression, state: int) -> bool:
        found = self.states.named_in(residual).values()
        return any(symbol.is_rate and symbol.state == state for symbol in found)

    @property
    def _ends(self) -> tuple[tuple[int, float], ...]:
        if self.axis is None or self.axis in self.problem.periodic:
            return ()
        return tuple(enumerate(self.problem.domain[self.axis]))

    def _open_ends(self) -> tuple[bool, bool]:
        """Find the ends without conditions, and refuse those with too few or too many."""
        found = [False, False]
        for k, value in self._ends:
            where = f"{self.axis} = {value:g}"
            stated = {
                f: len(conditions_on(self.problem, f, self.axis or "", value))
                for f in self.problem.unknowns
            }
            for f, order in self._space_orders.items():
                if stated[f] > max(1, order // 2):
                    raise CannotMarch(f"{f} has {stated[f]} conditions at {where}")
                lacks = stated[f] < order // 2
                if lacks and (any(stated.values()) or order > 3):
                    raise CannotMarch(f"{f} lacks a condition at {where}")
                found[k] |= lacks
        if found[0] and self.axis in self.problem.coordinates:
            raise CannotMarch(f"a condition is missing at the low end of {self.axis}")
        return found[0], found[1]

    def _at_ends(self) -> Iterator[Row]:
        insides = {flux.name: flux.inside for flux in self.problem.fluxes}
        for k, value in self._ends:
            for f in self.problem.unknowns:
                stated = conditions_on(self.problem, f, self.axis or "", value)
                residuals = [substitute(condition.residual, insides) for condition in stated]
                if self.open_ends[k] and self._space_orders[f] > 1:
                    residuals = [Name(f"{f}_{self.axis}")]  # far away nothing changes
                for layer, residual in enumerate(residuals):
                    yield from self._levels(f, residual, k, layer)

    def _levels(self, field: str, residual: Expression, end: int, layer: int) -> Iterator[Row]:
        """Yield a condition for the states of a field that it determines, the lowest first."""
        problem, top = self.problem, self.states.orders[field]
        over = {f.name: f.over for f in problem.coefficient_fields}
        at_t = problem.axes.index("t")
        found = problem.derivatives(residual).values()
        level = max((d.orders[at_t] for d in found if d.field == field), default=0)
        for j in range(min(level, top - 1), top):
            state = self.states.number(field, j)
            yield Row(guarded(searched(problem, residual)), state, end, layer)
            residual = total_derivative(residual, "t", problem.outputs, problem.axes, over)


def _refuse(problem: Problem) -> None:
    reasons: Mapping[str, bool] = {
        "it has no time axis": not problem.has_time,
        "it has more than one space axis": len(problem.space_axes) > 1,
        "its domain is no box": problem.geometry is not None,
        "it is periodic in time": "t" in problem.periodic,
        "it holds values at earlier times": bool(delayed_values(problem)),
        f"it has {len(problem.equations)} equations for {len(problem.unknowns)} unknowns": (
            len(problem.equations) != len(problem.unknowns)
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            raise CannotMarch(reason)
    for condition in problem.conditions:
        where = condition.where
        if not isinstance(where, Plane):
            raise CannotMarch(f"it has a condition on {where}")
        ends = problem.domain[where.axis][: 1 if where.axis == "t" else 2]
        if where.value not in ends:
            raise CannotMarch(f"the condition at {where} is not at an end")
        if where.axis == "t" and not names(condition.residual):
            raise CannotMarch(f"the condition at {where} names nothing")
