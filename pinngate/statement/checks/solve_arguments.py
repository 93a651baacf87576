"""Options of `pinngate.solve`, checked as those of the `solve` section of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinngate.statement.checks.python_source import read_arguments
from pinngate.statement.checks.solve_section import build_solve
from pinngate.statement.checks.validation import validate
from pinngate.statement.options import SolveOptions

# what a problem needs beside its options to be valid
LEAST = {"name": "options", "domain": {"x": [0, 1]}, "unknowns": ["u"], "equations": ["u"]}


def solve_arguments(options: Mapping[str, Any]) -> SolveOptions:
    """Return what options state; the optimizer is among them where it is not the default.

    Raises:
        InputError: an option does not exist, has no such value, or is not read by the optimizer.
    """
    source = read_arguments({**LEAST, "solve": options}, call="solve", prefix="solve")
    return build_solve(source, validate(source).solve)
