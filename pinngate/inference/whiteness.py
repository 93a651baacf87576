"""Whether few residuals are white: the lag-one correlation against all orders of the residuals.

A fit that misses a curve through a dozen values leaves residuals that go slowly up and down. Signs
of so few products say little (`series`), but among all orders of the same numbers a smooth one is
rare: the p-value is the share of permutations whose products of neighbours sum to as much (A. Wald,
J. Wolfowitz, Ann. Math. Statist. 14, 1943). Σ (r_i − r_(i+1))² / Σ r², the noise by differences
over that of the residuals, is 2 (1 − ρ) but for the ends, so that this is its test, too. Beside
`misfit`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.misfit import LEVEL, probability

Array = NDArray[np.float64]

MOST_VALUES = 40  # of a series: beyond, products have signs enough (`series`)
FEWEST_VALUES = 6  # 720 orders: p-values below one in a hundred can be told
NUM_ORDERS = 9999  # drawn where all are more


@dataclass(frozen=True)
class LagOne:
    """Correlation of consecutive residuals.

    Attributes:
        coefficient: Σ r_i r_(i+1) / Σ r_i².
        p_value: share of all orders in which it is as large.
    """

    coefficient: float
    p_value: float

    @property
    def is_clear(self) -> bool:
        """Whether a random order would hardly do this."""
        return self.p_value < LEVEL

    @property
    def words(self) -> str:
        """The coefficient and its probability."""
        p = probability(self.p_value)
        return f"consecutive residuals are correlated by {self.coefficient:.2f}, {p}"


def lag_one(series: Sequence[Array]) -> LagOne | None:
    """Test the series of residuals, each in the order of its places.

    Args:
        series: residuals (n,) each; those with too few or too many values are not looked at.

    Returns:
        The most significant, its p-value times the number of tests (Bonferroni); None without any.

    Cost: ten thousand permutations of each.
    """
    tests = [_tested(r) for r in series if FEWEST_VALUES <= len(r) <= MOST_VALUES and r.any()]
    if not tests:
        return None
    least = min(tests, key=lambda test: test.p_value)
    return LagOne(least.coefficient, min(1.0, len(tests) * least.p_value))


def _tested(residuals: Array) -> LagOne:
    r = residuals - residuals.mean()
    count = len(r)
    if math.factorial(count) <= NUM_ORDERS:
        orders = np.array(list(itertools.permutations(range(count))))
    else:
        generator = np.random.default_rng(0)
        drawn = generator.permuted(np.tile(np.arange(count), (NUM_ORDERS, 1)), axis=1)
        orders = np.concatenate([np.arange(count)[None], drawn])
    shuffled = r[orders]
    sums = np.sum(shuffled[:, :-1] * shuffled[:, 1:], axis=1)
    square = float(r @ r)
    if square == 0:
        return LagOne(0.0, 1.0)
    return LagOne(float(sums[0]) / square, float(np.mean(sums >= sums[0])))


__all__ = ["LagOne", "lag_one"]
