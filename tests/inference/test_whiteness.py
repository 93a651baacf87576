"""Few residuals: a curve that was missed is found, noise is left alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pinngate.inference.whiteness import LEVEL, MOST_VALUES, lag_one


@pytest.mark.parametrize("count", [8, 12, 30])
def test_a_missed_curve_is_clear(count: int) -> None:
    x = np.linspace(0, 1, count)
    missed = np.sin(2 * np.pi * x) + 0.1 * np.random.default_rng(0).standard_normal(count)
    found = lag_one([missed])
    assert found is not None
    assert found.is_clear
    assert "consecutive residuals" in found.words


def test_noise_is_called_a_pattern_as_often_as_the_level_says() -> None:
    generator = np.random.default_rng(1)
    clear = [lag_one([generator.standard_normal(10)]).is_clear for _ in range(400)]
    assert np.mean(clear) <= 3 * LEVEL


def test_few_values_are_compared_with_all_their_orders() -> None:
    r = np.array([1.0, 2.0, 3.0, 1.5, -4.0, -3.5])
    centred = r - r.mean()
    sums = [sum(a * b for a, b in itertools.pairwise(p)) for p in itertools.permutations(centred)]
    own = sum(a * b for a, b in itertools.pairwise(centred))
    found = lag_one([r])
    assert found.p_value == pytest.approx(np.mean(np.array(sums) >= own - 1e-12))


def test_too_few_too_many_or_none() -> None:
    assert lag_one([np.ones(3), np.zeros(10), np.ones(MOST_VALUES + 1)]) is None
    assert lag_one([np.full(10, 2.0)]).p_value == 1.0


def test_the_worst_of_several_counts_them_all() -> None:
    smooth = np.sin(np.linspace(0, 6, 20))
    noise = np.random.default_rng(2).standard_normal(20)
    alone, beside = lag_one([smooth]), lag_one([smooth, noise, noise])
    assert beside.p_value == pytest.approx(3 * alone.p_value)
