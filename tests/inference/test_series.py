"""The test of neighbours errs as often as it says, and groups are what they should be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from pinngate.inference.series import correlation, groups_of

TIME = 1


def sensors(num_places: int, num_times: int) -> np.ndarray:
    x, t = np.meshgrid(np.linspace(0, 1, num_places), np.linspace(0, 1, num_times), indexing="ij")
    return np.column_stack([x.ravel(), t.ravel()])


@pytest.mark.parametrize("layout", ["series", "blocks"])
@pytest.mark.parametrize("tails", ["normal", "cauchy"])
def test_of_independent_errors_p_values_are_uniform(layout: str, tails: str) -> None:
    random = np.random.default_rng(0)
    points = sensors(6, 40) if layout == "series" else random.uniform(size=(240, 2))
    sets = np.zeros(240, dtype=np.intp)
    found = groups_of(points, sets, TIME)
    assert found is not None
    assert found[1] == layout
    draw = random.standard_normal if tails == "normal" else random.standard_cauchy
    values = []
    for _ in range(400):
        tested = correlation(points, draw(240), sets, *found, TIME)
        assert tested is not None
        values.append(tested.p_value)
    # of heavy tails one product dominates, and the normal law holds only in the tail that counts
    if tails == "normal":
        assert kstest(values, "uniform").pvalue > 1e-3
    assert np.mean(np.array(values) < 0.01) < 0.025  # three standard errors of a hundredth


def test_a_smooth_misfit_is_seen_in_series_and_in_scattered_data() -> None:
    random = np.random.default_rng(1)
    for points in (sensors(5, 40), random.uniform(size=(200, 2))):
        sets = np.zeros(200, dtype=np.intp)
        found = groups_of(points, sets, TIME)
        assert found is not None
        bent = np.sin(3 * points[:, 0] + 5 * points[:, 1]) + random.standard_normal(200)
        tested = correlation(points, bent, sets, *found, TIME)
        assert tested is not None
        assert tested.is_clear
        # half of the variance is smooth
        assert tested.coefficient == pytest.approx(0.4, abs=0.2)
        assert f"{tested.coefficient:.2f}" in tested.words


def test_groups_are_series_of_few_sensors_else_blocks_of_equal_size() -> None:
    points = sensors(3, 20)
    labels, kind = groups_of(points, np.zeros(60, dtype=np.intp), TIME) or (None, "")
    assert kind == "series"
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2], 20))
    twice, _ = groups_of(np.tile(points, (2, 1)), np.repeat([0, 1], 60), TIME) or (None, "")
    assert twice is not None
    assert twice.max() == 5, "two instruments at one place are two series"
    many = sensors(30, 20)
    blocks, kind = groups_of(many, np.zeros(600, dtype=np.intp), TIME) or (None, "")
    assert kind == "blocks"
    assert blocks is not None
    assert set(np.bincount(blocks)) <= {37, 38}
    assert groups_of(points[:5], np.zeros(5, dtype=np.intp), TIME) is None


def test_residuals_that_vanish_are_not_tested() -> None:
    points = sensors(3, 20)
    labels = np.repeat([0, 1, 2], 20)
    sets = np.zeros(60, dtype=np.intp)
    assert correlation(points, np.zeros(60), sets, labels, "series", TIME) is None
