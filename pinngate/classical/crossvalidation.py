"""Generalised cross-validation: how much to smooth, from the noisy data alone.

Shared by both splines of the classical baseline. Source: Craven & Wahba, Numerische Mathematik 31
(1979) 377.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[np.float64]

NUM_TRIALS = 120  # on a logarithmic scale: the score may have several minima


def least_score(score: Callable[[float], float], lowest: float, highest: float) -> float:
    """Return the parameter in [lowest, highest] of least score, searched on a logarithmic scale.

    Args:
        score: n ‖W^½ (y − f_λ)‖² / (n − tr A_λ)² as a function of λ.
        lowest: positive.
        highest: above `lowest`.
    """
    trials = np.linspace(np.log(lowest), np.log(highest), NUM_TRIALS)
    scores = np.array([score(float(np.exp(trial))) for trial in trials])
    best = int(np.argmin(scores))
    bounds = trials[max(0, best - 1)], trials[min(NUM_TRIALS - 1, best + 1)]
    found = minimize_scalar(lambda s: score(float(np.exp(s))), bounds=bounds, method="bounded")
    return float(np.exp(found.x if found.fun < scores[best] else trials[best]))
