"""Weighed draws against densities whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pinngate.inference.importance import weighted_draws

Array = NDArray[np.float64]


def test_of_the_normal_density_itself_all_draws_count() -> None:
    root = np.array([[2.0, 0.0], [0.5, 1.0]])

    def energy(theta: Array) -> float:
        return float(np.square(np.linalg.solve(root, theta - 3)).sum() / 2)

    found = weighted_draws(energy, np.full(2, 3.0), root, 4000, 8000, np.random.default_rng(0))
    assert found is not None
    assert found.count == pytest.approx(found.effective) == 4000
    np.testing.assert_allclose(found.mean, 3.0, atol=0.1)
    np.testing.assert_allclose(found.covariance, root @ root.T, atol=0.2)
    np.testing.assert_allclose(found.ends[1] - found.mean, 1.96 * np.hypot(*root.T), rtol=0.06)


def test_a_skew_density() -> None:
    """A gamma density of shape nine in the logarithm of its variable."""

    def energy(theta: Array) -> float:
        return float(np.exp(theta[0]) - 9 * theta[0])

    found = weighted_draws(
        energy, np.log([9.0]), np.array([[1 / 3]]), 4000, 8000, np.random.default_rng(1)
    )
    assert found is not None
    assert found.count > found.effective
    assert found.mean[0] == pytest.approx(2.1406, abs=0.02)  # ψ(9)
    assert found.covariance[0, 0] == pytest.approx(0.1175, rel=0.06)  # ψ′(9)


def test_where_the_normal_density_misleads_there_is_nothing() -> None:
    def energy(theta: Array) -> float:
        return float(np.square(theta / 0.05).sum() / 2)

    assert (
        weighted_draws(energy, np.zeros(3), np.eye(3), 100, 400, np.random.default_rng(2)) is None
    )
