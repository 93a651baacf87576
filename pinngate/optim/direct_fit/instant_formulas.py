"""Formulas of states and what is unknown at one instant, at all places, with their slopes in θ.

What conditions say of states at the initial time, and what events do to them. Over `chain_rule`,
below `unknowns` and `jumps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Expression, names
from pinngate.optim.direct_fit.chain_rule import chain_rule
from pinngate.optim.direct_fit.placed_formulas import Parameters
from pinngate.statement.derivatives import Derivative, derivative_name
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


class InstantFormulas:
    """Formulas at one time and places of the space axis.

    Args:
        problem: the problem.
        marched: fields and orders in time of the states.
        parameters: what is unknown.
        t: the time.
        x: the places, (n,).
    """

    def __init__(
        self,
        problem: Problem,
        marched: Sequence[tuple[str, int]],
        parameters: Parameters,
        t: float,
        x: Array,
    ) -> None:
        self.parameters, self.x, self._time = parameters, x, np.array([t])
        self._known: dict[str, Any] = {**problem.constants, "t": t}
        for axis in problem.space_axes:
            self._known[axis] = x
        self._states = {_name(f, order, problem): k for k, (f, order) in enumerate(marched)}

    def at(self, stated: Expression, states: Array, tangents: Array) -> tuple[Array, Array]:
        """Return a formula's values (n,) and its slopes in θ (n, P).

        Args:
            stated: it names states, what is unknown and what is known.
            states: (S, n).
            tangents: ∂/∂θ of those, (S, n, P).
        """
        found = {}
        for name in names(stated):
            if name in self._states:
                found[name] = states[self._states[name]], tangents[self._states[name]]
            elif name not in self._known and (own := self._unknown(name)) is not None:
                found[name] = own
        return chain_rule(stated, found, self._known, tangents.shape[1:])

    def _unknown(self, name: str) -> tuple[Array, Array] | None:
        """Return a coefficient or a function at the places, and its slopes."""
        value = self.parameters.values(name, self._time, self.x)
        if value is None:
            return None
        columns, basis = self.parameters.slopes(name, self._time, self.x)
        slopes = np.zeros((len(self.x), self.parameters.count))
        slopes[:, columns] = basis[:, 0]
        return np.broadcast_to(np.ravel(value), self.x.shape), slopes


def _name(field: str, order: int, problem: Problem) -> str:
    orders = tuple(order if axis == "t" else 0 for axis in problem.axes)
    return derivative_name(Derivative(field, orders), problem.axes)


__all__ = ["InstantFormulas"]
