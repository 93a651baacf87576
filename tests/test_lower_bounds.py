"""The lowest versions that pyproject.toml allows, as constraints for pip.

``python -m tests.test_lower_bounds`` prints them; ``make test-oldest`` installs and tests them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
_BOUND = re.compile(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9][0-9.]*)")


def lower_bounds() -> dict[str, str]:
    """Return package to lowest version, of what a run needs."""
    stated = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    found = {}
    for requirement in stated:
        match = _BOUND.fullmatch(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} states no lower bound alone")
        found[match[1]] = match[2]
    return found


def test_every_dependency_has_a_lower_bound() -> None:
    assert {"torch", "numpy", "typer"} <= set(lower_bounds())


if __name__ == "__main__":
    for name, version in lower_bounds().items():
        print(f"{name}=={version}")
