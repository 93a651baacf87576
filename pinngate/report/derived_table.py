"""The table of quantities of interest in the report."""

from __future__ import annotations

from pinngate.report.archive import RunArchive
from pinngate.report.notation import interval, significant


def derived_rows(archive: RunArchive) -> list[dict[str, str]]:
    """Return the rows of quantities of interest: a number with its interval, or a range."""
    rows = []
    for name, entry in archive.section("derived").items():
        is_number = "over" not in entry
        ends = entry["interval_95"] if is_number else entry["range"]
        truth = entry["truth"] if is_number else None
        rows.append(
            {
                "name": name,
                "formula": entry["formula"],
                "estimate": significant(entry["estimate"], 4) if is_number else "a function",
                "interval": interval(*(ends or (None, None))),
                "truth": significant(truth, 4),
            }
        )
    return rows


__all__ = ["derived_rows"]
