"""Points and values as users hold them, to columns of numbers.

Between `arguments`, which keeps what was given, and `in_memory`, which the checked problem holds.
Arrays of any library, lists, mappings, data frames and xarray objects are told apart by what they
can do, so that none of those libraries is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinngate.errors import DataError, Span, nearest
from pinngate.tables.clock import NO_CLOCK, Clock, is_date
from pinngate.tables.in_memory import InMemoryTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NOT_MEASURED = "drop such rows; NaN among the values stands for one that was not measured"


@dataclass(frozen=True, eq=False)
class GivenValues:
    """Points, values, deviations and noise model as they were given, see `Observations`.

    With `is_grid` the points are the places along each axis, by its name, see `Input`.
    """

    points: Any
    values: Any = None
    std: Any = None
    noise_model: Any = None
    is_grid: bool = False


class Reader:
    """Reads one set of given values.

    Args:
        given: what was given.
        of: what is observed; one column of values each.
        axes: the axes that a point has, in the order of the domain.
        at: where an argument stands, by its name: points, values, std.
        clock: makes numbers of the dates of an axis t; None where there is none.
    """

    def __init__(
        self,
        given: GivenValues,
        of: Sequence[str],
        axes: Sequence[str],
        at: Callable[[str], Span],
        clock: Clock | None = None,
    ) -> None:
        self.given, self.of, self.axes, self.at, self.clock = given, of, axes, at, clock
        self.table = _as_table(given.points, of)

    def read(self, name: str, label: str) -> InMemoryTable:
        """Return the columns of axes, values and, where they are given, standard deviations.

        Raises:
            DataError: shapes do not fit, a column is missing, or something is no number or, but
                for missing values, not finite.
        """
        columns = self._points()
        size = len(next(iter(columns.values()), ()))
        names = column_names(self.of)
        values, found = self._values()
        columns |= dict(zip(names, values, strict=True))
        for column, std in zip(names, self._std(found), strict=True):
            if std is not None:
                columns[f"{column}_std"] = std
        for column, array in columns.items():
            part = self._part(column)
            size = size or len(array)
            if array.shape != (size,):
                raise self._fault(
                    part,
                    f"{column} has the shape {array.shape}",
                    f"({size},), one for each point",
                )
            self._refuse_infinite(array, column, part)
            array.setflags(write=False)
        if not size:
            raise self._fault("points", "the observations hold no data", "one point at least")
        return InMemoryTable(name, label, columns)

    def _part(self, column: str) -> str:
        if column in self.axes:
            return "points"
        return "std" if column not in column_names(self.of) else "values"

    def _fault(self, part: str, what: str, expected: str, hint: str = "") -> DataError:
        return DataError(what, span=self.at(part), expected=expected, hint=hint)

    def _refuse_infinite(self, array: Array, column: str, part: str) -> None:
        import numpy as np

        wrong = ~np.isfinite(array) if part == "points" else np.isinf(array)
        if wrong.any():
            i = int(np.argmax(wrong))
            what = f"entry {i}: {column} is not finite ({array[i]:g})"
            raise self._fault(part, what, "finite numbers", NOT_MEASURED)

    def _points(self) -> dict[str, Array]:
        if self.table is not None:
            return {axis: self._column(axis, "points") for axis in self.axes}
        if self.given.points is None and not self.axes:
            return {}  # the values are means over every axis
        points = self._numbers(self.given.points, "points", "points")
        if points.ndim == 1 and len(self.axes) == 1:
            points = points[:, None]
        if points.ndim != 2 or points.shape[1] != len(self.axes):
            raise self._fault(
                "points",
                f"points have the shape {points.shape}",
                f"(points, {len(self.axes)}), a column for each of {', '.join(self.axes)}",
            )
        return {axis: points[:, k].copy() for k, axis in enumerate(self.axes)}

    def _values(self) -> tuple[list[Array], list[str]]:
        """Return the values of each observed quantity, and the columns that they come from."""
        given = self.given.values
        if given is None:
            given = list(self.of)
        if isinstance(given, str):
            given = [given]
        if _is_names(given) and len(given) == len(self.of):
            return [self._column(name, "values") for name in given], list(given)
        return self._each(given, "values"), []

    def _std(self, found: Sequence[str]) -> list[Array | None]:
        """Return the standard deviations of each observed quantity; None where there are none."""
        given = self.given.std
        if given is None:
            known = self.table.columns if self.table is not None else ()
            return [
                self._column(f"{name}_std", "std") if f"{name}_std" in known else None
                for name in found or [""] * len(self.of)
            ]
        given = [given] if isinstance(given, str) else given
        if _is_names(given) and len(given) == len(self.of):
            return [self._column(name, "std") for name in given]
        return [*self._each(given, "std")]

    def _each(self, given: Any, part: str) -> list[Array]:
        """Return a column of an array, or an item of a mapping, for each observed quantity."""
        if isinstance(given, Mapping):
            return [self._item(given, name, part) for name in self.of]
        count = len(self.of)
        array = self._numbers(given, self.of[0] if count == 1 else part, part)
        if count == 1 and array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != count:
            wanted = "(points,)" if count == 1 else f"(points, {count})"
            raise self._fault(part, f"{part} have the shape {array.shape}", wanted)
        return [array[:, j].copy() for j in range(count)]

    def _item(self, given: Mapping[Any, Any], name: str, part: str) -> Array:
        if name not in given:
            raise self._missing(name, [str(key) for key in given], part)
        return self._numbers(given[name], name, part)

    def _column(self, name: str, part: str) -> Array:
        if self.table is None:
            raise self._fault(
                part,
                f"'{name}' is the name of a column, and the points are no table",
                "an array of numbers, or points in a table with named columns",
            )
        if name not in self.table.columns:
            raise self._missing(name, self.table.columns, part)
        return self._numbers(self.table.read(name), name, part)

    def _missing(self, name: str, known: Sequence[str], part: str) -> DataError:
        return self._fault(
            part,
            f"there is no column '{name}'",
            "its columns are " + ", ".join(known),
            nearest(name, known) or f"the axes are {', '.join(self.axes)}",
        )

    def _numbers(self, given: Any, name: str, part: str) -> Array:
        """Return a copy as float64; what stands for a missing value is NaN."""
        import numpy as np

        array = _array(given)
        if array.dtype.kind == "M" and name == "t":
            if self.clock is None:
                raise self._fault(part, f"{name} holds {array.dtype}, dates", NO_CLOCK)
            return self.clock.numbers(array)
        if array.dtype.kind in "iuf":
            return array.astype(np.float64)
        if array.dtype.kind not in "OU":
            raise self._fault(
                part,
                f"{name} holds {array.dtype}, not numbers",
                "real numbers; times as numbers too, such as seconds since the start",
            )
        numbers = [self._number(cell, i, name, part) for i, cell in enumerate(array.ravel())]
        return np.array(numbers, dtype=np.float64).reshape(array.shape)

    def _number(self, cell: Any, i: int, name: str, part: str) -> float:
        if cell is None or type(cell).__name__ == "NAType":
            return float("nan")
        try:
            return float(cell)
        except (TypeError, ValueError):
            if name == "t" and self.clock is not None and is_date(str(cell)):
                return self.clock.number(str(cell))
            what = f"entry {i}: {name} is {str(cell)[:40]!r}, not a number"
            raise self._fault(part, what, "a number such as 0.25 or 1e-3") from None


@dataclass(frozen=True)
class _Table:
    """Anything with named columns."""

    columns: list[str]
    read: Callable[[str], Any]


def column_names(of: Sequence[str]) -> list[str]:
    """Return what the columns of the observed quantities are called: formulas are numbered."""
    if len(of) == 1 and not of[0].isidentifier():
        return ["value"]
    return [name if name.isidentifier() else f"value_{j}" for j, name in enumerate(of, 1)]


def _as_table(points: Any, of: Sequence[str]) -> _Table | None:
    """Return the named columns of a table of any kind, or None where there are no names."""
    if isinstance(points, Mapping) and not hasattr(points, "coords"):
        return _Table([str(name) for name in points], points.__getitem__)
    if hasattr(points, "coords") and hasattr(points, "sizes"):
        return _from_grid(points, of)
    if hasattr(points, "columns") and hasattr(points, "__getitem__"):
        return _Table([str(name) for name in points.columns], points.__getitem__)
    names = getattr(getattr(points, "dtype", None), "names", None)
    return _Table(list(names), points.__getitem__) if names else None


def _from_grid(labelled: Any, of: Sequence[str]) -> _Table:
    """Return the coordinates and variables of an xarray object, spread over all its dimensions."""
    import numpy as np

    sizes: Mapping[Any, int] = labelled.sizes
    variables = dict(labelled.coords)
    if hasattr(labelled, "data_vars"):
        variables |= dict(labelled.data_vars)
    elif len(of) == 1:
        variables[of[0]] = labelled

    def spread(name: str) -> Any:
        variable = variables[name]
        own = [dimension for dimension in sizes if dimension in variable.dims]
        values = np.asarray(variable.transpose(*own).values)
        shape = [size if dimension in own else 1 for dimension, size in sizes.items()]
        return np.broadcast_to(values.reshape(shape), list(sizes.values())).ravel()

    return _Table([str(name) for name in variables], spread)


def _is_names(given: Any) -> bool:
    """Whether something is a list of column names."""
    is_list = isinstance(given, (list, tuple)) and len(given) > 0
    return is_list and all(isinstance(name, str) for name in given)


def _array(given: Any) -> Any:
    """Return a NumPy array of whatever a library or a list holds."""
    import numpy as np

    if hasattr(given, "detach"):  # a tensor, perhaps on another device
        given = given.detach().cpu()
    if isinstance(given, np.ma.MaskedArray):
        given = np.ma.filled(given.astype(np.float64), np.nan)
    if hasattr(given, "coords") and hasattr(given, "values"):
        given = given.values.ravel()
    if isinstance(given, Iterable) and not hasattr(given, "__array__"):
        given = list(given)
    try:
        return np.asarray(given)
    except ValueError:  # rows of different lengths
        return np.asarray(given, dtype=object)


__all__ = ["GivenValues", "Reader", "column_names"]
