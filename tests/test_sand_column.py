"""Real laboratory data, end to end: a tracer in a sand column (CXTFIT 2.1 manual, example 7-3A)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import erfc, erfcx

import pinngate
from pinngate.report.terminal import verdict_lines

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "sand_column.csv"

PROBLEM = """
pinngate: 1
name: sand-column
title: Tracer in a saturated sand column
domain: {{x: [0, 23], t: [0, 11.6]}}
unknowns: [c]
units: {{x: cm, t: h}}
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


def closed_form(parameters: np.ndarray, x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return c in a half-infinite column with flux inlet (Lindstrom et al., 1967)."""
    v, dispersion = np.exp(parameters)
    spread = 2 * np.sqrt(dispersion * t)
    a, b = (x - v * t) / spread, (x + v * t) / spread
    front = np.exp(-a * a)
    peak = np.sqrt(v * v * t / (np.pi * dispersion))
    rest = 1 + v * x / dispersion + v * v * t / dispersion
    return 0.5 * erfc(a) + front * (peak - 0.5 * rest * erfcx(b))


def closed_fit(x: np.ndarray, t: np.ndarray, c: np.ndarray) -> tuple[float, float, float]:
    """Return v, D and the root mean square of the residuals."""
    found = least_squares(lambda p: closed_form(p, x, t) - c, np.log([2.5, 0.13]))
    v, dispersion = np.exp(found.x)
    return float(v), float(dispersion), float(np.sqrt(np.mean(found.fun**2)))


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="the sand column's data are not here")
def test_depths_that_disagree_widen_the_interval_of_the_velocity() -> None:
    x, t, c = np.loadtxt(DATA, delimiter=",", skiprows=1).T
    joint_v, joint_dispersion, joint_misfit = closed_fit(x, t, c)
    alone = [closed_fit(x[x == d], t[x == d], c[x == d]) for d in np.unique(x)]
    # the depths agree within themselves and not with one another
    assert max(misfit for _, _, misfit in alone) < 0.35 * joint_misfit

    metrics = pinngate.solve(pinngate.loads(PROBLEM.format(file=DATA))).metrics
    velocity, dispersion = (metrics["coefficients"][name] for name in ("v", "D"))
    # a direct fit through the solver gives way to depths that disagree no more than the closed form
    assert velocity["estimate"] == pytest.approx(joint_v, rel=1e-3)
    assert dispersion["estimate"] == pytest.approx(joint_dispersion, rel=1e-2)
    assert metrics["risk"]["training"] ** 0.5 == pytest.approx(joint_misfit, rel=1e-2)
    low, high = velocity["interval_95"]
    assert all(low < v < high for v, _, _ in alone), (low, high, alone)
    low, high = dispersion["interval_95"]
    assert low < joint_dispersion < high
    misfit = metrics["misfit"]
    assert misfit["is_clear"]
    assert misfit["correlation"]["kind"] == "series"
    assert misfit["correlation"]["num_groups"] == 3
    assert any("the model does not fit the data" in line for line in verdict_lines(metrics))
