"""The unknown numbers of an answer: estimates with intervals, and how they go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.uncertainty import Uncertainty
from pinngate.model.coefficients import Coefficients
from pinngate.report.notation import interval, with_uncertainty

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """One coefficient.

    Attributes:
        estimate: its value.
        std: standard deviation, None where nothing was observed.
        interval: ends of the 95 % interval; None where the data do not bound it.
        truth: where it is known.
    """

    estimate: float
    std: float | None
    interval: tuple[float, float] | None
    truth: float | None = None

    def __float__(self) -> float:
        return self.estimate

    def __str__(self) -> str:
        text = with_uncertainty(self.estimate, self.std)
        if self.interval is not None:
            text += f", 95 % interval {interval(*self.interval)}"
        return text


class Estimates(Mapping[str, Estimate]):
    """Coefficients by name, and their joint uncertainty.

    Args:
        found: by name, in the order of the problem.
        covariance: (K, K) in the coefficients' own units; None where nothing was observed.
    """

    def __init__(self, found: Mapping[str, Estimate], covariance: Array | None) -> None:
        self._found = dict(found)
        self.covariance = covariance

    def __getitem__(self, name: str) -> Estimate:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def correlation(self) -> Array | None:
        """Correlations (K, K): near ±1 where the data know only a combination of two."""
        if self.covariance is None:
            return None
        std = np.sqrt(np.diagonal(self.covariance))
        scale = np.where(std > 0, std, 1.0)
        found: Array = self.covariance / scale[:, None] / scale
        return found

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {estimate}" for name, estimate in self.items())


def covariance_of(uncertainty: Uncertainty, coefficients: Coefficients) -> Array:
    """Return the covariance (K, K) of the values: that of the raw parameters, by their slopes."""
    _, slopes = coefficients.values_and_slopes()
    found = slopes[:, None] * uncertainty.raw_covariance * slopes
    array: Array = found.double().cpu().numpy()
    return array
