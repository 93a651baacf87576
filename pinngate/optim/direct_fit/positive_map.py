"""Initial states of fields that are positive: a softplus of what is searched for.

    u = S log(1 + exp(k v/S)) / k,   k = SHARP,

is v but near zero and positive everywhere; the smallest that is told from zero is a millionth of
the size S. The form is that of positive functions of fields (`statement.free_variables`). Below
`unknowns`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.statement.free_variables import LEAST, SHARP
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PositiveMap:
    """v ↦ u for a state of some size S."""

    size: float

    def __call__(self, v: Array) -> tuple[Array, Array]:
        """Return u (n,) and du/dv (n,)."""
        steep = SHARP * v / self.size
        return self.size * np.logaddexp(0, steep) / SHARP, np.exp(-np.logaddexp(0, -steep))

    def inverse(self, u: Array) -> Array:
        """Return v of values, of the least above zero where they are not."""
        share = SHARP * np.maximum(u / self.size, LEAST)
        return np.asarray(self.size * (share + np.log(-np.expm1(-share))) / SHARP)


def positive_map(problem: Problem, state: tuple[str, int], size: float) -> PositiveMap | None:
    """Return the map of a state, field and order in time; None where it may be negative."""
    field, order = state
    return PositiveMap(float(size)) if order == 0 and field in problem.positive else None


__all__ = ["PositiveMap", "positive_map"]
