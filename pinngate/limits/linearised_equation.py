"""A problem linearised about its true field, on nodes in space and at given times.

Feeds the tangent equations of the limit on the error. Every equation and boundary condition
R(u, u_x, u_t, …, c; x, t) = 0 becomes a sum of terms (∂R/∂u_d)·∂_d v and a forcing −∂R/∂c; the
derivatives of R come from `pinngate.expression.differentiate`, those of the true field from the
same finite differences that act on v. Fields of order m in time are written as m states
z_j = ∂t^j u with z_j' = z_{j+1}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.errors import SolveError
from pinngate.expression import ZERO, Expression, differentiate, evaluate, names
from pinngate.limits.modes import conditions_on
from pinngate.reference.stencils import Line
from pinngate.statement.derivatives import Derivative, parse_derivative
from pinngate.statement.problem import Condition, Problem

Array = NDArray[np.float64]
Nodes = NDArray[np.intp]
FieldValues = Callable[[Array], Mapping[str, Array]]


@dataclass(frozen=True)
class Term:
    """coefficient(t, x) · ∂x^order of a state (or of its rate), taken at `at`.

    It stands in the equations of `row_state` at `nodes`: the same nodes as `at`, but for the second
    condition at an end, which is taken at the end and stands one node further in.
    """

    row_state: int
    column_state: int
    order: int
    is_rate: bool
    nodes: Nodes
    at: Nodes
    coefficient: Array  # (times, nodes)


@dataclass(frozen=True)
class Forcing:
    """−∂R/∂c in the rows of a state."""

    row_state: int
    coefficient: str
    nodes: Nodes
    values: Array  # (times, nodes)


@dataclass(frozen=True)
class _Statement:
    """A residual taken `at` some nodes, in place of a state's equations at `nodes`.

    `shift` is how often it is differentiated in time.
    """

    residual: Expression
    row_state: int
    nodes: Nodes
    at: Nodes
    shift: int = 0


def time_orders(problem: Problem) -> dict[str, int]:
    """Return the highest order of the time derivative of each field."""
    at_t = problem.axes.index("t")
    orders = dict.fromkeys(problem.unknowns, 0)
    for equation in problem.equations:
        for d in problem.derivatives(equation.residual).values():
            orders[d.field] = max(orders[d.field], d.orders[at_t])
    return orders


def grid_points(problem: Problem, axis: str, x: Array, times: Array) -> Array:
    """Return all (t, x) pairs, t outermost, as points (len(times)·len(x), axes)."""
    t_values, x_values = np.meshgrid(times, x, indexing="ij")
    columns = {"t": t_values.ravel(), axis: x_values.ravel()}
    return np.column_stack([columns[a] for a in problem.axes])


class Linearisation:
    """The tangent equations Σ terms = forcing of one problem.

    Args:
        problem: one space axis and time.
        truth: the true fields at points (m, axes).
        coefficients: true values of the estimated coefficients.
        axis: the space axis.
        line: its nodes.
        times: where coefficients are evaluated, shape (T,).

    Raises:
        SolveError: the equations cannot be marched in time, one for each unknown.
    """

    def __init__(
        self,
        problem: Problem,
        truth: FieldValues,
        coefficients: Mapping[str, float],
        axis: str,
        line: Line,
        times: Array,
    ) -> None:
        self.problem, self.truth, self.axis = problem, truth, axis
        self.coefficients, self.line, self.times = dict(coefficients), line, times
        self.orders = time_orders(problem)
        if len(problem.equations) != len(problem.unknowns) or 0 in self.orders.values():
            raise SolveError("not every unknown has an equation with its time derivative")
        self.states = [(f, j) for f in problem.unknowns for j in range(self.orders[f])]
        self._matrices: dict[int, scipy.sparse.csr_array] = {}
        self.terms: list[Term] = []
        self.forcing: list[Forcing] = []
        self._build()

    def derivative(self, order: int) -> scipy.sparse.csr_array:
        """Return the matrix of ∂x^order on the nodes."""
        if order not in self._matrices:
            self._matrices[order] = self.line.derivative(order)
        return self._matrices[order]

    def _build(self) -> None:
        boundary = self._boundary_statements()
        taken: list[list[int]] = [[] for _ in self.states]
        for statement in boundary:
            taken[statement.row_state].extend(statement.nodes.tolist())
        free = [np.setdiff1d(np.arange(len(self.line.nodes)), nodes) for nodes in taken]
        statements = list(boundary)
        for f, residual in self._equation_of().items():
            row = self.states.index((f, self.orders[f] - 1))
            statements.append(_Statement(residual, row, free[row], free[row]))
        environment = self._environment(statements)
        for statement in statements:
            self._add(statement, environment)
        for row, (f, j) in enumerate(self.states):
            if j < self.orders[f] - 1:
                one = np.ones((len(self.times), len(free[row])))
                self.terms.append(Term(row, row, 0, True, free[row], free[row], one))
                self.terms.append(Term(row, row + 1, 0, False, free[row], free[row], -one))

    def _add(self, statement: _Statement, environment: Mapping[str, Array | float]) -> None:
        at_x, at_t = self.problem.axes.index(self.axis), self.problem.axes.index("t")
        shape = (len(self.times), len(self.line.nodes))

        def values(expression: Expression) -> Array:
            full = np.broadcast_to(evaluate(expression, environment, np), shape)
            return np.ascontiguousarray(full[:, statement.at], dtype=float)

        for name, d in self.problem.derivatives(statement.residual).items():
            coefficient = values(differentiate(statement.residual, name))
            top, q = self.orders[d.field], d.orders[at_t] + statement.shift
            state = self.states.index((d.field, min(q, top - 1)))
            row, nodes, at = statement.row_state, statement.nodes, statement.at
            self.terms.append(Term(row, state, d.orders[at_x], q == top, nodes, at, coefficient))
        for name in self.coefficients:
            slope = differentiate(statement.residual, name)
            if slope != ZERO:
                self.forcing.append(
                    Forcing(statement.row_state, name, statement.nodes, -values(slope))
                )

    def _equation_of(self) -> dict[str, Expression]:
        """Give each unknown the equation that holds its highest time derivative."""
        free = [e.residual for e in self.problem.equations]
        chosen: dict[str, Expression] = {}
        for f in self.problem.unknowns:
            residual = next((r for r in free if self._is_for(f, r)), None)
            if residual is None:
                raise SolveError(f"no equation of its own gives the time derivative of {f}")
            chosen[f] = residual
            free.remove(residual)
        return chosen

    def _is_for(self, f: str, residual: Expression) -> bool:
        at_t = self.problem.axes.index("t")
        found = self.problem.derivatives(residual).values()
        return any(d.field == f and d.orders[at_t] == self.orders[f] for d in found)

    def _boundary_statements(self) -> list[_Statement]:
        """Put each boundary condition in place of the equation at a node next to the end.

        A condition without time derivatives holds for every state of its field.
        """
        if self.line.period is not None:
            return []
        last = len(self.line.nodes) - 1
        return [
            statement
            for f in self.problem.unknowns
            for value, first, inward in zip(
                self.problem.domain[self.axis], (0, last), (1, -1), strict=True
            )
            for k, condition in enumerate(conditions_on(self.problem, f, self.axis, value))
            for statement in self._end_statements(f, condition, first, first + inward * k)
        ]

    def _end_statements(
        self, f: str, condition: Condition, end: int, node: int
    ) -> Iterator[_Statement]:
        """Yield a condition on a field, taken at the end, in place of the equations at a node."""
        at, nodes = np.array([end]), np.array([node])
        residual, top = condition.residual, self.orders[f] - 1
        at_t = self.problem.axes.index("t")
        derivatives = self.problem.derivatives(residual).values()
        if top and any(d.orders[at_t] for d in derivatives):
            yield _Statement(residual, self.states.index((f, top)), nodes, at)
            return
        if top and set(self.coefficients) & set(names(residual)):
            raise SolveError(
                "an unknown coefficient in a boundary condition on a field of second "
                "order in time is not supported"
            )
        for shift in range(top + 1):
            yield _Statement(residual, self.states.index((f, shift)), nodes, at, shift)

    def _environment(self, statements: list[_Statement]) -> dict[str, Array | float]:
        """Return constants, axes, coefficients and the true derivatives that are needed."""
        environment: dict[str, Array | float] = {
            **self.problem.constants,
            **self.coefficients,
            self.axis: self.line.nodes[None, :],
            "t": self.times[:, None],
        }
        at_x, at_t = self.problem.axes.index(self.axis), self.problem.axes.index("t")
        wanted = self._wanted(statements)
        by_time = {q: self._true_rate(q) for q in {d.orders[at_t] for d in wanted.values()}}
        for name, d in wanted.items():
            values = by_time[d.orders[at_t]][d.field]
            environment[name] = np.asarray((self.derivative(d.orders[at_x]) @ values.T).T)
        return environment

    def _wanted(self, statements: list[_Statement]) -> dict[str, Derivative]:
        """Return the derivatives that stand in the slopes of any residual, by name."""
        needed: set[str] = set()
        for s in statements:
            for name in {*self.problem.derivatives(s.residual), *self.coefficients}:
                needed |= set(names(differentiate(s.residual, name)))
        parsed = {n: parse_derivative(n, self.problem.unknowns, self.problem.axes) for n in needed}
        return {name: d for name, d in parsed.items() if d is not None}

    def _true_rate(self, order: int) -> dict[str, Array]:
        """Return ∂t^order of the true fields at times and nodes, shape (T, n)."""
        if order == 0:
            return self._true_fields(self.times)
        start, end = self.problem.domain["t"]
        delta = 1e-3 * (end - start)  # far below the time scales that matter, far above rounding
        centre = np.clip(self.times, start + delta, end - delta)
        before, here, after = (self._true_fields(centre + shift) for shift in (-delta, 0, delta))
        if order == 1:
            return {f: (after[f] - before[f]) / (2 * delta) for f in here}
        if order == 2:
            return {f: (after[f] - 2 * here[f] + before[f]) / delta**2 for f in here}
        raise SolveError("a time derivative above second order has a coefficient that varies")

    def _true_fields(self, times: Array) -> dict[str, Array]:
        values = self.truth(grid_points(self.problem, self.axis, self.line.nodes, times))
        shape = (len(times), len(self.line.nodes))
        return {f: np.asarray(values[f], dtype=float).reshape(shape) for f in self.problem.unknowns}
