"""The rows of a measured table: a value and its place each, wherever the place is written.

Below `observations`. A place stands in columns of the file, in the statement where the sensor has
no column for it (`at`), or in the middle of the domain along axes over which a mean is seen. A wide
table, with a column for each sensor, becomes a long one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinngate.statement.measurement import Mean
from pinngate.statement.problem import MeasuredObservations, Problem
from pinngate.tables.clock import Clock
from pinngate.tables.in_memory import InMemoryTable
from pinngate.tables.named_columns import Columns, Gaps, read_columns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """What was read.

    Attributes:
        columns: the columns of the file, with a row for each value.
        places: (n,) along each axis of the domain.
        value: the column of the values.
        std: that of their standard deviations, which need not be there.
    """

    columns: Columns
    places: dict[str, Array]
    value: str
    std: str


def averaged_axes(mean: Mean | None) -> tuple[str, ...]:
    """Return the axes along which a sensor sees everything, so that its points have none."""
    return mean.axes if mean is not None and mean.width is None else ()


def read_rows(problem: Problem, stated: MeasuredObservations, file: Path | InMemoryTable) -> Rows:
    """Read the values of one set of observations.

    Raises:
        DataError: see `named_columns.read_columns`.
    """
    table, averaged = stated.table, averaged_axes(stated.mean)
    without = (*averaged, *table.placed)
    axes = {a: table.columns.get(a, a) for a in problem.axes if a not in without}
    dates = {axes["t"]: problem.clock} if "t" in axes else {}
    value = table.columns.get("value", stated.of)
    std = table.columns.get("std", f"{value}_std")
    if table.sensors:
        columns = _long(file, stated, list(axes.values()), value, dates)
    else:
        needed = [*axes.values(), value, *([std] if "std" in table.columns else [])]
        columns = read_columns(file, needed, [std], Gaps([value, std], table.missing), dates)
    size = len(columns.rows)
    places = {axis: columns.arrays[column] for axis, column in axes.items()}
    places |= {axis: np.full(size, place) for axis, place in table.at.items()}
    places |= {axis: np.full(size, sum(problem.domain[axis]) / 2) for axis in averaged}
    if table.sensors:
        count = size // len(table.sensors)
        for axis in next(iter(table.sensors.values())):
            own = np.array([place[axis] for place in table.sensors.values()])
            places[axis] = np.repeat(own, count)
    return Rows(columns, places, value, std)


def _long(
    file: Path | InMemoryTable,
    stated: MeasuredObservations,
    axes: list[str],
    value: str,
    dates: dict[str, Clock | None],
) -> Columns:
    """Return a wide table with its sensors one after the other."""
    sensors = list(stated.table.sensors)
    gaps = Gaps(sensors, stated.table.missing)
    wide = read_columns(file, [*axes, *sensors], (), gaps, dates)
    arrays = {axis: np.tile(wide.arrays[axis], len(sensors)) for axis in axes}
    arrays[value] = np.concatenate([wide.arrays[sensor] for sensor in sensors])
    return Columns(wide.file, arrays, np.tile(wide.rows, len(sensors)), wide.row_word)


__all__ = ["Rows", "averaged_axes", "read_rows"]
