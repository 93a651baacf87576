"""The variance of a fit whose residuals are correlated: a sandwich of sums over groups of them.

Between the test of neighbours (`series`) and the posterior, which it widens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.inference.linearised_fit import LinearisedFit
from pinngate.inference.series import Correlation, correlation, groups_of, parted

if TYPE_CHECKING:
    from pinngate.inference.posterior import Posterior


def residual_correlation(fit: LinearisedFit) -> tuple[Correlation, NDArray[np.intp]] | None:
    """Return the correlation of neighbouring residuals and the group of each value (n,).

    None where there is too little to test.
    """
    sizes = [len(places) for places in fit.places]
    sets = np.repeat(np.arange(len(sizes)), sizes)
    is_chosen = np.repeat(np.array(sizes) > 1, sizes)  # a prior has no neighbours
    if fit.free is not None:  # residuals of bounds, and of what is measured at them, have one sign
        is_chosen &= fit.free.cpu().numpy()
    chosen = np.flatnonzero(is_chosen)
    if not chosen.size:
        return None
    points = torch.cat(fit.places).double().cpu().numpy()[chosen]
    groups = groups_of(points, sets[chosen], fit.time)
    if groups is None:
        return None
    labels, kind = groups
    residuals = fit.residual.double().cpu().numpy()[chosen]
    found = correlation(points, residuals, sets[chosen], labels, kind, fit.time)
    if found is None:
        return None
    if kind == "series" and fit.time is not None:
        labels = parted(labels, points[:, fit.time], found.coefficient)
    alone = np.arange(len(sets)) + int(labels.max()) + 1
    alone[chosen] = labels
    return found, np.unique(alone, return_inverse=True)[1]


def add_sandwich(posterior: Posterior, fit: LinearisedFit) -> None:
    """Where residuals are correlated, add a variance that allows for it.

    Residuals r_g of a group move the minimiser by (JᵀJ + αI)⁻¹ J_gᵀ r_g. Over G groups the sum of
    the squares of these moves estimates its variance whatever the correlation within groups; r_g is
    first freed of what the fit took from it, which matters where groups are few (cluster-robust
    covariance CR2; R. M. Bell, D. F. McCaffrey, Survey Methodology 28, 2002; J. E. Pustejovsky,
    E. Tipton, J. Business and Economic Statistics 36, 2018). Its degrees of freedom are G − 1.

    Args:
        posterior: gets `correlation` and, where it is clear, `sandwich`.
        fit: what it is the posterior of.

    Cost: O(n² m / G) for G groups, and a solve for each.
    """
    found = residual_correlation(fit)
    if found is None:
        return
    posterior.correlation, labels = found
    if not posterior.correlation.is_clear:
        return
    residuals, system = fit.residual, fit.system
    groups = [torch.as_tensor(np.flatnonzero(labels == g)) for g in range(int(labels.max()) + 1)]
    ridge, start = posterior.ridge, system.observed.start
    moves = []
    for rows in (group.to(residuals.device) for group in groups):
        alone = residuals.new_zeros(system.shape[0])
        alone[start + rows] = system.unshrunk(ridge, rows, residuals[rows])
        moves.append(torch.cat(system.minimiser(ridge, alone)))
    posterior.sandwich = torch.stack(moves)


__all__ = ["add_sandwich", "residual_correlation"]
