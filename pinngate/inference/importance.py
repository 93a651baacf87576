"""Draws of a normal distribution, weighed by the density that it stands for.

Where a linear model nearly holds they are all that is needed, and where it does not their weights
say so. Beside `hamiltonian`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.draws import SampledPosterior

Array = NDArray[np.float64]


def weighted_draws(
    energy: Callable[[Array], float],
    centre: Array,
    root: Array,
    enough: int,
    most: int,
    random: np.random.Generator,
) -> SampledPosterior | None:
    """Return what weighed draws tell.

    θ = c + L z counts as w ∝ exp(−E(θ) + ‖z‖²/2), and all together as 1/Σw² draws (A. Kong, J. S.
    Liu, W. H. Wong, J. Amer. Statist. Assoc. 89, 1994). None where `most` of
    them would not count enough: then the linear model misleads.

    Args:
        energy: E.
        centre: c (P,).
        root: L (P, P).
        enough: as how many draws they are to count.
        most: draws that may be taken for that.
        random: of z.

    Cost: `most` energies at most.
    """
    draws, logarithms, effective = np.empty((0, len(centre))), np.empty(0), 0.0
    while effective < enough:
        normal = random.standard_normal((enough // 2, len(centre)))
        moved = centre + normal @ root.T
        energies = np.array([energy(theta) for theta in moved])
        draws = np.concatenate([draws, moved])
        logarithms = np.concatenate([logarithms, np.square(normal).sum(1) / 2 - energies])
        shares = np.exp(logarithms - logarithms.max())
        shares /= shares.sum()
        effective = 1 / float(shares @ shares)
        if not effective * most > enough * len(draws):
            return None
    return SampledPosterior.of(draws, effective, shares)


__all__ = ["weighted_draws"]
