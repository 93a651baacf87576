"""Columns of numbers from files of every kind, and from memory, with the place of every fault.

Below `observations` and `reference`, which know what the columns mean. An empty cell, or one that
is stated to stand for a missing value, is NaN where a column may have gaps and an error elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pinngate.errors import DataError
from pinngate.tables.archives import read_arrays
from pinngate.tables.clock import Clock
from pinngate.tables.in_memory import InMemoryTable
from pinngate.tables.labelled_files import read_netcdf, read_parquet
from pinngate.tables.read_parts import NOT_FINITE, Columns, Gaps, Wanted, chosen_names, no_data
from pinngate.tables.text_files import read_text


def read_columns(
    file: Path | InMemoryTable,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    gaps: Gaps | None = None,
    dates: Mapping[str, Clock | None] | None = None,
) -> Columns:
    """Read columns of a text file with a header, or one-dimensional arrays of another file.

    A table in memory was checked when it was made; its entries are numbered like those of an NPZ.

    Other columns may hold anything. Rows of a text file are numbered as an editor shows them, the
    header being row 1; entries of NPZ arrays count from 0.

    Args:
        file: the file, or a table in memory.
        needed: columns that must be there.
        optional: columns that are read where they are there.
        gaps: which columns may lack values; none by default.
        dates: columns that may hold dates, and the clock for them, None where there is none.

    Raises:
        DataError: the file is missing, empty or ragged, lacks a needed column, or holds something
            else than finite numbers in one that is read.

    Cost: about one second for a million rows of four plain numbers.
    """
    if isinstance(file, InMemoryTable):
        known = [name for name in optional if name in file.columns]
        arrays = {name: file.columns[name] for name in dict.fromkeys([*needed, *known])}
        return Columns(file, arrays, np.arange(len(file)), "entry")
    reader = _READERS.get(file.suffix.lower(), read_text)
    try:
        columns = reader(file, Wanted(needed, optional, gaps or Gaps(), dates or {}))
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", file=file) from None
    except OSError as error:
        told = error.strerror or error
        raise DataError(f"{file}: cannot be read ({told})", file=file) from None
    if not len(columns.rows):
        raise no_data(file)
    return columns


def _read_npz(file: Path, wanted: Wanted) -> Columns:
    arrays = read_arrays(file, lambda names: chosen_names(file, names, wanted))
    shapes = {array.shape for array in arrays.values()}
    if [len(shape) for shape in shapes] != [1]:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(
            f"{file}: arrays of the shapes {found}",
            expected="one-dimensional arrays of one length",
            file=file,
        )
    ((size,),) = shapes
    columns = Columns(file, arrays, np.arange(size), "entry")
    for name, values in arrays.items():
        finite = np.isfinite(values)
        if wanted.gaps.is_nan_missing(name):
            finite |= np.isnan(values)
        if not finite.all():
            i = int(np.argmin(finite))
            raise columns.fault(i, f"{name} is not finite ({values[i]:g})", hint=NOT_FINITE)
        arrays[name] = wanted.gaps.fill(name, values)
    return columns


_READERS = {".npz": _read_npz, ".parquet": read_parquet, ".nc": read_netcdf}

__all__ = ["Columns", "Gaps", "read_columns"]
