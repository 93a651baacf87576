"""Initial states that are positive: the map, its slope and its inverse."""

from __future__ import annotations

import numpy as np

from pinngate.optim.direct_fit.positive_map import PositiveMap


def test_the_map_is_positive_and_its_slope_is_that_of_differences() -> None:
    own, v = PositiveMap(3.0), np.linspace(-9, 9, 41)
    u, slope = own(v)
    step = 1e-6
    assert (u > 0).all()
    assert np.allclose(slope, (own(v + step)[0] - own(v - step)[0]) / (2 * step), atol=1e-8)
    assert np.allclose(u[v > 3], v[v > 3], rtol=1e-4)


def test_the_inverse_comes_back_and_takes_what_is_below_zero_for_the_least() -> None:
    own = PositiveMap(3.0)
    u = np.array([1e-4, 0.1, 3.0, 40.0])
    assert np.allclose(own(own.inverse(u))[0], u)
    assert 0 < own(own.inverse(np.array([-1.0, 0.0])))[0].max() < 1e-5
