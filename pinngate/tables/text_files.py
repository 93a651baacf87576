"""Text files of numbers, however large, with the place of every fault: CSV and its relatives.

A file is read in blocks of lines, at numpy's speed where a block holds plain numbers, so that
memory is that of the numbers alone. `dialects` says how a file writes them.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError
from pinngate.memory import budget, rounded_text
from pinngate.reading import open_data
from pinngate.tables.archives import COPIES
from pinngate.tables.clock import NO_CLOCK, is_date
from pinngate.tables.dialects import Dialect, dialect_of, without_units
from pinngate.tables.read_parts import NOT_FINITE, Columns, Wanted, chosen_names, no_data

Array = NDArray[np.float64]
BLOCK = 1 << 16  # lines in memory at once
MAX_LINE = 1_000_000  # characters; a table of ten thousand columns has a tenth of that


def read_text(file: Path, wanted: Wanted) -> Columns:
    """Read columns of a text file with a header.

    Raises:
        DataError: see `named_columns.read_columns`.
        OSError: it is not there or cannot be read.
    """
    with open_data(file) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as stream:
        lines = _Lines(file, stream, os.fstat(raw.fileno()).st_size)
        header = without_units(lines.header(), wanted.names)
        chosen = chosen_names(file, header, wanted)
        cells = _Cells(lines, header, [header.index(name) for name in chosen], wanted)
        blocks = list(_blocks(lines, cells))
    if not blocks:
        raise no_data(file)
    tables, rows = zip(*blocks, strict=True)
    arrays = {
        name: wanted.gaps.fill(name, np.concatenate([table[:, k] for table in tables]))
        for k, name in enumerate(chosen)
    }
    return Columns(file, arrays, np.concatenate(rows))


@dataclass
class _Lines:
    """The lines of a text file, none without end, and the errors of each."""

    file: Path
    stream: TextIO
    num_bytes: int
    dialect: Dialect = field(default_factory=Dialect)
    count: int = 0
    kept: str = ""
    signs: set[str] = field(default_factory=set)

    def header(self) -> list[str]:
        """Return the names in the header, which may follow comments.

        Raises:
            DataError: there is none.
        """
        self.dialect, line, self.kept = dialect_of(self.next)
        if not line.strip():
            raise no_data(self.file)
        self.count -= bool(self.kept)
        return [cell.strip() for cell in self.cells(self.count, self.dialect.header(line))]

    def next(self) -> str:
        """Return the next line; an empty text at the end of the file.

        Raises:
            DataError: it is longer than any row of numbers, or not in UTF-8.
        """
        self.count += 1
        if self.kept:
            line, self.kept = self.kept, ""
            return line
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
                for _ in self._split(line, strict=True):
                    pass
            except csv.Error as error:
                if "end of data" in str(error):
                    raise self.fault(
                        row,
                        "a quote is not closed on its line",
                        "cells without line ends inside",
                    ) from None
        try:
            return next(self._split(line))
        except csv.Error as error:
            raise self.fault(row, f"cannot be read ({error})") from None

    def _split(self, line: str, *, strict: bool = False) -> Iterator[list[str]]:
        separator = self.dialect.separator
        return csv.reader([line], delimiter=separator, skipinitialspace=True, strict=strict)

    def fault(self, row: int, what: str, expected: str = "", hint: str = "") -> DataError:
        """Return the error of one row, as an editor numbers it."""
        return DataError(
            f"{self.file}: row {row}: {what}", expected=expected, hint=hint, file=self.file
        )

    def note_sign(self, row: int, name: str, cell: str) -> None:
        """Refuse a second decimal sign in a file in which a comma may be one.

        Raises:
            DataError: the other sign was noted before.
        """
        if self.dialect.has_decimal_commas:
            self.signs |= {sign for sign in ",." if sign in cell}
            if len(self.signs) > 1:
                what = f"{name} is {cell!r}, and other numbers of the file have the other sign"
                raise self.fault(row, what, "a decimal comma or a decimal point in all of them")

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
    first = start = lines.count + 1
    blank = lines.dialect.separator + " ,\t\r\n"
    while block := lines.block():
        if start == first:
            lines.refuse_many(block, len(cells.places))
        filled = [i for i, line in enumerate(block) if line.strip(blank)]
        kept = block if len(filled) == len(block) else [block[i] for i in filled]
        rows = np.array(filled, dtype=np.int64) + start
        table = cells.plain(kept)
        yield cells.one_by_one(rows, kept) if table is None else table, rows
        start += len(block)


@dataclass(frozen=True)
class _Cells:
    """How the cells of a text file become numbers: those at `places` of each row."""

    lines: _Lines
    header: list[str]
    places: list[int]
    wanted: Wanted

    def plain(self, lines: list[str]) -> Array | None:
        """Read lines of finite numbers at numpy's speed; None where they need a closer look."""
        text, separator = "".join(lines), self.lines.dialect.separator
        count = len(self.header) - 1
        if not lines or '"' in text or any(line.count(separator) != count for line in lines):
            return None
        if separator != "," and "," in text:
            if "." in text:  # which of them is the decimal sign, a closer look tells
                return None
            text = text.replace(",", ".")
        try:
            table = np.loadtxt(
                io.StringIO(text), delimiter=separator, comments=None, usecols=self.places, ndmin=2
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
        if self.wanted.gaps.is_gap(name, cell):
            return np.nan
        try:
            number = self.lines.dialect.number(cell)
        except ValueError:
            return self._date(row, name, cell)
        self.lines.note_sign(row, name, cell)
        if not np.isfinite(number):
            raise self.lines.fault(row, f"{name} is not finite ({number:g})", hint=NOT_FINITE)
        return number

    def _date(self, row: int, name: str, cell: str) -> float:
        """Return the time at a date.

        Raises:
            DataError: the cell is none, or nothing says from when on time counts.
        """
        told = repr(cell if len(cell) <= 40 else cell[:37] + "...") if cell else "empty"
        if name not in self.wanted.dates or not is_date(cell):
            dates = " or a date" if self.wanted.dates.get(name) else ""
            what = f"{name} is {told}, not a number{dates}"
            raise self.lines.fault(row, what, "a number such as 0.25 or 1e-3")
        clock = self.wanted.dates[name]
        if clock is None:
            raise self.lines.fault(row, f"{name} is the date {told}", NO_CLOCK)
        return clock.number(cell)


def read_labels(file: Path, column: str) -> list[str]:
    """Return a column of names of a text file.

    Raises:
        DataError: the file is none, or has no such column.
    """
    with open_data(file) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as stream:
        lines = _Lines(file, stream, os.fstat(raw.fileno()).st_size)
        header = without_units(lines.header(), [column])
        place = header.index(chosen_names(file, header, Wanted([column]))[0])
        start = lines.count + 1
        rows = [lines.cells(start + k, line) for k, line in enumerate(lines.block())]
    return [row[place].strip() for row in rows if len(row) > place]


__all__ = ["read_labels", "read_text"]
