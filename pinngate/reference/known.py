"""What every reference solution looks like, and fields tabulated on a tensor grid.

A `Reference` is the truth to judge a run by: a function of points, the words that say how it was
computed, and an estimate of its error. The solvers of this package hand their tables to
`GridField`, a tensor product of interpolating splines (C. de Boor, A Practical Guide to Splines).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError, SolveError

Array = NDArray[np.float64]
MAX_TIMES = 200_000  # rows of a table in time
Initial = Callable[[dict[str, Array]], Array]


@dataclass(frozen=True)
class Reference:
    """A reference solution: call it with points (n, axes) for each unknown's values (n,).

    Attributes:
        axes: names of the columns of the points.
        domain: (low, high) of each axis; other points are refused.
        evaluate: the fields as functions of points inside the domain.
        method: how it was computed, in words.
        error_estimate: estimated relative L2 error (two resolutions compared), None if exact or
            unknown.
    """

    axes: tuple[str, ...]
    domain: Mapping[str, tuple[float, float]]
    evaluate: Callable[[Array], dict[str, Array]]
    method: str
    error_estimate: float | None = None

    def __call__(self, points: Array) -> dict[str, Array]:
        """Return the values (n,) of each unknown at points (n, axes).

        Raises:
            InputError: the points have the wrong shape or lie outside the domain.
        """
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != len(self.axes):
            raise InputError(
                f"points have the shape {points.shape}",
                expected=f"(points, {len(self.axes)}), the columns being {', '.join(self.axes)}",
            )
        low, high = np.array([self.domain[axis] for axis in self.axes]).T
        slack = 1e-9 * (high - low)
        outside = (points < low - slack) | (points > high + slack) | ~np.isfinite(points)
        if outside.any():
            row, column = np.argwhere(outside)[0]
            axis = self.axes[column]
            raise InputError(
                f"point {row} has {axis} = {points[row, column]:g}, outside the domain",
                expected=f"{axis} between {low[column]:g} and {high[column]:g}",
            )
        return self.evaluate(np.clip(points, low, high))


class GridField:
    """Interpolating tensor spline through values on a rectangular grid.

    Args:
        nodes: increasing positions along each axis.
        values: shape (len(nodes[0]), len(nodes[1]), …).
        degree: degree of the splines, lowered where an axis has too few nodes.
    """

    def __init__(self, nodes: Sequence[Array], values: Array, degree: int = 5) -> None:
        from scipy.interpolate import NdBSpline, make_interp_spline

        degrees = tuple(min(degree, len(x) - 1) for x in nodes)
        coefficients, knots = values, []
        for axis, (x, k) in enumerate(zip(nodes, degrees, strict=True)):
            # Rows of the array are stacked behind the axis that is interpolated.
            spline = make_interp_spline(x, np.moveaxis(coefficients, axis, 0), k=k)
            knots.append(spline.t)
            coefficients = np.moveaxis(spline.c, 0, axis)
        self._spline = NdBSpline(tuple(knots), np.ascontiguousarray(coefficients), degrees)

    def __call__(self, points: Array) -> Array:
        """Return the values (n,) at points (n, axes) inside the grid."""
        return np.asarray(self._spline(np.ascontiguousarray(points)), dtype=np.float64)


def relative_difference(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """Return the largest over the fields of ‖a − b‖₂ / ‖b‖₂ (or ‖a − b‖₂ where b is zero)."""
    worst = 0.0
    for name, field in b.items():
        norm = float(np.linalg.norm(field)) or 1.0
        worst = max(worst, float(np.linalg.norm(a[name] - field)) / norm)
    return worst


def tabulated(
    steps: Array, solution: Callable[[Array], Array], tolerance: float
) -> tuple[Array, Array]:
    """Tabulate a solution in time finely enough for a spline of fifth degree through the table.

    Args:
        steps: times between which the solver moved, increasing.
        solution: values (times, …) at given times.
        tolerance: largest deviation of the spline midway between nodes, in units of the largest
            value; the finest table tried has sixteen nodes a step.

    Returns:
        Times and the values at them.
    """
    from scipy.interpolate import make_interp_spline

    for fraction in (1.0, 0.5, 0.25, 0.125, 0.0625):
        times = graded_times(steps, fraction)
        values = solution(times)
        spline = make_interp_spline(times, values, k=min(5, len(times) - 1))
        middle = 0.5 * (times[1:] + times[:-1])
        deviation = float(abs(spline(middle) - solution(middle)).max())
        if deviation <= tolerance * (float(abs(values).max()) or 1.0):
            break
    return times, values


def graded_times(steps: Array, fraction: float = 0.5, growth: float = 0.25) -> Array:
    """Return table nodes that follow a solver's step sizes without abrupt changes of spacing.

    The spacing at t is `fraction` · min over steps i of (h_i + growth · |t − t_i|): as fine as the
    solver's own steps nearby, and graded so that a spline through the nodes stays well conditioned.
    """
    sizes, times = np.diff(steps), steps[:-1]
    nodes = [float(steps[0])]
    while nodes[-1] < steps[-1]:
        t = nodes[-1]
        gap = np.maximum(0.0, np.maximum(times - t, t - steps[1:]))
        nodes.append(t + fraction * float((sizes + growth * gap).min()))
        if len(nodes) > MAX_TIMES or not nodes[-1] > t:
            raise SolveError(
                f"a table of the solution in time needs more than {MAX_TIMES:,} rows: the solution "
                "is not resolved in so long a time"
            )
    # The last node moves back onto the end; dropping a sliver before it keeps the grading.
    nodes[-1] = float(steps[-1])
    if len(nodes) > 3 and nodes[-1] - nodes[-2] < 0.5 * (nodes[-2] - nodes[-3]):
        del nodes[-2]
    return np.array(nodes)
