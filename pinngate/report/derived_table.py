"""The table of quantities of interest in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinngate.report.archive import RunArchive
from pinngate.report.notation import interval, significant


def derived_rows(archive: RunArchive) -> list[dict[str, str]]:
    """Return the rows of quantities of interest: a number with its interval, or a range."""
    return [_row(name, entry) for name, entry in archive.section("derived").items()]


def _row(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    ends = entry.get("interval_95") or entry.get("range") or (None, None)
    estimate = entry.get("estimate")
    return {
        "name": name,
        "formula": entry["formula"],
        "estimate": "a function" if "over" in entry else significant(estimate, 4),
        "interval": interval(*ends),
        "truth": significant(entry.get("truth"), 4),
    }


__all__ = ["derived_rows"]
