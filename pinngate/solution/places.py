"""Where an answer is asked for: points (n, axes), or one array for each axis."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pinngate.errors import InputError, nearest
from pinngate.geometry.region import Region
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

SLACK = 1e-9  # of the length of an axis: rounding of whoever made the points


@dataclass(frozen=True)
class Places:
    """Points (n, axes) and the shape in which values at them are given back."""

    points: Array
    shape: tuple[int, ...]

    def shaped(self, values: Array) -> Array:
        """Return values (n,) in that shape."""
        return values.reshape(self.shape)


def places(
    problem: Problem,
    points: ArrayLike | None,
    axes: Mapping[str, ArrayLike],
    *,
    extrapolate: bool = False,
) -> Places:
    """Return where an answer is asked for.

    Args:
        problem: names the axes.
        points: (n, axes) in the order of the domain; (n,) where there is one axis; a data frame
            with a column for each; or None.
        axes: a number or an array for each axis, broadcast against one another, in place of points.
        extrapolate: whether places outside the domain are allowed.

    Raises:
        InputError: neither or both are given, an axis is missing or unknown, shapes do not fit, a
            number is not finite, or a place is outside the domain.
    """
    if isinstance(points, Mapping) and not axes:
        points, axes = None, points
    if (points is None) == (not axes):
        raise InputError(
            "no places to evaluate at" if points is None else "points and axes, both at once",
            expected=f"points (n, {len(problem.axes)}), or {_call(problem)}",
        )
    found = _of_axes(problem, axes) if points is None else _of_points(problem, points)
    _refuse_not_finite(problem, found.points)
    if not extrapolate:
        _refuse_outside(problem, found.points)
    return found


def _call(problem: Problem) -> str:
    return ", ".join(f"{axis}=…" for axis in problem.axes)


def _numbers(value: ArrayLike, what: str) -> Array:
    try:
        return np.array(value, dtype=np.float64, order="C")  # torch takes no reversed views
    except (TypeError, ValueError):
        raise InputError(f"{what} are no numbers", expected="numbers or arrays of them") from None


def _of_points(problem: Problem, points: ArrayLike) -> Places:
    columns: Any = getattr(points, "columns", None)
    if columns is not None:  # of a data frame, whose columns may stand in another order
        _refuse_missing(problem, columns)
        points = cast(Any, points)[list(problem.axes)]
    array, count = _numbers(points, "the points"), len(problem.axes)
    if array.ndim == 1 and count == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != count:
        raise InputError(
            f"points of shape {array.shape}",
            expected=f"(n, {count}), one column for each of {', '.join(problem.axes)}",
            hint=f"or {_call(problem)}",
        )
    return Places(array, (len(array),))


def _of_axes(problem: Problem, axes: Mapping[str, ArrayLike]) -> Places:
    for name in axes:
        if name not in problem.axes:
            raise InputError(
                f"'{name}' is no axis of the problem",
                expected=f"the axes are {', '.join(problem.axes)}",
                hint=nearest(name, problem.axes),
            )
    _refuse_missing(problem, axes)
    arrays = [_numbers(axes[axis], f"the values of {axis}") for axis in problem.axes]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        shapes = ", ".join(
            f"{axis} {a.shape}" for axis, a in zip(problem.axes, arrays, strict=True)
        )
        raise InputError(
            f"the axes' shapes do not fit together: {shapes}",
            expected="shapes that broadcast against one another",
        ) from None
    columns = [np.broadcast_to(a, shape).ravel() for a in arrays]
    return Places(np.stack(columns, 1), shape)


def _refuse_missing(problem: Problem, given: Container[object]) -> None:
    for axis in problem.axes:
        if axis not in given:
            raise InputError(f"the axis {axis} is missing", expected=_call(problem))


def _refuse_not_finite(problem: Problem, points: Array) -> None:
    wrong = np.flatnonzero(~np.isfinite(points).all(1))
    if len(wrong):
        raise InputError(
            f"point {wrong[0]} is not finite: {_text(problem, points[wrong[0]])}",
            expected="finite numbers",
        )


def _refuse_outside(problem: Problem, points: Array) -> None:
    low, high = (np.array([bounds[k] for bounds in problem.domain.values()]) for k in (0, 1))
    slack = SLACK * (high - low)
    inside = ((points >= low - slack) & (points <= high + slack)).all(1)
    inside[inside] = Region(problem).inside(np.clip(points[inside], low, high))
    wrong = np.flatnonzero(~inside)
    if len(wrong):
        bounds = ", ".join(f"{a} in [{lo:g}, {hi:g}]" for a, (lo, hi) in problem.domain.items())
        within = f"{bounds}, inside the geometry" if problem.geometry else bounds
        raise InputError(
            f"point {wrong[0]} is outside the domain: {_text(problem, points[wrong[0]])}",
            expected=within,
            hint="extrapolate=True evaluates there all the same",
        )


def _text(problem: Problem, point: Array) -> str:
    return ", ".join(f"{axis} = {value:g}" for axis, value in zip(problem.axes, point, strict=True))
