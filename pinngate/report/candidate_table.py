"""The table of several equations for the same data in the report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from pinngate.report import stated
from pinngate.report.archive import RunArchive
from pinngate.report.notation import significant
from pinngate.statement.problem import Problem

HEADS = ("unknowns", "leave-one-out risk", "behind", "in standard errors")


def candidate_table(archive: RunArchive) -> dict[str, Any] | None:
    """Return rows and words of the candidates of a run, None where it had none."""
    told = archive.section("candidates")
    if not told:
        return None
    rows = [_row(archive, row, told["chosen"]) for row in told["table"]]
    return {"heads": HEADS, "rows": rows, "words": told["words"]}


def _row(archive: RunArchive, row: Mapping[str, Any], chosen: str) -> dict[str, Any]:
    error = row["standard_error"]
    ratio = row["behind"] / error if error else None
    equations = stated.equations(Problem.of(archive.problem.candidates[row["name"]]))
    cells = (row["size"], significant(row["leave_one_out"]), significant(row["behind"]))
    return {
        "head": f"{escape(row['name'])}: {'<br>'.join(equations)}",
        "is_chosen": row["name"] == chosen,
        "cells": [str(cells[0]), *cells[1:], significant(ratio, 2)],
    }


__all__ = ["candidate_table"]
