"""Coefficients that are constant on pieces, at points: from one number for each piece.

Above `problem`; what is a number of each piece, its value, deviation or an end of its interval,
becomes a function of the axes here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import evaluate
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


def on_pieces(problem: Problem, numbers: Mapping[str, float], points: Array) -> dict[str, Array]:
    """Return by name what every function on pieces is at points (n, axes), (n,).

    Args:
        problem: states the pieces.
        numbers: of each piece, by its name.
        points: on a break, the mean of both sides counts.
    """
    known = {**numbers, **dict(zip(problem.axes, points.T, strict=True))}
    return {own.name: np.asarray(evaluate(own.expression, known, np)) for own in problem.pieces}


__all__ = ["on_pieces"]
