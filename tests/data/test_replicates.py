"""Values at one place: found like numpy finds equal rows, and their scatter."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate.data.replicates import by_place, pure_error


def test_values_are_grouped_by_place_as_numpy_does_it() -> None:
    random = np.random.default_rng(4)
    for shape in ((0, 2), (1, 1), (500, 1), (500, 3)):
        points = random.integers(-3, 4, shape).astype(float)
        group, count = by_place(points)
        _, expected, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
        np.testing.assert_array_equal(group, expected.reshape(-1))
        np.testing.assert_array_equal(count, counts)


def test_scatter_about_the_means_of_places() -> None:
    columns = {
        "x": np.array([0.0, 1.0, 0.0, 2.0, 1.0, 0.0]),
        "value": np.array([1.0, 5.0, 2.0, 7.0, 6.0, 3.0]),
    }
    error = pure_error(columns, ("x",))
    assert error is not None
    assert (error.degrees_of_freedom, error.num_places) == (3, 2)
    assert error.std == pytest.approx(((1 + 1 + 0.25 + 0.25) / 3) ** 0.5)
    assert pure_error({"x": np.arange(3.0), "value": np.arange(3.0)}, ("x",)) is None
