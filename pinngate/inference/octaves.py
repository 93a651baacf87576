"""How strong a ridge is on each octave of a spectrum, by the marginal likelihood.

With rows in units of the noise and weights w of prior precision λ_b Λ in octave b, the likelihood
is stationary where

    λ_b = γ_b / Σ_{i in b} Λ_i w_i²,   γ_b = Σ_{i in b} (1 − λ_b Λ_i C_ii),   C = (JᵀJ + λΛ)⁻¹

(D. J. C. MacKay, Neural Computation 4, 1992, 415-447). On orthogonal functions that is Stein's
shrinkage of each octave, which adapts to any spectrum (L. Cavalier, A. Tsybakov, Math. Methods
Stat. 10, 2001, 247-282). Below `block_ridges`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

Array = NDArray[np.float64]

MOST_ROUNDS = 30


def octaves(part: slice) -> list[slice]:
    """Return one, one, two, four, ... numbers of a part of θ, from its first on."""
    ends = [part.start]
    while ends[-1] < part.stop:
        ends.append(min(part.stop, max(part.start + 1, 2 * ends[-1] - part.start)))
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def octave_strengths(jacobian: Array, right: Array, ridge: Array, own: Sequence[slice]) -> Array:
    """Return λ of each weight, (P,): one where no octave is, unbounded where one has no signal.

    Args:
        jacobian: J, in units of the noise, (n, P).
        right: residuals at θ less J θ, (n,).
        ridge: Λ, (P,).
        own: the octaves.

    Cost: n P², and P³ a round.
    """
    strengths, most = np.ones(len(ridge)), 1 / np.finfo(float).eps
    gram, slope = jacobian.T @ jacobian, -(jacobian.T @ right)
    for _ in range(MOST_ROUNDS):
        before = strengths.copy()
        total = gram + np.diag(strengths * ridge)
        size = np.sqrt(np.maximum(total.diagonal(), np.finfo(float).tiny))
        try:
            factor = cho_factor(total / size / size[:, None])
        except LinAlgError:
            return before
        covariance = cho_solve(factor, np.diag(1 / size)) / size[:, None]
        weights = covariance @ slope
        open_share = 1 - strengths * ridge * covariance.diagonal()
        for octave in own:
            energy = float(ridge[octave] @ np.square(weights[octave]))
            gain = max(float(open_share[octave].sum()), 0.0)
            found = gain / energy if energy > 0 else most
            strengths[octave] = np.clip(found, 1 / most, most)
        if np.allclose(strengths, before, rtol=0.01):
            break
    return strengths
