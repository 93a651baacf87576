"""The coefficients of a solution: each with its uncertainty, and how they depend on one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.notation import interval, significant, with_uncertainty

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """One coefficient.

    Attributes:
        estimate: its value.
        std: its standard deviation; None where there is no uncertainty.
        interval: the 95 % interval, which keeps the coefficient's bounds; None also where the data
            do not bound it.
        truth: the true value; None where it is not known.
    """

    estimate: float
    std: float | None
    interval: tuple[float, float] | None
    truth: float | None

    def __float__(self) -> float:
        return self.estimate

    def __str__(self) -> str:
        text = with_uncertainty(self.estimate, self.std)
        if self.interval is not None:
            text += f", 95 % interval {interval(*self.interval)}"
        return text if self.truth is None else f"{text}, truth {significant(self.truth, 4)}"


class Estimates(Mapping[str, Estimate]):
    """The coefficients by name, in the order in which the problem states them.

    Args:
        entries: of ``coefficients`` in metrics.json.
        covariance: gives the joint covariance when it is asked for.
    """

    def __init__(
        self, entries: Mapping[str, Mapping[str, Any]], covariance: Callable[[], Array]
    ) -> None:
        self._estimates = {name: _estimate(entry) for name, entry in entries.items()}
        self._covariance = covariance

    def __getitem__(self, name: str) -> Estimate:
        return self._estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def __repr__(self) -> str:
        lines = [f"{name} = {estimate}" for name, estimate in self.items()]
        return "\n".join(lines) or "no coefficients"

    @property
    def covariance(self) -> Array:
        """Joint covariance in the coefficients' own units, (K, K), in the order of the names.

        Raises:
            InputError: the run has no uncertainty.
        """
        return self._covariance()

    @property
    def correlation(self) -> Array:
        """Joint correlation, (K, K), in the order of the names; NaN where a variance is zero."""
        covariance = self.covariance
        std = np.sqrt(np.diag(covariance))
        with np.errstate(divide="ignore", invalid="ignore"):
            return covariance / np.outer(std, std)


def _estimate(entry: Mapping[str, Any]) -> Estimate:
    ends = entry["interval_95"]
    return Estimate(
        entry["estimate"],
        entry["std"],
        None if ends is None else (ends[0], ends[1]),
        entry["truth"],
    )
