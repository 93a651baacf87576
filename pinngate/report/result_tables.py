"""The result in tables of the page: accuracy, coefficients, quantities of interest.

Part of the report. Numbers have the digits that their intervals bear, and units. Columns that would
say nothing, as of a truth beside real data, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pinngate.report import mathml, verdict
from pinngate.report.archive import RunArchive
from pinngate.report.notation import (
    ABSENT,
    QUANTILE_95,
    comparable,
    interval,
    percent,
    with_uncertainty,
)

ACCURACY = ("this run", "classical", "statistical limit", "this run / limit")
COEFFICIENTS = ("estimate", "95 % interval", "truth", "error", "truth in interval")
DERIVED = ("estimate", "95 % interval or range", "formula", "truth")
Table = dict[str, Any]
"""``heads`` of all columns but the first; ``rows`` of ``head``, which is markup, and ``cells``."""


def told(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Table:
    """Return a table of the columns that say something."""
    kept = [k for k in range(len(heads)) if any(cells[k] != ABSENT for _, cells in rows)]
    return {
        "heads": [heads[k] for k in kept],
        "rows": [{"head": head, "cells": [cells[k] for k in kept]} for head, cells in rows],
    }


def accuracy(archive: RunArchive) -> list[Table]:
    """Return a table for each field whose truth is known: errors of this run and of others."""
    tables = []
    judged = [(archive, unknown) for unknown in archive.problem.unknowns]
    judged += [(own, name) for name, own in archive.varying()]
    for part, unknown in judged:
        rows = [(name, cells) for name, *cells in verdict.accuracy_rows(part, unknown)]
        if rows:
            method = archive.section("classical", unknown).get("method")
            table = told(ACCURACY, rows)
            tables.append(table | {"symbol": mathml.symbol(unknown), "method": method})
    return tables


def coefficients(archive: RunArchive) -> Table:
    """Return the table of the coefficients that were stated one by one."""
    pieces = {name for own in archive.problem.pieces for name in own.members}
    names = [n for n, e in archive.section("coefficients").items() if e and n not in pieces]
    units = archive.problem.units
    rows = [(mathml.symbol(n), coefficient_cells(archive, n, units.get(n, ""))) for n in names]
    return told(COEFFICIENTS, rows)


def coefficient_cells(archive: RunArchive, name: str, unit: str) -> list[str]:
    """Return the cells of one coefficient under `COEFFICIENTS`."""
    estimate, std, truth, error = (
        archive.number("coefficients", name, key)
        for key in ("estimate", "std", "truth", "relative_error")
    )
    inside = verdict.truth_inside(archive, name)
    return [
        with_uncertainty(estimate, std, unit),
        interval(*verdict.interval_of(archive, name), unit),
        comparable(truth, std, unit),
        percent(error),
        {True: "inside", False: "outside", None: ABSENT}[inside],
    ]


def derived(archive: RunArchive) -> Table:
    """Return the table of quantities of interest: a number with its interval, or a range."""
    units, named = archive.problem.units, archive.section("derived").items()
    return told(DERIVED, [_derived(name, entry, units.get(name, "")) for name, entry in named])


def _derived(name: str, entry: Mapping[str, Any], unit: str) -> tuple[str, list[str]]:
    ends = entry.get("interval_95") or entry.get("range")
    low, high = ends or (None, None)
    std = (ends[1] - ends[0]) / (2 * QUANTILE_95) if ends else None
    is_function = "over" in entry
    return escape(name), [
        "a function" if is_function else comparable(entry.get("estimate"), std, unit, last=2),
        interval(low, high, unit),
        entry["formula"],
        comparable(entry.get("truth"), std, unit),
    ]
