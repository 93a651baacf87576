"""Columns of numbers from CSV and NPZ files, however large, with the place of every fault.

Below `observations` and `reference`, which know what the columns mean. A CSV file is read in blocks
of lines, at numpy's speed where a block holds plain numbers, so that memory is that of the numbers
alone. An empty cell, or one that is stated to stand for a missing value, is NaN where a column may
have gaps and an error elsewhere.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from pinngate.data.archives import COPIES, read_arrays
from pinngate.errors import DataError, nearest
from pinngate.memory import budget, rounded_text
from pinngate.reading import decimal, open_data
from pinngate.statement.in_memory import InMemoryTable

Array = NDArray[np.float64]
BLOCK = 1 << 16  # lines in memory at once
MAX_LINE = 1_000_000  # characters; a table of ten thousand columns has a tenth of that
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
                found.append(decimal(code))
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
    except OSError as error:
        told = error.strerror or error
        raise DataError(f"{file}: cannot be read ({told})", file=file) from None
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
    with open_data(file) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as stream:
        lines = _Lines(file, stream, os.fstat(raw.fileno()).st_size)
        first = lines.next()
        if not first.strip():
            raise _no_data(file)
        header = [cell.strip() for cell in lines.cells(1, first)]
        chosen = _chosen(file, header, needed, optional)
        cells = _Cells(lines, header, [header.index(name) for name in chosen], gaps)
        blocks = list(_blocks(lines, cells))
    if not blocks:
        raise _no_data(file)
    tables, rows = zip(*blocks, strict=True)
    arrays = {
        name: gaps.fill(name, np.concatenate([table[:, k] for table in tables]))
        for k, name in enumerate(chosen)
    }
    return Columns(file, arrays, np.concatenate(rows))


@dataclass
class _Lines:
    """The lines of a CSV file, none without end, and the errors of each."""

    file: Path
    stream: TextIO
    num_bytes: int
    count: int = 0

    def next(self) -> str:
        """Return the next line; an empty text at the end of the file.

        Raises:
            DataError: it is longer than any row of numbers, or not in UTF-8.
        """
        self.count += 1
        try:
            line = self.stream.readline(MAX_LINE + 1)
        except UnicodeDecodeError:
            raise self.not_utf8() from None
        if len(line) > MAX_LINE:
            raise self.fault(self.count, f"has more than {MAX_LINE:,} characters")
        return line

    def block(self) -> list[str]:
        """Return the next lines, none at the end of the file."""
        found: list[str] = []
        while len(found) < BLOCK and (line := self.next()):
            found.append(line)
        return found

    def cells(self, row: int, line: str) -> list[str]:
        """Return the cells of one line, quotes taken off.

        Raises:
            DataError: a quote is not closed on the line.
        """
        if '"' in line:
            try:
                for _ in csv.reader([line], skipinitialspace=True, strict=True):
                    pass
            except csv.Error as error:
                if "end of data" in str(error):
                    raise self.fault(
                        row,
                        "a quote is not closed on its line",
                        "cells without line ends inside",
                    ) from None
        try:
            return next(csv.reader([line], skipinitialspace=True))
        except csv.Error as error:
            raise self.fault(row, f"cannot be read ({error})") from None

    def fault(self, row: int, what: str, expected: str = "", hint: str = "") -> DataError:
        """Return the error of one row, as an editor numbers it."""
        return DataError(
            f"{self.file}: row {row}: {what}", expected=expected, hint=hint, file=self.file
        )

    def not_utf8(self) -> DataError:
        """Return the error of the first line that is not in UTF-8."""
        with open_data(self.file) as raw:
            start, row = raw.read(4), 1
            raw.seek(0)
            for row, line in enumerate(raw, 1):  # noqa: B007 - the row is what is looked for
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    break
        is_wide = start[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = "cannot be read: the text is not in UTF-8" + (", but in UTF-16" if is_wide else "")
        return self.fault(row, what, hint="save the file as CSV in UTF-8")

    def refuse_many(self, lines: Sequence[str], num_columns: int) -> None:
        """Refuse a file whose numbers memory does not hold, as its first lines promise."""
        num_rows = self.num_bytes * len(lines) // max(1, sum(map(len, lines)))
        needed, allowed = COPIES * 8 * num_columns * num_rows, budget(None)
        if needed > allowed:
            raise DataError(
                f"{self.file}: its about {num_rows:,} rows need {rounded_text(needed)}",
                expected=f"{rounded_text(allowed)} at most, half of the memory that is free",
                hint="keep fewer rows",
                file=self.file,
            )


def _blocks(lines: _Lines, cells: _Cells) -> Iterator[tuple[Array, NDArray[np.int64]]]:
    """Yield the numbers of each block of lines, (lines, columns), and where its lines stand."""
    start = 2
    while block := lines.block():
        if start == 2:
            lines.refuse_many(block, len(cells.places))
        filled = [i for i, line in enumerate(block) if line.strip(" ,\t\r\n")]
        kept = block if len(filled) == len(block) else [block[i] for i in filled]
        rows = np.array(filled, dtype=np.int64) + start
        table = cells.plain(kept)
        yield cells.one_by_one(rows, kept) if table is None else table, rows
        start += len(block)


@dataclass(frozen=True)
class _Cells:
    """How the cells of a CSV file become numbers: those at `places` of each row."""

    lines: _Lines
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
        numbers = [
            self._row(row, self.lines.cells(row, line))
            for row, line in zip(rows.tolist(), lines, strict=True)
        ]
        return np.array(numbers).reshape(-1, len(self.places))

    def _row(self, row: int, cells: list[str]) -> list[float]:
        if len(cells) != len(self.header):
            expected = f"{len(self.header)}, as in the header"
            raise self.lines.fault(row, f"{len(cells)} values", expected)
        return [self._number(row, self.header[k], cells[k].strip()) for k in self.places]

    def _number(self, row: int, name: str, cell: str) -> float:
        if self.gaps.is_gap(name, cell):
            return np.nan
        try:
            number = decimal(cell)
        except ValueError:
            told = repr(cell if len(cell) <= 40 else cell[:37] + "...") if cell else "empty"
            what, expected = f"{name} is {told}, not a number", "a number such as 0.25 or 1e-3"
            raise self.lines.fault(row, what, expected) from None
        if not np.isfinite(number):
            raise self.lines.fault(row, f"{name} is not finite ({number:g})", hint=NOT_FINITE)
        return number


def _read_npz(file: Path, needed: Sequence[str], optional: Sequence[str], gaps: Gaps) -> Columns:
    arrays = read_arrays(file, lambda names: _chosen(file, names, needed, optional))
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
