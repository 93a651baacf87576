"""A truth that is read from a file of values on a rectangular grid.

An NPZ file holds one array for each axis and, for each unknown, an array over the grid with the
axes in the order of the domain; or, like a CSV file, columns of equal length whose points fill a
grid in any order. Between grid points the fields are cubic splines.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pinngate.data.observations import read_columns
from pinngate.errors import DataError, nearest
from pinngate.reference.known import Array, GridField, Reference
from pinngate.statement.problem import Problem
from pinngate.tables.archives import read_arrays

DEGREE = 3


def solve(problem: Problem, file: Path) -> Reference:
    """Return the reference that interpolates the fields of a file.

    Raises:
        DataError: the file is missing or unreadable, lacks an array, its points are no full grid,
            do not cover the domain, or hold values that are not finite.
    """
    nodes, fields = _gridded(problem, _arrays_of(problem, file), file)
    _check_cover(problem, nodes, file)
    splines = {f: GridField(nodes, values, DEGREE) for f, values in fields.items()}
    low, high = np.array([(x[0], x[-1]) for x in nodes]).T

    def evaluate_at(points: Array) -> dict[str, Array]:
        # A domain's bound may lie outside the file's by rounding.
        inside = np.clip(points, low, high)
        return {f: spline(inside) for f, spline in splines.items()}

    size = " x ".join(str(len(x)) for x in nodes)
    method = f"{file.name}, cubic splines through {size} points"
    return Reference(problem.axes, dict(problem.domain), evaluate_at, method)


def _arrays_of(problem: Problem, file: Path) -> Mapping[str, Array]:
    """Return the arrays of a file, which holds all axes and unknowns, every value finite."""
    if file.suffix.lower() == ".npz":
        arrays = _read_npz(file)
    else:
        arrays = read_columns(
            file, [*problem.axes, *problem.unknowns], dates={"t": problem.clock}
        ).arrays
    for name in (*problem.axes, *problem.unknowns):
        if name not in arrays:
            kind = "an axis of the domain" if name in problem.axes else "an unknown"
            raise DataError(
                f"{file}: has no array or column '{name}', {kind}",
                expected="its arrays are " + ", ".join(arrays),
                hint=nearest(name, arrays),
                file=file,
            )
        _check_finite(file, name, arrays[name])
    return arrays


def _check_cover(problem: Problem, nodes: list[Array], file: Path) -> None:
    for axis, x in zip(problem.axes, nodes, strict=True):
        low, high = problem.domain[axis]
        slack = 1e-9 * (high - low)
        if x[0] > low + slack or x[-1] < high - slack:
            raise DataError(
                f"{file}: {axis} runs from {x[0]:g} to {x[-1]:g} and does not cover the domain",
                expected=f"{axis} from {low:g} to {high:g}",
                file=file,
            )


def _read_npz(file: Path) -> dict[str, Array]:
    try:
        return read_arrays(file)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", file=file) from None
    except OSError as error:
        told = error.strerror or error
        raise DataError(f"{file}: cannot be read ({told})", file=file) from None


def _check_finite(file: Path, name: str, array: Array) -> None:
    if not array.size:
        raise DataError(f"{file}: '{name}' is empty", file=file)
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise DataError(f"{file}: '{name}' is not finite at index {place}", file=file)


def _gridded(
    problem: Problem, arrays: Mapping[str, Array], file: Path
) -> tuple[list[Array], dict[str, Array]]:
    """Return the increasing nodes of each axis and each field on their grid."""
    columns = _axis_columns(problem, arrays, file)
    nodes = [np.unique(c) for c in columns]
    shape = tuple(len(x) for x in nodes)
    if min(shape) < 2:
        axis = problem.axes[int(np.argmin(shape))]
        raise DataError(f"{file}: {axis} has one value only", expected="a grid", file=file)
    fields = {}
    for f in problem.unknowns:
        values = arrays[f]
        if tuple(len(c) for c in columns) == shape == values.shape:
            order = np.ix_(*(np.argsort(c) for c in columns))
            fields[f] = values[order]
        elif all(c.shape == values.shape for c in columns):
            fields[f] = _from_rows(columns, nodes, values, file)
        else:
            raise DataError(
                f"{file}: '{f}' has the shape {values.shape}",
                expected=f"{shape}, the lengths of {', '.join(problem.axes)}",
                hint="the axes of the array follow the order of the domain",
                file=file,
            )
    return nodes, fields


def _axis_columns(problem: Problem, arrays: Mapping[str, Array], file: Path) -> list[Array]:
    """Return the values along each axis, one-dimensional."""
    columns = [arrays[axis].squeeze() for axis in problem.axes]
    if any(c.ndim != 1 for c in columns):
        shapes = ", ".join(f"{a} {arrays[a].shape}" for a in problem.axes)
        raise DataError(
            f"{file}: the axes have the shapes {shapes}",
            expected="one-dimensional arrays with at least two values",
            file=file,
        )
    return columns


def _from_rows(columns: list[Array], nodes: list[Array], values: Array, file: Path) -> Array:
    shape = tuple(len(x) for x in nodes)
    places = np.stack([np.searchsorted(x, c) for x, c in zip(nodes, columns, strict=True)])
    flat = np.ravel_multi_index(tuple(places), shape)
    if len(values) != np.prod(shape) or len(np.unique(flat)) != len(values):
        raise DataError(
            f"{file}: its {len(values)} points do not fill a grid once each "
            f"({' x '.join(map(str, shape))} different values along the axes)",
            expected="a value at every point of a rectangular grid",
            file=file,
        )
    table = np.empty(len(values))
    table[flat] = values
    return table.reshape(shape)
