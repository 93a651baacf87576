"""Joint draws of fields and coefficients from the uncertainty of an answer.

With the posterior covariance of the weights given the coefficients, (σ̂²/α)(I − D Dᵀ), D the
`directions` of the posterior, a draw of the weights is

    δw = (σ̂/√α) (z − V (1 − √(1 − φ)) Vᵀ z) − T δc,        D = V √φ, V orthonormal,

with z standard normal, δc a draw of the raw coefficients and T the `transfer`: a field at a point
is moved by g·δw, g its gradient. Where residuals are correlated, draws are widened to the standard
deviations that are stated; how they go together stays that of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.inference.posterior import Member, Posterior, field_gradients
from pinngate.inference.uncertainty import Uncertainty
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network


@dataclass(frozen=True)
class SampledPosterior:
    """What draws of numbers θ, (P,), tell of them.

    Attributes:
        mean: (P,).
        covariance: (P, P).
        ends: of central intervals of 95 %, (2, P).
        effective: as how many independent draws they count, of the number of which fewest.
        count: draws.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    ends: NDArray[np.float64]
    effective: float
    count: int

    @classmethod
    def of(
        cls,
        draws: NDArray[np.float64],
        effective: float,
        shares: NDArray[np.float64] | None = None,
        level: float = 0.95,
    ) -> SampledPosterior:
        """Return what draws (n, P) tell; `level` is that of the intervals.

        Each tells as much as its share (n,) of one, by default all alike.
        """
        count = len(draws)
        shares = np.full(count, 1 / count) if shares is None else shares
        covariance = np.atleast_2d(np.cov(draws.T, aweights=shares))
        order, tails = np.argsort(draws, 0), [(1 - level) / 2, (1 + level) / 2]
        levels = np.cumsum(shares[order], 0) - shares[order] / 2
        columns = zip(levels.T, np.take_along_axis(draws, order, 0).T, strict=True)
        ends = np.stack([np.interp(tails, at, own) for at, own in columns], 1)
        return cls(shares @ draws, covariance, ends, effective, count)

    def displaced(self, by: NDArray[np.float64]) -> SampledPosterior:
        """Return the same of numbers θ + by, (P,)."""
        return replace(self, mean=self.mean + by, ends=self.ends + by)

    def sides(self, quantile: float) -> NDArray[np.float64]:
        """Return the sides of the intervals over a number of standard deviations, (2, P)."""
        sides = np.abs(self.ends - self.mean)
        return np.asarray(sides / (quantile * np.sqrt(self.covariance.diagonal())))


@dataclass(frozen=True)
class Draws:
    """Draws of outputs at points, (num, N, outputs), and of raw coefficients, (num, K)."""

    outputs: Tensor
    raw: Tensor


def joint_draws(
    uncertainty: Uncertainty,
    network: Network,
    coefficients: Coefficients,
    points: Tensor,
    num: int,
    generator: torch.Generator,
) -> Draws:
    """Return draws of all outputs at the points together with the coefficients.

    Args:
        uncertainty: at the answer; of a mean of networks each draw is one of its members'.
        network: of the answer, double precision.
        coefficients: of the answer.
        points: (N, axes).
        num: how many.
        generator: of the random numbers.

    Cost: num·(P·m + N·P) operations, m directions, P weights; num·P numbers.
    """
    members = uncertainty.members_at(network)
    shares = torch.tensor([member.share for member in members], dtype=points.dtype)
    chosen = torch.multinomial(shares, num, replacement=True, generator=generator)
    found = [
        _draws_of(member, coefficients, points, count, generator)
        for k, member in enumerate(members)
        if (count := int((chosen == k).sum()))
    ]
    order = torch.randperm(num, generator=generator)
    outputs = torch.cat([draws.outputs for draws in found])[order]
    return Draws(outputs, torch.cat([draws.raw for draws in found])[order])


def _draws_of(
    member: Member,
    coefficients: Coefficients,
    points: Tensor,
    num: int,
    generator: torch.Generator,
) -> Draws:
    posterior, network = member.posterior, member.network
    covariance = posterior.coefficient_covariance
    shifts = _normal(covariance, num, generator)
    moves = _weight_moves(posterior, num, generator) - shifts @ posterior.transfer.T
    with torch.no_grad():
        outputs = network(points).expand(num, -1, -1).clone()
    for rows, field, gradient in field_gradients(network, points):
        variance, model = posterior.variance_of(gradient), posterior.model_variance_of(gradient)
        widened = (variance / model.clamp_min(1e-300)).sqrt().clamp_min(1.0)
        outputs[:, rows, field] += widened * (moves @ gradient.T)
    own = covariance.diagonal().clamp_min(1e-300).sqrt()
    stated = posterior.raw_std / own
    widened = torch.clamp_min(stated, 1.0) if posterior.drawn is None else stated
    raw = coefficients.raw.detach() + shifts * widened
    return Draws(outputs, raw)


def _weight_moves(posterior: Posterior, num: int, generator: torch.Generator) -> Tensor:
    """Return draws of the weights with the coefficients held, (num, P)."""
    directions = posterior.directions
    z = torch.randn(num, len(directions), generator=generator, dtype=directions.dtype)
    vectors = directions / posterior.filters.sqrt()
    shrunk = (z @ vectors) * (1 - posterior.remainders.sqrt())
    return (posterior.variance / posterior.ridge) ** 0.5 * (z - shrunk @ vectors.T)


def _normal(covariance: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """Return draws of mean zero, (num, K)."""
    values, vectors = torch.linalg.eigh(0.5 * (covariance + covariance.T))
    z = torch.randn(num, len(covariance), generator=generator, dtype=covariance.dtype)
    drawn: Tensor = (z * values.clamp_min(0.0).sqrt()) @ vectors.T
    return drawn


__all__ = ["Draws", "SampledPosterior", "joint_draws"]
