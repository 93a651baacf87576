"""What judging an answer asks of its uncertainty, whatever it was computed from."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from pinngate.inference.posterior import CoefficientInterval, Member
from pinngate.inference.series import Correlation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network


class Uncertainty(Protocol):
    """Standard deviations of fields and intervals of coefficients at an answer."""

    @property
    def leverage(self) -> Tensor:
        """Leverages h_ii of the observation rows, (n,)."""

    @property
    def degrees_of_freedom(self) -> float:
        """n − d of the noise estimate."""

    @property
    def raw_covariance(self) -> Tensor:
        """Covariance of the raw coefficients, (K, K)."""

    def members_at(self, network: Network) -> list[Member]:
        """Return the networks that the answer is a mean of, itself where there is one alone."""

    @property
    def correlation(self) -> Correlation | None:
        """Correlation of neighbouring residuals, None where it was not tested."""

    @property
    def is_widened(self) -> bool:
        """Whether intervals allow for that correlation."""

    def std(self, network: Network, points: Tensor) -> Tensor:
        """Return the standard deviation of every field at points (N, axes): (N, fields)."""

    def coefficients(
        self, coefficients: Coefficients, level: float = 0.95
    ) -> dict[str, CoefficientInterval]:
        """Return estimates and intervals of the coefficients, of 95 % unless said otherwise."""
