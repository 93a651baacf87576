"""What judging an answer asks of its uncertainty, whatever it was computed from."""

from __future__ import annotations

import math
from typing import Protocol

from torch import Tensor

from pinngate.errors import InputError
from pinngate.inference.averaging import AveragedPosterior
from pinngate.inference.posterior import CoefficientInterval, Posterior
from pinngate.inference.series import Correlation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network


class Uncertainty(Protocol):
    """Standard deviations of fields and intervals of coefficients at an answer."""

    @property
    def leverage(self) -> Tensor:
        """Leverages h_ii of the observation rows, (n,)."""

    @property
    def correlation(self) -> Correlation | None:
        """Correlation of neighbouring residuals, None where it was not tested."""

    @property
    def is_widened(self) -> bool:
        """Whether intervals allow for that correlation."""

    def std(self, network: Network, points: Tensor) -> Tensor:
        """Return the standard deviation of every field at points (N, axes): (N, fields)."""

    def coefficients(self, coefficients: Coefficients) -> dict[str, CoefficientInterval]:
        """Return estimates and 95 % intervals of the coefficients."""


def field_quantile(uncertainty: Uncertainty, level: float = 0.95) -> float:
    """Return the half width of an interval of a field in standard deviations (Student's t).

    Its degrees of freedom are those of the noise's estimate; where intervals allow for correlated
    residuals, one less than the number of groups, if that is fewer. Of a mean of networks, those of
    the largest share count.

    Args:
        uncertainty: of the answer.
        level: probability that the interval holds the value, between 0 and 1.

    Raises:
        InputError: the level is no such probability.
    """
    from scipy.special import stdtrit

    if not 0 < level < 1:
        raise InputError(f"the level is {level}", expected="a probability such as 0.95")
    if isinstance(uncertainty, AveragedPosterior):
        uncertainty = uncertainty.first
    freedom = math.inf
    if isinstance(uncertainty, Posterior):
        freedom = uncertainty.degrees_of_freedom
        if uncertainty.sandwich is not None:
            freedom = min(freedom, len(uncertainty.sandwich) - 1)
    return float(stdtrit(max(1.0, freedom), (1 + level) / 2))
