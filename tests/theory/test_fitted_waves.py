"""Amplitudes of modes, and the share of the noise in each that fits have followed."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate.theory.fitted_waves import (
    NUM_MODES,
    amplitudes,
    amplitudes_at,
    family_of,
    followed_share,
    midpoints,
    waves,
)


@pytest.mark.parametrize("family", ["sine", "cosine"])
def test_amplitudes_of_what_was_made_of_modes(family) -> None:
    random = np.random.default_rng(0)
    made = random.standard_normal(NUM_MODES)
    found = amplitudes(waves(midpoints(), family) @ made, family)
    np.testing.assert_allclose(found, made, atol=1e-10)
    places = random.random(200)
    scattered = amplitudes_at(places, waves(places, family) @ made, family)
    np.testing.assert_allclose(scattered, made, atol=1e-8)


def test_family_follows_from_the_ends() -> None:
    assert family_of(np.array([0.0, 1e-17]), 1.0) == "sine"
    assert family_of(np.array([0.0, 0.2]), 1.0) == "cosine"


def test_share_of_the_noise_that_was_followed() -> None:
    random = np.random.default_rng(1)
    noise = random.standard_normal((20, 3))
    share = np.array([[0.0, 0.5, 1.0], [0.2, 1.0, 1.0]])
    other = 0.01 * random.standard_normal((20, 2, 3))
    found, error = followed_share(2.0 + share * noise[:, None] + other, noise)
    np.testing.assert_allclose(found, share, atol=0.02)
    assert float(np.abs(found - share).max()) < 4 * float(error.max())
    assert np.isnan(followed_share(noise[:2, None], noise[:2])[1]).all()
