"""The estimated numbers of a run as tables of the page: coefficients, and the pieces of each.

Beside `derived_table`. Pieces are many, so that the page folds them below their map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any

from pinngate.report import mathml, verdict
from pinngate.report.archive import RunArchive
from pinngate.report.notation import ABSENT, interval, percent, significant, with_uncertainty
from pinngate.statement.unknown_quantities import Pieces

COEFFICIENTS = ("estimate", "95 % interval", "truth", "error", "truth in interval")


def coefficient_table(archive: RunArchive) -> dict[str, Any]:
    """Return heads and rows of the coefficients that were stated one by one."""
    members = {name for own in archive.problem.pieces for name in own.members}
    names = [n for n, e in archive.section("coefficients").items() if e and n not in members]
    cells = [_cells(archive, name, archive.problem.units.get(name, "")) for name in names]
    return _table([mathml.symbol(name) for name in names], COEFFICIENTS, cells)


def piece_tables(archive: RunArchive) -> list[dict[str, Any]]:
    """Return for each function on pieces its symbol, and heads and rows of its pieces."""
    return [_pieces(archive, own) for own in archive.problem.pieces]


def _pieces(archive: RunArchive, own: Pieces) -> dict[str, Any]:
    unit = archive.problem.units.get(own.name, "")
    cells = [
        [*_cells(archive, name, unit), percent(archive.number("coefficients", name, "prior_share"))]
        for name in own.members
    ]
    table = _table(list(_places(archive, own)), (*COEFFICIENTS, "from the prior"), cells)
    resting = len(archive.section("coefficient_fields", own.name).get("from_prior") or [])
    note = f"{resting} of {len(own.members)} rest on the prior more than on the data."
    return table | {"symbol": mathml.symbol(own.name), "note": note if resting else ""}


def _places(archive: RunArchive, own: Pieces) -> Iterator[str]:
    """Yield where each piece lies, in words."""
    along = []
    for axis, breaks in zip(own.over, own.breaks, strict=True):
        low, high = archive.problem.domain[axis]
        ends = pairwise([low, *breaks, high])
        along.append([f"{axis} {significant(a, 4)} to {significant(b, 4)}" for a, b in ends])
    for parts in product(*along):
        yield ", ".join(parts)


def _cells(archive: RunArchive, name: str, unit: str) -> list[str]:
    """Return the cells of one coefficient under `COEFFICIENTS`."""
    at = ("coefficients", name)
    inside = verdict.truth_inside(archive, name)
    estimate, std = archive.number(*at, "estimate"), archive.number(*at, "std")
    return [
        f"{with_uncertainty(estimate, std)} {unit}".rstrip(),
        interval(*verdict.interval_of(archive, name)),
        significant(archive.number(*at, "truth"), 4),
        percent(archive.number(*at, "relative_error")),
        {True: "inside", False: "outside", None: ABSENT}[inside],
    ]


def _table(
    symbols: Sequence[str], heads: Sequence[str], rows: Sequence[list[str]]
) -> dict[str, Any]:
    kept_heads, kept_rows = told_columns(heads, rows)
    pairs = zip(symbols, kept_rows, strict=True)
    return {"heads": kept_heads, "rows": [{"symbol": s, "cells": row} for s, row in pairs]}


def told_columns(
    heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return the columns that say something: of real data there is no truth to compare with."""
    kept = [k for k in range(len(heads)) if k == 0 or any(row[k] != ABSENT for row in rows)]
    return [heads[k] for k in kept], [[row[k] for k in kept] for row in rows]


__all__ = ["coefficient_table", "piece_tables", "told_columns"]
