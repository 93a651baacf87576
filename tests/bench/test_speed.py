"""Steps in turn: every way takes one, and ratios are taken within a repetition."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack

import numpy as np
import pytest

from pinngate.bench import speed


def test_every_way_takes_a_step() -> None:
    ways = speed.own_ways(speed.stated(speed.EQUATIONS["heat"], "cpu"))
    assert list(ways) == ["gradient", "grouped", "pairs", "step"]
    seconds = speed.measured(ways, 1)
    assert all(len(taken) == 1 and taken[0] > 0 for taken in seconds.values())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("deepxde") is None, reason="DeepXDE is not installed")
def test_deepxde_steps_when_asked() -> None:
    problem = speed.stated(speed.EQUATIONS["burgers"], "cpu")
    with ExitStack() as stack:
        step = speed.deepxde_way(problem, "cpu", stack)
        assert min(step(), step()) > 0


def test_ratios_are_of_the_same_repetition() -> None:
    seconds = {"gradient": np.array([1.0, 2.0, 4.0]), "deepxde": np.array([2.0, 4.0, 8.0])}
    gradient, deepxde = speed.table("heat", seconds)
    assert gradient["of_deepxde"] == "0.5"
    assert deepxde["of_gradient_quartiles"] == "2 to 2"
    assert gradient["ms"] == "2e+03"
