"""Problems with a geometry, for the tests."""

from __future__ import annotations

import pytest

from pinngate.config import loads
from pinngate.geometry.isolation import is_available
from pinngate.statement.problem import Problem

needs_deepxde = pytest.mark.skipif(not is_available(), reason="needs the extra geometry (deepxde)")

PLATE = "plate: {rectangle: {x: [-1, 1], y: [-1, 1]}}"
HOLE = "hole: {disk: {center: [0.2, 0], radius: 0.3}}"


def text(
    shapes: str = f"{PLATE}, {HOLE}",
    inside: str = "plate - hole",
    *,
    domain: str = "{x: [-1, 1], y: [-1, 1]}",
    boundaries: str = "{}",
    conditions: str = "[]",
    more: str = "",
) -> str:
    return f"""\
pinngate: 1
name: stated
domain: {domain}
geometry:
  shapes: {{{shapes}}}
  inside: {inside}
  boundaries: {boundaries}
unknowns: [u]
equations: [u_xx + u_yy = 4]
conditions: {conditions}
observations:
  - {{of: u, count: 200, noise: {{std: 0.1}}}}
truth: {{u: x**2 + y**2}}
{more}"""


def problem(*args: str, **options: str) -> Problem:
    return loads(text(*args, **options))
