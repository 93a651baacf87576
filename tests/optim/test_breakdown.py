"""Candidates that break down: powers below zero go on, what has no value at all is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate.errors import SolveError
from pinngate.runs.training import begin, train

TANK = """\
pinngate: 1
name: tank
domain: {t: [0, 10]}
unknowns: [h]
estimate: {k: {initial: 1, positive: true}}
equations: [h_t = -k*sqrt(h)]
observations: [{of: h, file: tank.csv}]
"""


def test_a_tank_that_runs_dry_under_noise_is_solved(tmp_path: Path) -> None:
    """Torricelli's law: h = (1 − k t/2)² until it is empty, at t = 8; noise takes values below."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(0, 10, 60))
    h = np.maximum(1 - 0.125 * t, 0) ** 2 + 0.05 * rng.normal(size=60)
    assert h.min() < 0
    np.savetxt(tmp_path / "tank.csv", np.c_[t, h], delimiter=",", header="t,h", comments="")
    (tmp_path / "tank.yaml").write_text(TANK)
    session = begin(config.load(tmp_path / "tank.yaml"))
    train(session)
    # least squares through the closed form has 0.249 with a standard deviation of 0.008
    assert session.estimates()["k"] == pytest.approx(0.25, abs=0.016)


def test_where_nothing_has_a_value_the_message_names_the_part(tmp_path: Path) -> None:
    (tmp_path / "tank.csv").write_text("t,h\n1,1\n2,2\n3,3\n")
    (tmp_path / "tank.yaml").write_text(TANK.replace("sqrt(h)", "h/(t - t)"))
    session = begin(config.load(tmp_path / "tank.yaml"))
    with pytest.raises(SolveError, match=r"equation_1.*t - t.*has no finite value at t = "):
        train(session)
