"""The past of a solution while it is integrated: the method of steps for delayed values.

The integration stops wherever a delay puts a kink into the solution, and once in every shortest
delay, so that what the equations ask of the past is solved already (A. Bellen and M. Zennaro,
Numerical Methods for Delay Differential Equations, 2003, chapter 3). Below `runge_kutta`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from pinngate.errors import SolveError
from pinngate.expression import Expression
from pinngate.reference.evolution import evaluated
from pinngate.reference.known import Array
from pinngate.statement.delay_kinks import delay_kinks
from pinngate.statement.delays import TIME, delayed_values
from pinngate.statement.kinks import MOST_STOPS
from pinngate.statement.problem import Problem


class History:
    """What is solved so far, piece by piece, and the past before.

    Args:
        start: the state (components,) at the first of `ends`.
        ends: times between which it is solved, increasing.
        pasts: row of a component → its formula of t.
        known: values of what else the formulas name.
    """

    def __init__(
        self,
        start: Array,
        ends: Array,
        pasts: Mapping[int, Expression],
        known: Mapping[str, float],
    ) -> None:
        self._start, self._pasts, self._known = start, pasts, known
        self.ends = ends
        self._pieces: list[Callable[[float], Array]] = []

    def add(self, piece: Callable[[float], Array]) -> None:
        """Take the solution between the next two ends."""
        self._pieces.append(piece)

    def at(self, row: int, time: float) -> float:
        """Return a component at a time that was solved, or before the start."""
        if time < self.ends[0]:
            past = self._pasts.get(row)
            values = {**self._known, TIME: float(time)}
            return float(self._start[row] if past is None else evaluated(past, values, ()))
        if not self._pieces:
            return float(self._start[row])
        return float(self._pieces[self._place(time)](time)[row])

    def _place(self, time: float) -> int:
        return min(max(bisect_right(self.ends, time) - 1, 0), len(self._pieces) - 1)

    def __call__(self, times: Array) -> Array:
        """Return all components at times (n,): (components, n)."""
        found = np.empty((len(self._start), len(times)))
        places = np.clip(np.searchsorted(self.ends, times, side="right") - 1, 0, None)
        places = np.minimum(places, len(self._pieces) - 1)
        for place in np.unique(places):
            own = places == place
            found[:, own] = self._pieces[place](times[own])
        return found


def stops(problem: Problem, smoothest: int) -> Array:
    """Return the times between which an integration sees solved values alone, ends included.

    Args:
        problem: without delays its stops are the ends of time.
        smoothest: continuous derivatives from which on a kink does not matter.

    Raises:
        SolveError: there would be more than `MOST_STOPS`.
    """
    low, high = problem.domain[TIME]
    values = delayed_values(problem)
    if not values:
        return np.array([low, high])
    shortest = min(value.delay for value in values.values())
    if (high - low) / shortest > MOST_STOPS:
        raise SolveError(f"a delay of {shortest:g} takes more than {MOST_STOPS} steps")
    ends = sorted([low, *delay_kinks(problem, smoothest), high])
    cut = [np.linspace(a, b, 1 + math.ceil((b - a) / shortest))[:-1] for a, b in pairwise(ends)]
    return np.concatenate([*cut, [high]])


__all__ = ["History", "stops"]
