"""The measurement of octaves, on one signal of each kind."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate.bench.smoothing import SIGNALS, error
from pinngate.config import load, resolve
from pinngate.optim.direct_fit.weighted_functions import AxisBasis


@pytest.mark.parametrize(("name", "most"), [("a high line", 0.95), ("two jumps", 1.05)])
def test_lines_gain_and_jumps_lose_little(name: str, most: float) -> None:
    basis = AxisBasis.of(load(resolve("heat-noisy-ic")), "x", 33, [0.0, 1.0])
    errors = []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        x, noise = generator.random(200), generator.standard_normal(200)
        errors.append(
            [error(basis, SIGNALS[name], 0.3, x, noise, has_octaves=on) for on in (False, True)]
        )
    off, on = np.sqrt(np.mean(np.square(errors), axis=0))
    assert on < most * off


def test_without_noise_a_line_is_found() -> None:
    basis = AxisBasis.of(load(resolve("heat-noisy-ic")), "x", 33, [0.0, 1.0])
    x = np.random.default_rng(0).random(200)
    found = error(basis, SIGNALS["two lines"], 1e-3, x, np.zeros(200), has_octaves=True)
    assert found < 1e-3
