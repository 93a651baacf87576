"""Numbers that the README and the documentation quote from ``results/``, written by a command.

A quote is a comment of Markdown that says where its numbers come from, the numbers, and an end::

    <!-- table: NAME/FILE | HEADING=COLUMN, ... | COLUMN=VALUE, ... -->
    <!-- end -->

    <!-- value: NAME/FILE | COLUMN | COLUMN=VALUE, ... -->0.0325<!-- end -->

    <!-- sum: NAME/FILE + NAME/FILE | COLUMN | COLUMN=VALUE, ... -->170<!-- end -->

    <!-- mean: NAME/FILE + NAME/FILE | COLUMN * WEIGHT | COLUMN=VALUE, ... -->0.97<!-- end -->

NAME is a folder of ``results/`` and FILE one of its tables without ``.csv``. The last part chooses
rows; a value must be of exactly one. Sums and weighted means go over the rows of several tables
that have a number in that column. ``python -m pinngate.bench.quotes`` writes all anew, and a
test checks that doing so changes nothing.
"""

from __future__ import annotations

import csv
import re
import sys
from operator import mul
from pathlib import Path

from pinngate.errors import InputError

ROOT = Path(__file__).parents[2]
QUOTE = re.compile(r"<!-- (table|value|sum|mean): (.*?) -->(.*?)<!-- end -->", re.DOTALL)
DIGITS = 3
Line = dict[str, str]


def quoting_pages(root: Path = ROOT) -> list[Path]:
    """Return the README and the pages of the documentation."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def requoted(text: str, results: Path = ROOT / "results") -> str:
    """Return a page with every quote written anew.

    Raises:
        InputError: a quote names a table, a column or a row that is not there.
    """

    def write(found: re.Match[str]) -> str:
        kind, stated = found[1], " ".join(found[2].split())
        parts = [part.strip() for part in stated.split("|")]
        chosen = parts[2] if len(parts) > 2 else ""
        tables = parts[0].split("+")
        lines = [line for table in tables for line in _chosen(results, table.strip(), chosen)]
        if kind == "table":
            return f"<!-- table: {found[2]} -->\n{_table(lines, parts[1], stated)}\n<!-- end -->"
        if kind in ("sum", "mean"):
            number = f"{_joined(lines, parts[1], kind):.{DIGITS}g}"
            return f"<!-- {kind}: {found[2]} -->{number}<!-- end -->"
        if len(lines) != 1:
            raise InputError(f"value: {stated}", expected=f"one row, not {len(lines)}")
        return f"<!-- value: {found[2]} -->{_cell(lines[0], parts[1], stated)}<!-- end -->"

    return QUOTE.sub(write, text)


def _chosen(results: Path, table: str, conditions: str) -> list[Line]:
    path = results / f"{table}.csv"
    if not path.is_file():
        raise InputError(f"there is no table {path}", expected="NAME/FILE of results/")
    with path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    for condition in filter(None, conditions.split(",")):
        column, _, value = (part.strip() for part in condition.partition("="))
        lines = [line for line in lines if line.get(column) == value]
    return lines


def _table(lines: list[Line], stated: str, quote: str) -> str:
    pairs = [part.partition("=") for part in stated.split(",")]
    headings = [(heading.strip(), (column or heading).strip()) for heading, _, column in pairs]
    rows = ["| " + " | ".join(heading for heading, _ in headings) + " |", "|---" * len(pairs) + "|"]
    for line in lines:
        rows.append("| " + " | ".join(_cell(line, c, quote) for _, c in headings) + " |")
    return "\n".join(rows)


def _joined(lines: list[Line], stated: str, kind: str) -> float:
    """Return the sum of a column, or its mean with another column as weights."""
    column, _, weight = (part.strip() for part in stated.partition("*"))
    told = [line for line in lines if line.get(column)]
    if not told or (kind == "mean") != bool(weight):
        raise InputError(
            f"{kind}: {stated}",
            expected="a column with numbers in some row" + " * WEIGHT" * (kind == "mean"),
        )
    values = [float(line[column]) for line in told]
    if kind == "sum":
        return sum(values)
    weights = [float(line[weight]) for line in told]
    return sum(map(mul, values, weights)) / sum(weights)


def _cell(line: Line, column: str, quote: str) -> str:
    if column not in line:
        raise InputError(f"{quote}: no column '{column}'", expected=", ".join(line))
    text = line[column]
    if text.isdecimal():
        return text  # counts keep all their digits
    try:
        return f"{float(text):.{DIGITS}g}"
    except ValueError:
        return text or "–"


def main() -> None:
    """Write every quote of every page anew."""
    for page in quoting_pages():
        text = page.read_text(encoding="utf-8")
        changed = requoted(text)
        if changed != text:
            page.write_text(changed, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
