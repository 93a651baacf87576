"""Statistics over seeds against known answers and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pinngate.bench.statistics import (
    bootstrap_interval,
    compare,
    corrected,
    holm,
    log_ratios,
    signed_rank,
    summary,
)


def by_seed(values: list[float]) -> dict[int, float]:
    return dict(enumerate(values))


def test_holm_by_hand() -> None:
    # ordered 0.01·3, max(0.03, 0.02·2), max(0.04, 0.03·1): the last is lifted to its predecessor
    assert holm([0.03, 0.01, None, 0.02]) == pytest.approx([0.04, 0.03, None, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_properties(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert q is not None
        assert p <= q <= 1
        assert q <= min(1, len(p_values) * p) + 1e-15  # never stricter than Bonferroni


def test_failures_count_as_infinite_errors() -> None:
    found = summary([0.1, 0.2, math.inf, 0.3])
    assert found.num_failed == 1
    assert found.worst == math.inf
    assert found.median == pytest.approx(0.3)  # the higher of the middle two, never an average
    assert summary([0.1, math.inf, math.inf]).median == math.inf


def test_comparison_of_equals_is_a_coin() -> None:
    c = compare(by_seed([1.0, 2.0, 3.0, 4.0, 5.0]), by_seed([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert c is not None
    assert (c.ratio, c.probability, c.p_value) == (1.0, 0.5, None)
    assert c.interval == (1.0, 1.0)


def test_baseline_always_twice_as_good() -> None:
    ours = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    c = compare(by_seed(ours), by_seed([2 * v for v in ours]))
    assert c is not None
    assert c.ratio == pytest.approx(2.0)
    assert c.probability == 1.0
    assert c.p_value == pytest.approx(2 / 2**6)  # the least that six pairs can give


def test_comparison_is_symmetric() -> None:
    random = np.random.default_rng(0)
    a, b = random.lognormal(size=9), random.lognormal(size=9)
    one, two = (
        compare(by_seed(list(a)), by_seed(list(b))),
        compare(by_seed(list(b)), by_seed(list(a))),
    )
    assert one is not None
    assert two is not None
    assert one.ratio == pytest.approx(1 / two.ratio)
    assert one.probability == pytest.approx(1 - two.probability)
    assert one.p_value == pytest.approx(two.p_value)


def test_only_common_seeds_are_paired() -> None:
    c = compare({0: 1.0, 1: 1.0, 2: 1.0}, {1: 3.0, 2: 3.0, 5: 0.1})
    assert c is not None
    assert c.num_pairs == 2
    assert c.ratio == pytest.approx(3.0)
    assert compare({0: 1.0}, {1: 1.0}) is None


def test_failed_rivals_lose_and_keep_their_rank() -> None:
    ours, theirs = [1.0] * 6, [2.0, 2.0, math.inf, math.inf, math.inf, math.inf]
    c = compare(by_seed(ours), by_seed(theirs))
    assert c is not None
    assert c.ratio == math.inf
    assert c.probability == 1.0
    assert c.p_value == pytest.approx(2 / 2**6)
    gains = log_ratios(np.array([1.0, math.inf, math.inf]), np.array([math.inf, 1.0, math.inf]))
    assert list(gains) == [math.inf, -math.inf, 0.0]


def test_signed_rank_is_that_of_scipy() -> None:
    gain = np.random.default_rng(1).normal(0.5, 1, 12)
    assert signed_rank(gain) == stats.wilcoxon(gain).pvalue
    assert signed_rank(np.zeros(3)) is None


def test_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        found = bootstrap_interval(random.lognormal(size=15), np.median)
        assert found is not None
        hits += found[0] <= 1.0 <= found[1]
    # 60 draws of a 95 % interval: 57 on average, standard deviation 1.7; medians of 15 cover a
    # little less, so four standard deviations below
    assert hits >= 50


def test_interval_needs_five_seeds_and_is_reproducible() -> None:
    assert bootstrap_interval(np.arange(4.0), np.median) is None
    values = np.arange(6.0)
    assert bootstrap_interval(values, np.mean) == bootstrap_interval(values, np.mean)


def test_correction_keeps_order_and_gaps() -> None:
    worse = compare(by_seed([1.0] * 7), by_seed([2.0 + k for k in range(7)]))
    found = corrected([worse, None, worse])
    assert found[1] is None
    assert found[0] is not None
    assert worse is not None
    assert found[0].p_holm == pytest.approx(2 * worse.p_value)  # type: ignore[operator]
