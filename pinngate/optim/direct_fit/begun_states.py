"""States that conditions at the initial time give as formulas, with their slopes in θ.

Below `unknowns`, which knows the states that are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Expression, differentiate, evaluate, names
from pinngate.optim.direct_fit.placed_formulas import Parameters
from pinngate.statement.derivatives import Derivative, derivative_name
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


class BegunStates:
    """Formulas at the initial time at places of the space axis.

    Args:
        problem: the problem.
        marched: fields and orders in time of the states.
        parameters: what is unknown.
        x: the places, (n,).
    """

    def __init__(
        self,
        problem: Problem,
        marched: Sequence[tuple[str, int]],
        parameters: Parameters,
        x: Array,
    ) -> None:
        self.problem, self.parameters, self.x = problem, parameters, x
        self._start = np.array([problem.domain["t"][0]])
        self._known: dict[str, Any] = {**problem.constants, "t": float(self._start[0])}
        for axis in problem.space_axes:
            self._known[axis] = x
        self._states = {_name(f, order, problem): k for k, (f, order) in enumerate(marched)}

    def formula(self, stated: Expression, states: Array, tangents: Array) -> tuple[Array, Array]:
        """Return a formula's values (n,) and its slopes in θ (n, P): the chain rule.

        Args:
            stated: it names free states, what is unknown and what is known.
            states: the free ones, (S, n).
            tangents: ∂/∂θ of those, (S, n, P).
        """
        found = {}
        for name in names(stated):
            if name in self._states:
                found[name] = states[self._states[name]], tangents[self._states[name]]
            elif name not in self._known and (own := self._unknown(name)) is not None:
                found[name] = own
        known = self._known | {name: value for name, (value, _) in found.items()}
        slopes = np.zeros((len(self.x), self.parameters.count))
        for name, (_, slope) in found.items():
            outer = np.asarray(evaluate(differentiate(stated, name), known, np), dtype=float)
            slopes += outer.reshape(-1, 1) * slope
        value = np.asarray(evaluate(stated, known, np), dtype=float)
        return np.broadcast_to(value, self.x.shape), slopes

    def _unknown(self, name: str) -> tuple[Array, Array] | None:
        """Return a coefficient or a function at the places, and its slopes."""
        value = self.parameters.values(name, self._start, self.x)
        if value is None:
            return None
        columns, basis = self.parameters.slopes(name, self._start, self.x)
        slopes = np.zeros((len(self.x), self.parameters.count))
        slopes[:, columns] = basis[:, 0]
        return np.broadcast_to(np.ravel(value), self.x.shape), slopes


def _name(field: str, order: int, problem: Problem) -> str:
    orders = tuple(order if axis == "t" else 0 for axis in problem.axes)
    return derivative_name(Derivative(field, orders), problem.axes)


__all__ = ["BegunStates"]
