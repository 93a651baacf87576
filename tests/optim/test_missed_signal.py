"""A network that follows nothing is not the last of a race."""

from __future__ import annotations

import numpy as np
import torch

import pinngate
from pinngate.optim.missed_signal import is_missing_signal
from pinngate.runs.training import begin


def problem(values: np.ndarray, x: np.ndarray) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"x": [0, 1]},
        unknowns=["u"],
        equations=["u_xx + 400*u = 0"],
        observations=[pinngate.Observations("u", x, values)],
    )


def test_waves_are_a_pattern_and_noise_is_none() -> None:
    generator = np.random.default_rng(0)
    x = np.sort(generator.uniform(size=200))
    sets = begin(problem(np.sin(20 * x), x)).stepper.points.source.sets
    noise = generator.standard_normal(200)
    assert is_missing_signal(sets, torch.as_tensor(np.sin(20 * x) + noise))
    assert not is_missing_signal(sets, torch.as_tensor(noise))
    assert not is_missing_signal(sets, torch.as_tensor(noise[:100]))
