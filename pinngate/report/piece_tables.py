"""The pieces of a function as a table of the page, which folds it: pieces are many.

Beside `result_tables`, whose columns these have.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

from pinngate.report import mathml
from pinngate.report.archive import RunArchive
from pinngate.report.notation import percent, significant
from pinngate.report.result_tables import COEFFICIENTS, Table, coefficient_cells, told
from pinngate.statement.unknown_quantities import Pieces


def piece_tables(archive: RunArchive) -> list[Table]:
    """Return for each function on pieces a table, its ``symbol`` and a ``note``."""
    return [_pieces(archive, own) for own in archive.problem.pieces]


def _pieces(archive: RunArchive, own: Pieces) -> Table:
    unit = archive.problem.units.get(own.name, "")
    rows = [
        (place, [*coefficient_cells(archive, name, unit), _prior_share(archive, name)])
        for place, name in zip(_places(archive, own), own.members, strict=True)
    ]
    resting = len(archive.section("coefficient_fields", own.name).get("from_prior") or [])
    note = f"{resting} of {len(own.members)} rest on the prior more than on the data."
    table = told((*COEFFICIENTS, "from the prior"), rows)
    return table | {"symbol": mathml.symbol(own.name), "note": note if resting else ""}


def _prior_share(archive: RunArchive, name: str) -> str:
    return percent(archive.number("coefficients", name, "prior_share"))


def _places(archive: RunArchive, own: Pieces) -> Iterator[str]:
    """Yield where each piece lies, in words."""
    along = []
    for axis, breaks in zip(own.over, own.breaks, strict=True):
        low, high = archive.problem.domain[axis]
        ends = pairwise([low, *breaks, high])
        along.append([f"{axis} {significant(a, 4)} to {significant(b, 4)}" for a, b in ends])
    for parts in product(*along):
        yield ", ".join(parts)


__all__ = ["piece_tables"]
