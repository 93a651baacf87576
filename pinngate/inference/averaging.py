"""Several networks as one answer: how much each of them counts, and what they leave uncertain.

Stands after the race of networks. Where everything is linear, a weighted mean of solutions is a
solution too. The leave-one-out risk of n values does not tell networks apart whose risks differ by
a few n-ths: to pick the least all the same lets chance decide, and its choice counts as certain.
The mean over what the data leave open is the better estimate, and the networks' disagreement
belongs to its uncertainty (K. P. Burnham, D. R. Anderson, Model Selection and Multimodel Inference,
2002; J. A. Hoeting et al., Statistical Science 14, 1999).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pinngate.inference.posterior import CoefficientInterval, Member
from pinngate.inference.series import Correlation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network

NEGLIGIBLE = 0.01  # share below which a network is left out
TEMPER = 0.5  # on the exponent of Akaike's weights, for the risks are estimates themselves


def shares(scores: Mapping[str, float], num_observations: int) -> dict[str, float]:
    """Return what each network counts: w ∝ exp(−n/4 · (s/s_min − 1)), the sum one.

    Half the exponent of Akaike's weights. From 0.3 to 1 of it errors agree to a few percent; with
    less, networks count that cannot show the solution.

    Args:
        scores: s ≥ 0 of each network, risk and misfit of the physics.
        num_observations: n.
    """
    best = min(scores.values())
    steepness = TEMPER * num_observations / 2
    found = {
        name: math.exp(-steepness * (s / best - 1)) if best > 0 else float(s == 0)
        for name, s in scores.items()
    }
    least = NEGLIGIBLE * sum(found.values())
    kept = {name: share for name, share in found.items() if share >= least}
    return {name: share / sum(kept.values()) for name, share in kept.items()}


class AveragedPosterior:
    """The mixture of the members' posteriors: its variance is Σ w (σ_k² + (u_k − ū)²).

    Leverages are those of the averaged hat matrix, Σ w h_k. Everything else, the test of correlated
    residuals among it, is that of the member of largest share.

    Args:
        members: their shares sum to one.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.first = max(self.members, key=lambda m: m.share).posterior

    def members_at(self, network: Network) -> list[Member]:
        """Return the members; their own networks stand for the averaged one."""
        return self.members

    @property
    def degrees_of_freedom(self) -> float:
        """n − d of the member of largest share."""
        return self.first.degrees_of_freedom

    @property
    def raw_covariance(self) -> Tensor:
        """Covariance of the raw coefficients, (K, K)."""
        return self.first.raw_covariance

    @property
    def leverage(self) -> Tensor:
        """Leverages of the observation rows, (n,)."""
        return torch.stack([m.share * m.posterior.leverage for m in self.members]).sum(0)

    @property
    def correlation(self) -> Correlation | None:
        """Correlation of neighbouring residuals, None where it was not tested."""
        return self.first.correlation

    @property
    def is_widened(self) -> bool:
        """Whether intervals allow for that correlation."""
        return self.first.is_widened

    def coefficients(
        self, coefficients: Coefficients, level: float = 0.95
    ) -> dict[str, CoefficientInterval]:
        """Return estimates and intervals of the coefficients."""
        return self.first.coefficients(coefficients, level)

    def std(self, network: Network, points: Tensor) -> Tensor:
        """Return the standard deviation of every field at points (N, axes): (N, fields).

        Args:
            network: the averaged one, whose fields are ū.
            points: where.
        """
        with torch.no_grad():
            mean = network(points)
            variance = torch.zeros_like(mean)
            for member in self.members:
                own = member.posterior.std(member.network, points)
                variance += member.share * (own.square() + (member.network(points) - mean).square())
        return variance.sqrt()


__all__ = ["AveragedPosterior", "Member", "shares"]
