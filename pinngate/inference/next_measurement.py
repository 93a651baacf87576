"""Which measurements would tell most about a number, from the posterior of a fit.

A value of u(x) with noise σ is linear in what was fitted, with gradient g; the number has gradient
c. With the covariance S the measurement takes (gᵀS c)²/(σ² + gᵀS g) from the variance cᵀS c, which
is exact where everything is linear (K. Chaloner, I. Verdinelli, Statistical Science 10, 1995,
273-304: c-optimality). After it S is less S g gᵀS/(σ² + gᵀS g), and the next one is chosen alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.inference.posterior import Posterior


@dataclass(frozen=True)
class Chosen:
    """Measurements in the order in which they were chosen.

    Attributes:
        places: indices of candidates, (m,); one may be chosen again.
        first_gain: what each candidate alone takes from the variance, (n,).
        variances: of the number, before any and after each, (m + 1,).
    """

    places: list[int]
    first_gain: Tensor
    variances: Tensor


def covariance_of_functionals(posterior: Posterior, gradient: Tensor, moved: Tensor) -> Tensor:
    """Return the covariance (n, n) of linear functionals g·w + h·c, residuals independent.

    Args:
        posterior: of P weights and K coefficients.
        gradient: g (n, P), of the weights.
        moved: h (n, K), of the raw coefficients.
    """
    filters, directions = posterior.filters, posterior.directions
    along = gradient @ directions
    outside = gradient - (along / filters) @ directions.T
    weak = along * (posterior.remainders / filters)
    left = (outside @ outside.T + weak @ along.T) * (posterior.variance / posterior.ridge)
    shift = gradient @ posterior.transfer - moved
    free = shift @ posterior.coefficient_covariance @ shift.T
    if posterior.doubt is None:
        return left + free
    doubted = torch.cat([gradient, moved], 1) @ posterior.doubt.T
    return left + free + doubted @ doubted.T


def choose(covariance: Tensor, noise: Tensor, count: int) -> Chosen:
    """Return the measurements that a greedy choice takes, one after the other.

    Args:
        covariance: (n + 1, n + 1) of n candidates and, last, the number that is asked for.
        noise: standard deviation of a measurement of each, (n,), above zero.
        count: how many.

    Cost: count · n² operations.
    """
    among, across = covariance[:-1, :-1].clone(), covariance[:-1, -1].clone()
    variances, places = [covariance[-1, -1]], []
    first = across.square() / (noise.square() + among.diagonal())
    for _ in range(count):
        seen = noise.square() + among.diagonal()
        best = int((across.square() / seen).argmax())
        column = among[best] / seen[best].sqrt()
        told = across[best] / seen[best].sqrt()
        among -= torch.outer(column, column)
        across -= column * told
        variances.append((variances[-1] - told.square()).clamp_min(0.0))
        places.append(best)
    return Chosen(places, first, torch.stack(variances))


__all__ = ["Chosen", "choose", "covariance_of_functionals"]
