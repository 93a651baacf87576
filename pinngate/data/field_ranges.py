"""Over which range an unknown function of a field is searched for: that of the measured values.

Of an argument that is an axis, that of the axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.errors import DataError
from pinngate.expression.printing import to_text
from pinngate.statement.placed_functions import placed, places_of
from pinngate.statement.problem import Problem
from pinngate.statement.unknown_quantities import FieldFunction

BEYOND = 0.05  # of the range of the data: what noise or a gap between two of them may have hidden


def with_ranges(problem: Problem, sets: Sequence[ObservationSet]) -> Problem:
    """Return the problem with its functions of fields on the ranges of what was measured.

    Args:
        problem: of which the functions may state a range.
        sets: its observations.

    Raises:
        DataError: a function states none, and nothing measures what it is a function of.
    """
    ranges = {
        f.name: tuple(
            ends or problem.domain.get(over) or _measured(problem, sets, f, k)
            for k, (over, ends) in enumerate(zip(f.over, f.ranges, strict=True))
        )
        for f in problem.field_functions
    }
    return placed(problem, ranges) if ranges else problem


def _measured(
    problem: Problem, sets: Sequence[ObservationSet], function: FieldFunction, argument: int
) -> tuple[float, float]:
    """Return the range of the values of one of its arguments, and a little more."""
    places = {places[argument]: None for places in places_of(problem, function.name)}
    seen = [data.as_measured for data in sets if data.mean is None]
    values = [data.values for data in seen if data.expression in places]
    low, high = _ends(np.concatenate([np.zeros(0), *values]))
    if low >= high:
        over = ", ".join(map(to_text, places))
        raise DataError(
            f"no data tell the range of {over}, of which '{function.name}' is a function",
            expected=f"observations of {over}, or a range: {_stated(function, argument)}",
        )
    return low - BEYOND * (high - low), high + BEYOND * (high - low)


def _stated(function: FieldFunction, argument: int) -> str:
    """Return how a file states the range of an argument."""
    own = "[0, 1]" if len(function.over) == 1 else f"{{{function.over[argument]}: [0, 1]}}"
    return f"{{{function.name}: {{range: {own}}}}}"


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the least and the largest, zeros of none."""
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


__all__ = ["with_ranges"]
