"""A subset is spread evenly, keeps what is rare and depends on its seed alone."""

from __future__ import annotations

import numpy as np

from pinngate.data.thinning import stratified_subset


def test_crowded_regions_are_thinned_and_sparse_ones_kept() -> None:
    random = np.random.default_rng(0)
    crowd = random.uniform(0, 0.1, (100_000, 2))
    sparse = random.uniform(0.2, 1, (200, 2))
    points = np.concatenate([crowd, sparse])
    chosen = stratified_subset(points, 1000, np.random.default_rng(1))
    assert len(np.unique(chosen)) == 1000
    assert np.sum(chosen >= len(crowd)) == 200, "the sparse region keeps all its points"
    assert (np.diff(chosen) > 0).all()


def test_even_data_stay_even() -> None:
    points = np.random.default_rng(2).uniform(size=(50_000, 2))
    chosen = points[stratified_subset(points, 1000, np.random.default_rng(3))]
    counts, *_ = np.histogram2d(*chosen.T, bins=5, range=[[0, 1], [0, 1]])
    # 40 in each of 25 parts; random sampling would scatter by 6
    assert counts.min() >= 28
    assert counts.max() <= 52
    assert counts.std() < 6.0


def test_the_seed_decides_and_few_points_stay_whole() -> None:
    points = np.random.default_rng(4).uniform(size=(3000, 1))
    one, two, other = (stratified_subset(points, 100, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(
        stratified_subset(points[:50], 100, np.random.default_rng(0)), np.arange(50)
    )
    line = np.zeros((500, 2))
    assert len(stratified_subset(line, 100, np.random.default_rng(0))) == 100
