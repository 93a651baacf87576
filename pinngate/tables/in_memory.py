"""Measured values that are given from Python, in place of a data file.

A checked problem holds an `InMemoryTable` where one from a file holds a path. It is read like a
file and written as one into the folder of a run, so that the folder is complete in itself.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class InMemoryTable:
    """Columns (n,) of float64 numbers by name; NaN stands for a value that was not measured.

    Two tables are equal where their columns are, bit for bit.

    Attributes:
        name: of the file that a run writes, ``observations-1.csv``.
        label: what messages call it, ``Problem(observations[0])``.
        columns: read-only arrays.
    """

    name: str
    label: str
    columns: Mapping[str, NDArray[np.float64]]

    def __str__(self) -> str:
        return self.label

    def __repr__(self) -> str:
        return f"InMemoryTable({self.name!r}: {len(self)} rows of {', '.join(self.columns)})"

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InMemoryTable):
            return NotImplemented
        return self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    @cached_property
    def _digest(self) -> str:
        content = hashlib.sha256()
        for name in sorted(self.columns):
            content.update(f"{name}\0{len(self)}\0".encode())
            content.update(self.columns[name].tobytes())
        return content.hexdigest()

    def write(self, file: Path) -> None:
        """Write a CSV file from which the same numbers are read; NaN is an empty cell."""
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(self.columns)
            for row in zip(*(column.tolist() for column in self.columns.values()), strict=True):
                writer.writerow("" if math.isnan(cell) else repr(cell) for cell in row)


__all__ = ["InMemoryTable"]
