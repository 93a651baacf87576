"""What events do to the states of a march: jumps of values and tangents at their times.

    U⁺ = U⁻ + a(U⁻, θ)  or  U⁺ = a(U⁻, θ),   ∂U⁺/∂θ by the chain rule

Between `unknowns` and `exact_model`; the march calls it where a stretch begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Expression, differentiate, evaluate, names
from pinngate.optim.direct_fit.semidiscrete import SemiDiscrete
from pinngate.optim.direct_fit.unknowns import ParametersAt
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


def jump_times(problem: Problem) -> list[float]:
    """Return the times of all events, sorted."""
    return sorted({t for event in problem.events for t in event.times})


class Jumps:
    """The events of a problem at one θ.

    Args:
        system: the states and their places.
        parameters: what formulas see of θ.
    """

    def __init__(self, system: SemiDiscrete, parameters: ParametersAt) -> None:
        self.system, self.parameters = system, parameters
        self.problem = system.form.problem

    def after(self, t: float, values: Array, tangents: Array) -> tuple[Array, Array]:
        """Return states (N,) and tangents (N, P) after the events of a time, themselves if none."""
        for event in self.problem.events:
            if t not in event.times:
                continue
            before, slopes = values.copy(), tangents.copy()
            values, tangents = values.copy(), tangents.copy()
            for amounts, is_added in ((event.set, False), (event.add, True)):
                for name, amount in amounts.items():
                    rows = self._rows(name)
                    change, moved = self._amount(amount, t, before, slopes)
                    values[rows] = change + (values[rows] if is_added else 0.0)
                    tangents[rows] = moved + (tangents[rows] if is_added else 0.0)
        return values, tangents

    def _rows(self, field: str) -> NDArray[np.intp]:
        states = self.system.form.states
        return np.asarray(self.system.numbers[states.number(field, 0)])

    def _amount(
        self, amount: Expression, t: float, values: Array, tangents: Array
    ) -> tuple[Array, Array]:
        """Return an amount at all places (n,), and ∂/∂θ of it (n, P)."""
        problem, axis = self.problem, self.system.form.axis
        x, time = self.system.line.nodes, np.array([t])
        known: dict[str, Any] = {**problem.constants, "t": t}
        if axis is not None:
            known[axis] = x
        slopes = np.zeros((len(x), tangents.shape[1]))
        seen: Mapping[str, Any] = {n: self._named(n, time, x, values) for n in names(amount)}
        known |= {name: value for name, value in seen.items() if value is not None}
        for name, value in seen.items():
            if value is None:
                continue
            outer = np.broadcast_to(evaluate(differentiate(amount, name), known, np), (len(x),))
            if name in problem.unknowns:
                slopes += outer[:, None] * tangents[self._rows(name)]
            else:
                columns, inner = self.parameters.slopes(name, time, x)
                slopes[:, columns] += outer[:, None] * inner[:, 0]
        found = np.broadcast_to(evaluate(amount, known, np), (len(x),))
        return np.asarray(found, dtype=float), slopes

    def _named(self, name: str, t: Array, x: Array, values: Array) -> Any:
        """Return what a name is at all places, None where it is nothing that is searched for."""
        if name in self.problem.unknowns:
            return values[self._rows(name)]
        found = self.parameters.values(name, t, x)
        return None if found is None else np.ravel(found)


__all__ = ["Jumps", "jump_times"]
