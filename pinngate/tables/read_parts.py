"""What was read of a table: its columns, their gaps, and the faults of rows and files.

Below the readers of each kind of file, which `named_columns` chooses among.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError, nearest
from pinngate.reading import decimal
from pinngate.tables.clock import Clock
from pinngate.tables.in_memory import InMemoryTable

Array = NDArray[np.float64]
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


@dataclass(frozen=True)
class Wanted:
    """What is read of a file.

    Attributes:
        needed: columns that must be there.
        optional: columns that are read where they are there.
        gaps: which columns may lack values.
        dates: columns that may hold dates, and the clock that makes numbers of them, if there is
            one.
    """

    needed: Sequence[str]
    optional: Sequence[str] = ()
    gaps: Gaps = field(default_factory=Gaps)
    dates: Mapping[str, Clock | None] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All columns that may be read."""
        return [*self.needed, *self.optional]


def no_data(file: Path) -> DataError:
    """Return the error of a file without rows."""
    return DataError(f"{file}: holds no data", expected="a header and at least one row", file=file)


def chosen_names(file: Path, header: Sequence[str], wanted: Wanted) -> list[str]:
    """Return the names to read, all of them in the header once."""
    for name in wanted.needed:
        if name not in header:
            raise DataError(
                f"{file}: has no column '{name}'",
                expected="its columns are " + ", ".join(header),
                hint=nearest(name, header) or f"the columns needed are {', '.join(wanted.needed)}",
                file=file,
            )
    chosen = [*wanted.needed, *(name for name in wanted.optional if name in header)]
    for name in chosen:
        if list(header).count(name) > 1:
            raise DataError(f"{file}: two columns are called '{name}'", file=file)
    return list(dict.fromkeys(chosen))
