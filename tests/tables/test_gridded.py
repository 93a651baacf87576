"""Rows to values on a grid, and what is said of rows that are none."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate.errors import DataError
from pinngate.tables.gridded import gridded
from pinngate.tables.in_memory import InMemoryTable
from pinngate.tables.named_columns import Columns, read_columns


def columns(**arrays: list[float]) -> Columns:
    made = {name: np.array(values, dtype=float) for name, values in arrays.items()}
    return read_columns(InMemoryTable("f.csv", "f", made), list(made))


def test_rows_of_one_axis_without_gaps() -> None:
    (knots,), values = gridded(columns(t=[0, 1, 2], v=[5, np.nan, 7]), {"t": "t"}, "v")
    assert (knots.tolist(), values.tolist()) == ([0, 2], [5, 7])


def test_rows_of_a_grid_in_any_order() -> None:
    read = columns(a=[1, 0, 0, 1], b=[2, 2, 5, 5], v=[12, 2, 5, 15])
    knots, values = gridded(read, {"x": "a", "t": "b"}, "v")
    assert [own.tolist() for own in knots] == [[0, 1], [2, 5]]
    assert values.tolist() == [[2, 5], [12, 15]]


@pytest.mark.parametrize(
    ("arrays", "axes", "said"),
    [
        ({"t": [0, 2, 2], "v": [1, 2, 3]}, "t", "entry 2: t = 2 does not lie above"),
        ({"t": [0, 2, 1], "v": [1, 2, 3]}, "t", "sort the rows"),
        ({"t": [0, 2], "v": [np.nan, np.nan]}, "t", "every value of v is missing"),
        ({"x": [0, 0, 1], "t": [0, 1, 0], "v": [1, 2, 3]}, "xt", "there is none for x = 1, t = 1"),
        ({"x": [0, 0, 0], "t": [0, 1, 1], "v": [1, 2, 3]}, "xt", "x = 0, t = 1 stands twice"),
    ],
)
def test_what_is_no_grid_is_refused(arrays: dict[str, list[float]], axes: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        gridded(columns(**arrays), {axis: axis for axis in axes}, "v")
    assert said in str(caught.value)
