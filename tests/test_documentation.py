"""Figures quoted in the README are those of the committed results."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUMMARY = ROOT / "results" / "initial-conditions" / "summary.md"


def table(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if re.match(r"\| [a-z-]+ \|", line)]
    return [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows]


def test_quoted_errors_are_the_committed_ones() -> None:
    committed = {row[0]: row for row in table(SUMMARY.read_text(encoding="utf-8")) if len(row) > 9}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = [row for row in table(readme) if row[0] in committed and row[0] != "problem"]
    assert len(quoted) == 4
    for name, error, limit, classical, coverage, seconds in quoted:
        row = committed[name]
        assert error == row[5].split(" [")[0]
        assert (limit, classical, coverage, seconds) == (row[7], row[8], row[10], row[11])


def test_pages_that_the_readme_names_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", readme):
        assert (ROOT / target).exists(), target
