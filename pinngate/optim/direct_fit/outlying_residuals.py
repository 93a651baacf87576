"""Whether a direct fit leaves outliers, which least squares should not have been asked to fit.

Between `through_solver` and `candidate`. Heavy tails alone do not tell: what the equations miss has
them, too. But then neighbouring residuals are alike, which those of outliers are not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pinngate.data.observations import ObservationSet
from pinngate.inference.noise_model import fit_noise
from pinngate.inference.series import correlation_in_set
from pinngate.optim.direct_fit.through_solver import DirectFit
from pinngate.optim.gauss_newton.stopping import EXACT

OUTLIERS = 15.0  # log-likelihood by which tails must be heavy: a few per cent of outliers


def has_outliers(fit: DirectFit, sets: Sequence[ObservationSet], time: int | None) -> bool:
    """Whether residuals have heavy tails and are not alike in neighbours, as misfit is.

    Residuals next to nothing are those of the solver's rounding, whatever their tails.

    Args:
        fit: the fit.
        sets: the observations.
        time: which column of their points is time, None where none is.
    """
    free, start = np.asarray(fit.rows.free), 0
    for data in sets:
        own = free[start : (start := start + len(data.values))]
        residuals = fit.residuals[data.name][own]
        if data.law is not None:
            residuals = residuals / data.law.shape(data.values[own] - residuals)
        if np.mean(np.square(residuals)) < EXACT * np.mean(np.square(data.values)):
            continue
        if fit_noise(torch.as_tensor(residuals), OUTLIERS).is_heavy:
            found = correlation_in_set(data.points[own], residuals, time)
            if found is None or not found.is_clear:
                return True
    return False
