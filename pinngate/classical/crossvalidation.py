"""Generalised cross-validation: how much to smooth, from the noisy data alone.

Shared by both splines of the classical baseline. Sources: P. Craven, G. Wahba, Numerische
Mathematik 31 (1979) 377; G. Wahba, Y. Wang, Statistics & Probability Letters 25 (1995) 105, for the
false minimum next to interpolation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[np.float64]

NUM_TRIALS = 120  # on a logarithmic scale: the score may have several minima
CROWDED = 0.9  # tr A/n from which the score is a quotient of two numbers near zero
CLEARLY = 0.01  # how low it must be there, as a share of the least elsewhere, to be believed


def least_score(
    score: Callable[[float], float],
    trace: Callable[[float], float],
    num_values: int,
    lowest: float,
    highest: float,
) -> float:
    """Return the parameter in [lowest, highest] of least score, searched on a logarithmic scale.

    Misfit and n − tr A both vanish where a spline interpolates, and of a hundred noisy values their
    quotient has a false minimum there in one draw of fifty. It is believed of data without noise,
    whose score falls by orders of magnitude.

    Args:
        score: n ‖W^½ (y − f_λ)‖² / (n − tr A_λ)² as a function of λ.
        trace: tr A_λ, the degrees of freedom of the fit.
        num_values: n.
        lowest: positive.
        highest: above `lowest`.
    """
    trials = np.linspace(np.log(lowest), np.log(highest), NUM_TRIALS)
    scores = np.array([score(float(np.exp(trial))) for trial in trials])
    is_crowded = np.array([trace(float(np.exp(trial))) for trial in trials]) > CROWDED * num_values
    elsewhere = np.where(is_crowded, np.inf, scores)
    is_clear = scores.min() < CLEARLY * elsewhere.min()
    best = int(np.argmin(scores if is_clear else elsewhere))
    bounds = trials[max(0, best - 1)], trials[min(NUM_TRIALS - 1, best + 1)]
    found = minimize_scalar(lambda s: score(float(np.exp(s))), bounds=bounds, method="bounded")
    return float(np.exp(found.x if found.fun < scores[best] else trials[best]))
