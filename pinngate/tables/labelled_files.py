"""Parquet files and NetCDF files, by the libraries that read them, where they are installed.

A parquet file is a table. Of a NetCDF file the variables are spread over their dimensions, so that
coordinates become columns. Dates become numbers by a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError
from pinngate.tables.clock import NO_CLOCK
from pinngate.tables.read_parts import NOT_FINITE, Columns, Wanted, chosen_names

Array = NDArray[np.float64]


def read_parquet(file: Path, wanted: Wanted) -> Columns:
    """Read columns of a parquet file; null is an empty cell.

    Raises:
        DataError: pyarrow is not installed, or see `named_columns.read_columns`.
    """
    parquet = _required("pyarrow.parquet", "parquet", file)
    try:
        names = parquet.read_schema(file).names
    except Exception as error:  # whatever the library raises of what is no parquet
        raise _unread(file, error, "a parquet file") from None
    table = parquet.read_table(file, columns=chosen_names(file, names, wanted))
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return _as_numbers(file, columns, wanted)


def read_netcdf(file: Path, wanted: Wanted) -> Columns:
    """Read variables and coordinates of a NetCDF file, a row for each point of their grid.

    Raises:
        DataError: xarray is not installed, or see `named_columns.read_columns`.
    """
    xarray = _required("xarray", "netcdf", file)
    try:
        with xarray.open_dataset(file) as opened:
            dataset = opened.load()
    except Exception as error:  # whatever the library raises of what is no NetCDF
        raise _unread(file, error, "a NetCDF file") from None
    chosen = chosen_names(file, [str(name) for name in dataset.variables], wanted)
    together = xarray.broadcast(*(dataset[name] for name in chosen))
    columns = {n: a.values.ravel() for n, a in zip(chosen, together, strict=True)}
    return _as_numbers(file, columns, wanted)


def _required(module: str, extra: str, file: Path) -> Any:
    """Return an optional library.

    Raises:
        DataError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise DataError(
            f"{file}: reading it needs {module.partition('.')[0]}, which is not installed",
            expected=f"pip install 'pinngate[{extra}]'",
            hint="or write the table as .csv",
            file=file,
        ) from None


def _unread(file: Path, error: Exception, expected: str) -> DataError:
    told = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"{file}: cannot be read ({told[:200]})", expected=expected, file=file)


def _as_numbers(file: Path, columns: Mapping[str, Any], wanted: Wanted) -> Columns:
    """Return columns as numbers, gaps as NaN where a column may have them."""
    arrays = {name: _numbers(file, name, values, wanted) for name, values in columns.items()}
    size = len(next(iter(arrays.values()), ()))
    made = Columns(file, arrays, np.arange(size), "entry")
    for name, values in arrays.items():
        wrong = np.isinf(values) if name in wanted.gaps.columns else ~np.isfinite(values)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise made.fault(i, f"{name} is not finite ({values[i]:g})", hint=NOT_FINITE)
        arrays[name] = wanted.gaps.fill(name, values)
    return made


def _numbers(file: Path, name: str, values: Any, wanted: Wanted) -> Array:
    """Return one column as numbers.

    Raises:
        DataError: it holds something else, or dates without a clock.
    """
    array = np.asarray(values)
    if array.dtype.kind == "M":
        clock = wanted.dates.get(name)
        if clock is None:
            what = f"{file}: {name} holds dates"
            expected = NO_CLOCK if name in wanted.dates else "numbers"
            raise DataError(what, expected=expected, file=file)
        return clock.numbers(array)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        what = f"{file}: {name} holds {array.dtype}, not numbers"
        raise DataError(what, expected="real numbers", file=file) from None


__all__ = ["read_netcdf", "read_parquet"]
