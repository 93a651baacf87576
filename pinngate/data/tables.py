"""Columns of numbers from CSV and NPZ files, however large, with the place of every fault.

Below `observations` and `reference`, which know what the columns mean. A CSV file is read in blocks
of lines, at numpy's speed where a block holds plain numbers, so that memory is that of the numbers
alone. An empty cell, or one that is stated to stand for a missing value, is NaN where a column may
have gaps and an error elsewhere.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError, nearest
from pinngate.statement.in_memory import InMemoryTable

Array = NDArray[np.float64]
BLOCK = 1 << 16  # lines in memory at once
NOT_FINITE = "drop rows without a value, leave the cell empty, or state what stands for it: missing"


@dataclass(frozen=True)
class Columns:
    """Arrays (n,) of numbers by name, and where each of the n rows stands in the file.

    NaN stands for a value that was not measured, in columns that may have gaps.
    """

    file: Path | InMemoryTable
    arrays: dict[str, Array]
    rows: NDArray[np.int64]
    row_word: str = "row"

    def fault(self, i: int, what: str, expected: str = "", hint: str = "") -> DataError:
        """Return the error of one row, as an editor numbers it."""
        return self.whole_fault(f"{self.row_word} {self.rows[i]}: {what}", expected, hint)

    def whole_fault(self, what: str, expected: str = "", hint: str = "") -> DataError:
        """Return the error of the file or the table."""
        file = self.file if isinstance(self.file, Path) else None
        return DataError(f"{self.file}: {what}", expected=expected, hint=hint, file=file)


@dataclass(frozen=True)
class Gaps:
    """Which columns may lack values, and which cells beside empty ones stand for that."""

    columns: Sequence[str] = ()
    codes: Sequence[str] = ()

    @property
    def numbers(self) -> list[float]:
        """The codes that are finite numbers, ``-999``."""
        found = []
        for code in self.codes:
            try:
                found.append(float(code))
            except ValueError:
                continue
        return [number for number in found if np.isfinite(number)]

    def fill(self, name: str, values: Array) -> Array:
        """Return the values with NaN in place of the codes that are numbers."""
        numbers = self.numbers
        if name not in self.columns or not numbers:
            return values
        return np.where(np.isin(values, numbers), np.nan, values)

    def is_gap(self, name: str, cell: str) -> bool:
        """Whether a cell of a column says that nothing was measured."""
        return name in self.columns and (not cell or cell in self.codes)

    def is_nan_missing(self, name: str) -> bool:
        """Whether NaN stands for a missing value of a column."""
        return name in self.columns and "nan" in [code.lower() for code in self.codes]


def read_columns(
    file: Path | InMemoryTable,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    gaps: Gaps | None = None,
) -> Columns:
    """Read columns of a CSV file with a header, or one-dimensional arrays of an NPZ file.

    A table in memory was checked when it was made; its entries are numbered like those of an NPZ.

    Other columns may hold anything. Rows of a CSV file are numbered as an editor shows them, the
    header being row 1; entries of NPZ arrays count from 0.

    Args:
        file: the file, or a table in memory.
        needed: columns that must be there.
        optional: columns that are read where they are there.
        gaps: which columns may lack values; none by default.

    Raises:
        DataError: the file is missing, empty or ragged, lacks a needed column, or holds something
            else than finite numbers in one that is read.

    Cost: about one second for a million rows of four plain numbers.
    """
    if isinstance(file, InMemoryTable):
        known = [name for name in optional if name in file.columns]
        arrays = {name: file.columns[name] for name in dict.fromkeys([*needed, *known])}
        return Columns(file, arrays, np.arange(len(file)), "entry")
    is_archive = file.suffix.lower() == ".npz"
    reader = _read_npz if is_archive else _read_csv
    try:
        columns = reader(file, needed, optional, gaps or Gaps())
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", file=file) from None
    except (OSError, UnicodeDecodeError, BadZipFile, EOFError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read ({error})", file=file) from None
    if not len(columns.rows):
        raise _no_data(file)
    return columns


def _no_data(file: Path) -> DataError:
    return DataError(f"{file}: holds no data", expected="a header and at least one row", file=file)


def _chosen(
    file: Path, header: Sequence[str], needed: Sequence[str], optional: Sequence[str]
) -> list[str]:
    """Return the names to read, all of them in the header once."""
    for name in needed:
        if name not in header:
            raise DataError(
                f"{file}: has no column '{name}'",
                expected="its columns are " + ", ".join(header),
                hint=nearest(name, header) or f"the columns needed are {', '.join(needed)}",
                file=file,
            )
    chosen = [*needed, *(name for name in optional if name in header)]
    for name in chosen:
        if list(header).count(name) > 1:
            raise DataError(f"{file}: two columns are called '{name}'", file=file)
    return list(dict.fromkeys(chosen))


def _read_csv(file: Path, needed: Sequence[str], optional: Sequence[str], gaps: Gaps) -> Columns:
    with file.open(encoding="utf-8-sig") as stream:
        first = stream.readline()
        if not first.strip():
            raise _no_data(file)
        header = [cell.strip() for cell in next(csv.reader([first], skipinitialspace=True))]
        chosen = _chosen(file, header, needed, optional)
        cells = _Cells(file, header, [header.index(name) for name in chosen], gaps)
        blocks = list(_blocks(stream, cells))
    if not blocks:
        raise _no_data(file)
    tables, rows = zip(*blocks, strict=True)
    arrays = {
        name: gaps.fill(name, np.concatenate([table[:, k] for table in tables]))
        for k, name in enumerate(chosen)
    }
    return Columns(file, arrays, np.concatenate(rows))


def _blocks(stream: TextIO, cells: _Cells) -> Iterator[tuple[Array, NDArray[np.int64]]]:
    """Yield the numbers of each block of lines, (lines, columns), and where its lines stand."""
    start = 2
    while lines := list(islice(stream, BLOCK)):
        filled = [i for i, line in enumerate(lines) if line.strip(" ,\t\r\n")]
        kept = lines if len(filled) == len(lines) else [lines[i] for i in filled]
        rows = np.array(filled, dtype=np.int64) + start
        table = cells.plain(kept)
        yield cells.one_by_one(rows, kept) if table is None else table, rows
        start += len(lines)


@dataclass(frozen=True)
class _Cells:
    """How the cells of a CSV file become numbers: those at `places` of each row."""

    file: Path
    header: list[str]
    places: list[int]
    gaps: Gaps

    def plain(self, lines: list[str]) -> Array | None:
        """Read lines of finite numbers at numpy's speed; None where they need a closer look."""
        text = "".join(lines)
        num_commas = len(self.header) - 1
        if not lines or '"' in text or any(line.count(",") != num_commas for line in lines):
            return None
        try:
            table = np.loadtxt(
                io.StringIO(text), delimiter=",", comments=None, usecols=self.places, ndmin=2
            )
        except ValueError:
            return None
        return table if len(table) == len(lines) and np.isfinite(table).all() else None

    def one_by_one(self, rows: NDArray[np.int64], lines: list[str]) -> Array:
        """Read lines cell by cell, quotes and gaps included."""
        parsed = csv.reader(lines, skipinitialspace=True)
        numbers = [self._row(int(row), cells) for row, cells in zip(rows, parsed, strict=True)]
        return np.array(numbers).reshape(-1, len(self.places))

    def _row(self, row: int, cells: list[str]) -> list[float]:
        if len(cells) != len(self.header):
            raise DataError(
                f"{self.file}: row {row}: {len(cells)} values",
                expected=f"{len(self.header)}, as in the header",
                file=self.file,
            )
        return [self._number(row, self.header[k], cells[k].strip()) for k in self.places]

    def _number(self, row: int, name: str, cell: str) -> float:
        if self.gaps.is_gap(name, cell):
            return np.nan
        try:
            number = float(cell)
        except ValueError:
            raise DataError(
                f"{self.file}: row {row}: {name} is {repr(cell) if cell else 'empty'}, "
                "not a number",
                expected="a number such as 0.25 or 1e-3",
                file=self.file,
            ) from None
        if not np.isfinite(number):
            raise DataError(
                f"{self.file}: row {row}: {name} is not finite ({number:g})",
                hint=NOT_FINITE,
                file=self.file,
            )
        return number


def _read_npz(file: Path, needed: Sequence[str], optional: Sequence[str], gaps: Gaps) -> Columns:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {
                name: np.asarray(archive[name]).astype(np.float64, casting="same_kind")
                for name in _chosen(file, archive.files, needed, optional)
            }
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: not an archive of numbers ({error})", file=file) from None
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
        if gaps.is_nan_missing(name):
            finite |= np.isnan(values)
        if not finite.all():
            i = int(np.argmin(finite))
            raise columns.fault(i, f"{name} is not finite ({values[i]:g})", hint=NOT_FINITE)
        arrays[name] = gaps.fill(name, values)
    return columns


__all__ = ["Columns", "Gaps", "read_columns"]
