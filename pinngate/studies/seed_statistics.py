"""Seeds to figures: medians with quartiles, and paired ratios with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Ratio:
    """Geometric mean over seeds of a ratio, with its 95 % interval (Student's, of logarithms).

    Attributes:
        value: the mean.
        low, high: the interval; infinite for fewer than two seeds.
        seeds: how many.
    """

    value: float
    low: float
    high: float
    seeds: int


def paired_ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Return the ratio of positive figures, seed by seed.

    Args:
        above, below: a figure of two arms, (seeds,), the same seeds in the same order.
    """
    logs = np.log(np.asarray(above, dtype=float) / np.asarray(below, dtype=float))
    mean, count = float(logs.mean()), len(logs)
    if count < 2:
        return Ratio(float(np.exp(mean)), 0.0, float("inf"), count)
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1) * logs.std(ddof=1) / np.sqrt(count))
    low, high = np.exp([mean - reach, mean + reach]).tolist()
    return Ratio(float(np.exp(mean)), low, high, count)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest value."""
    found = np.asarray(values, dtype=float)
    return {
        "median": float(np.median(found)),
        "least": float(found.min()),
        "most": float(found.max()),
    }
