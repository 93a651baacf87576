"""What events do to the states of a march: jumps of values and tangents at their times.

    U⁺ = U⁻ + a(U⁻, θ)  or  U⁺ = a(U⁻, θ),   ∂U⁺/∂θ by the chain rule

Between `unknowns` and `exact_model`; the march calls it where a stretch begins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.instant_formulas import InstantFormulas
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
        form, numbers = self.system.form, self.system.numbers
        nodes = self.system.line.nodes
        formulas = InstantFormulas(self.problem, form.marched, self.parameters, t, nodes)
        for event in self.problem.events:
            if t not in event.times:
                continue
            before, slopes = values[numbers], tangents[numbers]
            values, tangents = values.copy(), tangents.copy()
            for amounts, is_added in ((event.set, False), (event.add, True)):
                for name, amount in amounts.items():
                    rows = self._rows(name)
                    change, moved = formulas.at(amount, before, slopes)
                    values[rows] = change + (values[rows] if is_added else 0.0)
                    tangents[rows] = moved + (tangents[rows] if is_added else 0.0)
        return values, tangents

    def _rows(self, field: str) -> NDArray[np.intp]:
        states = self.system.form.states
        return np.asarray(self.system.numbers[states.number(field, 0)])


__all__ = ["Jumps", "jump_times"]
