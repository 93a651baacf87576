"""Links of the README, and the index of the decisions."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pages_that_the_readme_names_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", readme):
        assert (ROOT / target).exists(), target


def test_every_decision_is_in_the_index() -> None:
    index, _, rooms = (ROOT / "docs" / "decisions.md").read_text("utf-8").partition("\n## ")
    headings = re.findall(r"^#{2,3} (.+)$", "## " + rooms, re.MULTILINE)
    entries = re.findall(r"^ *- \[(.+)\]\(#(.+)\)$", index, re.MULTILINE)
    assert [title for title, _ in entries] == headings
    for title, anchor in entries:
        assert anchor == re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
