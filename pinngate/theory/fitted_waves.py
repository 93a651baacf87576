"""Which frequencies of the initial condition are fitted when, those of the signal and of the noise.

Fields on the plane of the observations are developed in half-range sines √2 sin(kπs), s from 0 to 1
along its one free axis (cosines where the clean field does not vanish at both ends). The noise has
an amplitude in every mode, found by least squares at the places of the data; the share of it that a
fit has followed is the slope, over repeated noise draws, of the fitted amplitude on it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Family = Literal["sine", "cosine"]
NUM_NODES = 256  # midpoints, on which both families are orthogonal
NUM_MODES = 16  # at 200 random places the least squares are still well conditioned
VANISHES = 1e-6  # of the largest value


def midpoints(count: int = NUM_NODES) -> Array:
    """Return (j + ½)/count, (count,)."""
    return (np.arange(count) + 0.5) / count


def waves(places: Array, family: Family, num_modes: int = NUM_MODES) -> Array:
    """Return the modes at places s in [0, 1]: (n, num_modes), of unit mean square on [0, 1].

    √2 sin(kπs) for k = 1 … num_modes, or 1 and √2 cos(kπs) for k = 1 … num_modes − 1.
    """
    if family == "sine":
        return np.sqrt(2) * np.sin(np.pi * np.outer(places, np.arange(1, num_modes + 1)))
    found: Array = np.sqrt(2) * np.cos(np.pi * np.outer(places, np.arange(num_modes)))
    found[:, 0] = 1.0
    return found


def family_of(ends: Array, largest: float) -> Family:
    """Return sines where the values at both ends (2,) vanish beside the largest, else cosines."""
    return "sine" if float(np.abs(ends).max()) <= VANISHES * largest else "cosine"


def amplitudes(values: Array, family: Family) -> Array:
    """Return the amplitudes of a field at `midpoints`, (NUM_NODES,) → (NUM_MODES,)."""
    found: Array = waves(midpoints(len(values)), family).T @ values / len(values)
    return found


def amplitudes_at(places: Array, values: Array, family: Family) -> Array:
    """Return the amplitudes (NUM_MODES,) that fit values (n,) at scattered places best."""
    num_modes = min(NUM_MODES, max(1, len(places) // 2))
    basis = waves(places, family, num_modes)
    found = np.zeros(NUM_MODES)
    found[:num_modes] = np.linalg.lstsq(basis, values, rcond=None)[0]
    return found


def followed_share(fitted: Array, noise: Array) -> tuple[Array, Array]:
    """Return the share of each mode's noise that was fitted, and its standard error, (…, k) each.

    Args:
        fitted: amplitudes of the fits, (draws, …, k).
        noise: of the noise, (draws, k).

    The slope of `fitted` on `noise` over the draws, both about their means; NaN for one draw.
    """
    centred = noise - noise.mean(0)
    spread = (centred**2).sum(0)
    shape = (len(noise), *[1] * (fitted.ndim - 2), noise.shape[1])
    beside = centred.reshape(shape)
    about = fitted - fitted.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes: Array = (beside * about).sum(0) / spread
        rest = about - slopes * beside
        error: Array = np.sqrt((rest**2).sum(0) / max(1, len(noise) - 2) / spread)
    if len(noise) < 3:
        error = np.full_like(slopes, np.nan)
    return slopes, error
