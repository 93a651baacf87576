"""Sets that share a noise, and those that clearly do not or state their own."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate.optim.direct_fit.levenberg_marquardt import differ
from tests.optim.direct_fit.problems import fitted


def two_runs(noises: tuple[float, float], noise: tuple = (None, None)) -> pinngate.Problem:
    rng, times = np.random.default_rng(2), np.linspace(0.5, 10, 40)
    starts = {"new": 1.0, "old": 4.0}
    runs = []
    for (name, start), size, stated in zip(starts.items(), noises, noise, strict=True):
        values = start * np.exp(-0.3 * times) + size * rng.standard_normal(40)
        runs.append(
            {
                "name": name,
                "conditions": [f"c = {start} at t = 0"],
                "observations": [pinngate.Observations("c", times, values, noise=stated)],
            }
        )
    return pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["c"],
        equations=["c_t = -k*c"],
        estimate={"k": pinngate.Unknown(1, positive=True)},
        experiments=runs,
    )


@pytest.mark.parametrize("noise", [(None, None), ({"std": 0.002}, {"std": 0.2})])
def test_a_precise_run_counts_as_one(noise: tuple) -> None:
    found = fitted(two_runs((0.002, 0.2), noise))
    value, deviation = found.coefficients["k"]
    assert deviation < 0.002
    assert abs(value - 0.3) < 4 * deviation
    small, large = found.noise_std.values()
    assert small < 0.004
    assert 0.1 < large < 0.4


def test_runs_of_one_instrument_share_their_noise() -> None:
    small, large = fitted(two_runs((0.05, 0.05))).noise_std.values()
    assert small == large


def test_sums_of_squares_are_told_apart_as_often_as_chance_says() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([10.0, 20.0, 30.0])
    alike = [differ(rng.chisquare(counts), counts) for _ in range(4000)]
    assert 0.005 < np.mean(alike) < 0.016
    apart = [differ(rng.chisquare(counts) * [1, 9, 1], counts) for _ in range(200)]
    assert np.mean(apart) > 0.9
    assert not differ(np.array([0.0, 1.0]), np.array([5.0, 5.0]))
