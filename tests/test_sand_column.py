"""Real laboratory data, end to end: a tracer in a sand column (CXTFIT 2.1 manual, example 7-3A)."""

from __future__ import annotations

from pathlib import Path

import pytest

import pinngate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "sand_column.csv"

PROBLEM = """
pinngate: 1
name: sand-column
title: Tracer in a saturated sand column
domain: {{x: [0, 23], t: [0, 11.6]}}
unknowns: [c]
estimate:
  v: {{initial: 2.0, positive: true}}
  D: {{initial: 0.5, positive: true}}
equations:
  - c_t + v*c_x = D*c_xx
conditions:
  - {{where: t = 0, equation: c = 0}}
  - {{where: x = 0, equation: v*c - D*c_x = v}}
observations:
  - {{of: c, file: {file}}}
"""


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="the sand column's data are not here")
def test_velocity_of_the_sand_column() -> None:
    solution = pinngate.solve(pinngate.loads(PROBLEM.format(file=DATA)))
    velocity, dispersion = (solution.metrics["coefficients"][name] for name in ("v", "D"))
    # the closed form fitted to all depths gives v = 2.500 and D = 0.130 cm²/h
    assert velocity["estimate"] == pytest.approx(2.50, rel=0.02)
    assert dispersion["estimate"] > 0
    low, high = dispersion["interval_95"]
    assert low < 0.130 < high
    # its misfit is 0.029, because the depths disagree by more than their noise
    assert solution.metrics["risk"]["training"] ** 0.5 <= 0.04
