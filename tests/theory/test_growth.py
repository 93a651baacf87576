"""Exponents on simulated drift and diffusion."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate.errors import InputError
from pinngate.theory.growth import exponents, growth, slope

TIMES = np.array([4.0, 8, 16, 32, 64])


def simulated(num_runs: int, speed: float, noise: float, seed: int = 0) -> np.ndarray:
    """A Wiener process with drift along the first of three directions."""
    random = np.random.default_rng(seed)
    steps = noise * random.standard_normal((num_runs, 64, 3))
    steps[:, :, 0] += speed
    return np.cumsum(steps, axis=1)[:, TIMES.astype(int) - 1]


def test_drift_grows_like_time_and_diffusion_like_its_root() -> None:
    drift, diffusion = exponents(TIMES, simulated(200, 1.0, 0.5))
    assert drift.value == pytest.approx(1.0, abs=0.02)
    assert diffusion.value == pytest.approx(0.5, abs=0.05)
    assert diffusion.low < 0.5 < diffusion.high


def test_same_pull_at_every_step_grows_like_time_in_both() -> None:
    pulls = np.random.default_rng(1).standard_normal((50, 1, 3))
    _, diffusion = exponents(TIMES, pulls * TIMES[None, :, None])
    assert diffusion.value == pytest.approx(1.0)


def test_the_means_own_noise_is_no_drift() -> None:
    found = growth(TIMES, simulated(2000, 0.0, 1.0))
    assert float(found.drift[-1]) < 0.2 * float(found.diffusion[-1])


def test_times_before_all_has_settled_do_not_count() -> None:
    moved = simulated(50, 1.0, 0.5)
    moved[:, 0] = 1e6
    assert exponents(TIMES, moved, settled=8)[0].value == pytest.approx(1.0, abs=0.03)


def test_one_run_has_no_scatter() -> None:
    with pytest.raises(InputError, match="no scatter"):
        growth(TIMES, simulated(1, 1.0, 1.0))
    assert np.isnan(slope(TIMES, np.zeros(5)))
