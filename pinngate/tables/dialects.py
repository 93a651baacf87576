"""How a text file writes a table: comments before it, separator, decimal sign, units in its header.

A file is read as it comes from a logger, a spreadsheet or numpy:

    # station 7, reset on Monday                comments and empty lines before the header
    t [h];u (°C)                                ; or tab or comma; units in brackets are left out
    0,5;18,25                                   decimal commas, where commas do not separate

`numpy.savetxt` writes the header itself as a comment: the last comment is the header where the
first row after it holds numbers alone. Below `text_files`, which reads the lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pinngate.reading import decimal

SEPARATORS = (";", "\t", ",")  # the first that a header has outside quotes
COMMENT = "#"
_QUOTED = re.compile(r'"[^"]*"')
_UNIT = re.compile(r"(?P<name>.*\S)\s*(?:\[[^\]]*\]|\([^)]*\))")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d*(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """How one file writes its cells.

    Attributes:
        separator: of the cells of a row.
        header_row: of the header, 1 for the first line of the file.
        is_comment: whether the header is written as a comment.
    """

    separator: str = ","
    header_row: int = 1
    is_comment: bool = False

    @property
    def has_decimal_commas(self) -> bool:
        """Whether a comma inside a cell is a decimal sign."""
        return self.separator != ","

    def header(self, line: str) -> str:
        """Return the text of the header line without the comment sign."""
        return line.lstrip().lstrip(COMMENT) if self.is_comment else line

    def number(self, cell: str) -> float:
        """Return the number of a cell.

        Raises:
            ValueError: it is none.
        """
        if self.has_decimal_commas and _DECIMAL_COMMA.fullmatch(cell):
            return decimal(cell.replace(",", "."))
        return decimal(cell)


def separator_of(line: str) -> str:
    """Return what separates the cells of a header."""
    bare = _QUOTED.sub("", line)
    return next((sign for sign in SEPARATORS if sign in bare), ",")


def dialect_of(next_line: Callable[[], str]) -> tuple[Dialect, str, str]:
    """Read a file up to its header, and one line further where comments stand before it.

    Args:
        next_line: returns the next line, an empty text at the end of the file.

    Returns:
        The dialect, the header line, and a line after it that was read already or an empty text.
    """
    row, comment, comment_row = 1, "", 0
    line = next_line()
    while line and (not line.strip() or line.lstrip().startswith(COMMENT)):
        if line.strip():
            comment, comment_row = line, row
        line, row = next_line(), row + 1
    if comment and _is_header(comment, line):
        return Dialect(separator_of(line), comment_row, is_comment=True), comment, line
    return Dialect(separator_of(line), row), line, ""


def _is_header(comment: str, line: str) -> bool:
    """Whether a comment names the columns of a row of numbers."""
    dialect = Dialect(separator_of(line))
    cells = [cell.strip() for cell in line.split(dialect.separator)]
    named = comment.lstrip().lstrip(COMMENT).split(dialect.separator)
    try:
        for cell in cells:
            dialect.number(cell)
    except ValueError:
        return False
    return len(named) == len(cells)


def without_units(header: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the names of columns, units in brackets left out where the bare name is free.

    Args:
        header: as it stands in the file.
        wanted: names that are looked for; what is wanted as it stands stays so.
    """
    found = []
    for name in header:
        match = _UNIT.fullmatch(name)
        bare = match["name"] if match and name not in wanted else name
        found.append(name if bare in header else bare)
    return found


__all__ = ["Dialect", "dialect_of", "separator_of", "without_units"]
