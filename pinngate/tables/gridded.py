"""Rows of a table to values on a grid: what a function of some axes is interpolated from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinngate.tables.named_columns import Columns

Array = NDArray[np.float64]


def gridded(columns: Columns, axes: Mapping[str, str], value: str) -> tuple[list[Array], Array]:
    """Return the knots of each axis, increasing, and the values there, an axis for each.

    Args:
        columns: with a row for each place; rows without a value are left out.
        axes: what the columns of the axes are called; one column at least.
        value: the column of the values.

    Raises:
        DataError: no value is left; rows of one axis do not increase; or those of several axes are
            no tensor grid, each place once.
    """
    kept = np.flatnonzero(np.isfinite(columns.arrays[value]))
    if not kept.size:
        raise columns.whole_fault(f"every value of {value} is missing")
    values = columns.arrays[value][kept]
    places = {axis: columns.arrays[column][kept] for axis, column in axes.items()}
    if len(places) == 1:
        ((axis, own),) = places.items()
        _refuse_decreasing(columns, axis, own, kept)
        return [own], values
    return _on_tensor_grid(columns, places, values, kept)


def _refuse_decreasing(columns: Columns, axis: str, places: Array, rows: NDArray[np.intp]) -> None:
    wrong = np.flatnonzero(np.diff(places) <= 0)
    if wrong.size:
        i = int(wrong[0]) + 1
        raise columns.fault(
            int(rows[i]),
            f"{axis} = {places[i]:.10g} does not lie above that of the row before, "
            f"{places[i - 1]:.10g}",
            f"rows with increasing {axis}",
            f"sort the rows, and keep one for each {axis}",
        )


def _on_tensor_grid(
    columns: Columns, places: Mapping[str, Array], values: Array, rows: NDArray[np.intp]
) -> tuple[list[Array], Array]:
    knots, indices = [], []
    for own in places.values():
        found, index = np.unique(own, return_inverse=True)
        knots.append(found)
        indices.append(index)
    shape = tuple(map(len, knots))
    flat = np.ravel_multi_index(tuple(indices), shape)
    first = np.unique(flat, return_index=True)[1]
    if len(first) < len(flat):
        i = int(np.setdiff1d(np.arange(len(flat)), first)[0])
        raise columns.fault(int(rows[i]), f"{_at(places, i)} stands twice", "each place once")
    if len(flat) < np.prod(shape):
        lacking = int(np.setdiff1d(np.arange(np.prod(shape)), flat)[0])
        indices = [np.array([k]) for k in np.unravel_index(lacking, shape)]
        at = {axis: own[k] for axis, own, k in zip(places, knots, indices, strict=True)}
        raise columns.whole_fault(
            f"the rows are no grid: there is none for {_at(at, 0)}",
            f"a row for each {' and each '.join(places)}, "
            + " x ".join(f"{count:,}" for count in shape),
        )
    grid = np.empty(shape)
    grid.ravel()[flat] = values
    return knots, grid


def _at(places: Mapping[str, Array], i: int) -> str:
    return ", ".join(f"{axis} = {own[i]:.10g}" for axis, own in places.items())


__all__ = ["gridded"]
