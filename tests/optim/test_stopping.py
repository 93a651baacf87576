"""When an iteration still counts as progress."""

from __future__ import annotations

import math

import pytest

from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import EXACT, Stopping


@pytest.mark.parametrize("level", [100 * EXACT, 0.01 * EXACT])
def test_a_fall_by_a_tenth_is_progress_at_any_level(level: float) -> None:
    stopping = Stopping(GaussNewtonOptions(patience=4))
    for k in range(5):
        stopping.judge(level * 0.9**k, level * 0.9**k, 1.0, 200, dict)
    assert stopping.num_stale == 0
    assert not stopping.is_stale()
    # the best is kept all the same
    assert stopping.score == pytest.approx(level * 0.9**4)
    stopping.judge(level * 0.9**4 / 2, level, 1.0, 200, dict)
    assert stopping.num_stale == 0


def test_an_iterate_under_softer_physics_does_not_compare() -> None:
    stopping = Stopping(GaussNewtonOptions())
    assert stopping.score == math.inf
    stopping.judge(1.0, 1.0, 0.5, 200, dict)
    stopping.judge(2.0, 2.0, 1.0, 200, dict)
    assert stopping.score == 2.0
    assert stopping.num_stale == 0
