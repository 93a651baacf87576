"""Where a solution is asked for: points, or coordinates by axis, checked against the domain.

The border between a caller's numbers and the package, whose arrays of points are (n, axes) in the
order of the problem's axes. What lies outside the domain is refused, because a network has learned
nothing there, unless extrapolation is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pinngate.errors import InputError, nearest
from pinngate.geometry.region import Region
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
SLACK = 1e-9  # of an axis: what rounding moves a point out of the domain


@dataclass(frozen=True)
class Places:
    """Points (n, axes), and the shape in which their values are given back."""

    points: Array
    shape: tuple[int, ...]

    def shaped(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return values (n,) by name, each in the shape that was asked for."""
        return {name: np.asarray(v).reshape(self.shape) for name, v in values.items()}


def places_of(
    problem: Problem,
    points: ArrayLike | None,
    coordinates: Mapping[str, ArrayLike],
    *,
    extrapolate: bool = False,
) -> Places:
    """Return the places that a caller means.

    Args:
        problem: states axes, domain and geometry.
        points: (n, axes) in the order of the axes, or a table with a column for each; None where
            coordinates are given.
        coordinates: scalars or arrays by axis, broadcast against one another.
        extrapolate: whether places outside the domain and the geometry are wanted too.

    Raises:
        InputError: an axis is missing or unknown, something is no finite number, shapes do not fit,
            or a point is outside.
    """
    if points is not None and coordinates:
        raise InputError(
            "points are given twice: as an array and by axis", expected="one of the two"
        )
    found = _by_axis(problem, coordinates) if points is None else _in_rows(problem, points)
    _check_finite(problem, found.points)
    if not extrapolate:
        _check_inside(problem, found.points)
    return found


def _in_rows(problem: Problem, points: ArrayLike) -> Places:
    axes = problem.axes
    columns: Any = getattr(points, "columns", None)
    if columns is not None:  # of a data frame, whose columns may stand in another order
        _check_axes(problem, [str(name) for name in columns], is_exact=False)
        points = np.column_stack([_numbers(axis, points[axis]) for axis in axes])  # type: ignore[index, call-overload]
    array = _numbers("points", points)
    if array.size == 0 and array.ndim <= 2:
        array = array.reshape(0, len(axes))
    if array.ndim != 2 or array.shape[1] != len(axes):
        one = "[" + ", ".join(axes) + "]"
        raise InputError(
            f"points of the shape {array.shape}",
            expected=f"(n, {len(axes)}): a row {one} for each point, or coordinates by axis, "
            + ", ".join(f"{axis}=…" for axis in axes),
        )
    return Places(array, (len(array),))


def _by_axis(problem: Problem, coordinates: Mapping[str, ArrayLike]) -> Places:
    _check_axes(problem, list(coordinates), is_exact=True)
    given = [_numbers(axis, coordinates[axis]) for axis in problem.axes]
    try:
        spread = np.broadcast_arrays(*given)
    except ValueError:
        shapes = ", ".join(
            f"{axis} {array.shape}" for axis, array in zip(problem.axes, given, strict=True)
        )
        raise InputError(
            f"coordinates of the shapes {shapes} do not fit together",
            expected="scalars and arrays that broadcast, such as x[:, None] and t[None, :]",
        ) from None
    return Places(np.stack([array.ravel() for array in spread], axis=1), spread[0].shape)


def _check_axes(problem: Problem, given: list[str], *, is_exact: bool) -> None:
    axes = ", ".join(problem.axes)
    unknown = [name for name in given if name not in problem.axes]
    missing = [axis for axis in problem.axes if axis not in given]
    if is_exact and unknown:
        raise InputError(
            f"unknown axis '{unknown[0]}'",
            expected=f"the axes are {axes}",
            hint=nearest(unknown[0], problem.axes),
        )
    if missing:
        what = f"no {' and no '.join(missing)} is given" if given else "no points are given"
        raise InputError(what, expected=f"coordinates of every axis: {axes}")


def _numbers(name: str, values: Any) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        kind = type(values).__name__
        raise InputError(
            f"{name} is {kind}, {values!r:.60}", expected="a number or an array of numbers"
        ) from None


def _check_finite(problem: Problem, points: Array) -> None:
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        raise InputError(
            f"the point {_words(problem, points[bad[0]])} is not finite", expected="finite numbers"
        )


def _check_inside(problem: Problem, points: Array) -> None:
    low, high = np.array(list(problem.domain.values())).T
    slack = SLACK * (high - low)
    is_inside = ((points >= low - slack) & (points <= high + slack)).all(axis=1)
    bounds = ", ".join(f"{axis} from {a:g} to {b:g}" for axis, (a, b) in problem.domain.items())
    what, expected = "domain", bounds
    if is_inside.all() and problem.geometry is not None and len(points):
        is_inside = Region(problem).inside(points)
        what, expected = "geometry", f"points inside its shapes, {bounds}"
    outside = np.flatnonzero(~is_inside)
    if outside.size:
        count = f", the first of {outside.size:,} such" if outside.size > 1 else ""
        raise InputError(
            f"the point {_words(problem, points[outside[0]])} is outside the {what}{count}",
            expected=expected,
            hint="extrapolate=True evaluates there all the same; nothing was learned there",
        )


def _words(problem: Problem, point: Array) -> str:
    pairs = zip(problem.axes, point, strict=True)
    return ", ".join(f"{axis} = {value:g}" for axis, value in pairs)
