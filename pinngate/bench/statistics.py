"""Statistics over seeds that hold: paired, with failures counted.

Between the rows of a benchmark and its tables. Two methods are compared seed by seed on the same
data: median ratio of their errors with a BCa bootstrap interval (Efron 1987), the probability that
one beats the other (Agarwal et al. 2021, arXiv 2108.13264), and Wilcoxon's signed-rank test of the
logarithms with Holm's correction over all comparisons of a suite. A run that failed has an infinite
error: it loses against every answer and ties with another failure.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

NUM_RESAMPLES = 9999
LEVEL = 0.95
MIN_SEEDS = 5  # below these an interval of a median says nothing


@dataclass(frozen=True)
class Summary:
    """Median, quartiles and an interval of the median over seeds; infinite errors are failures."""

    median: float
    lower_quartile: float
    upper_quartile: float
    worst: float
    interval: tuple[float, float] | None
    num_seeds: int
    num_failed: int


@dataclass(frozen=True)
class Comparison:
    """A rival against a baseline on the same seeds.

    Attributes:
        num_pairs: seeds that both ran.
        ratio: median of rival's error / baseline's; above 1 where the baseline is better.
        interval: 95 % of that median; None below five pairs.
        probability: that the baseline's error is smaller on a seed, ties counting one half.
        probability_interval: 95 %, None below five pairs.
        p_value: Wilcoxon's signed-rank test, two-sided; None where all pairs are ties.
        p_holm: corrected by Holm over the comparisons that `corrected` was given.
    """

    num_pairs: int
    ratio: float
    interval: tuple[float, float] | None
    probability: float
    probability_interval: tuple[float, float] | None
    p_value: float | None
    p_holm: float | None = None


def summary(errors: Sequence[float]) -> Summary:
    """Return the summary of one method's errors, one for each seed, infinite where it failed."""
    values = np.asarray(errors, dtype=float)
    quartiles = _quantiles(values, (0.25, 0.5, 0.75))
    return Summary(
        quartiles[1],
        quartiles[0],
        quartiles[2],
        float(values.max()),
        bootstrap_interval(values, np.median),
        len(values),
        int(np.sum(~np.isfinite(values))),
    )


def _quantiles(values: Array, levels: Sequence[float]) -> list[float]:
    """Return quantiles; infinite where one falls between a number and an infinite value."""
    if np.isfinite(values).all():
        return [float(q) for q in np.quantile(values, levels)]
    return [float(q) for q in np.quantile(values, levels, method="higher")]


def bootstrap_interval(
    values: Array, statistic: Callable[..., object], *, seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95 % BCa interval of a statistic over seeds, None below five seeds.

    Where failures are among the values the percentile interval is taken, for BCa needs finite
    ones; where all values are equal the interval is that value.

    Args:
        values: one for each seed, (n,).
        statistic: takes an array and the keyword `axis`.
        seed: of the resampling, so that the same rows give the same table.

    Cost: 9,999 resamples.
    """
    if len(values) < MIN_SEEDS:
        return None
    if np.all(values == values[0]):
        return float(values[0]), float(values[0])
    finite = bool(np.isfinite(values).all())
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,),
            statistic,
            n_resamples=NUM_RESAMPLES,
            confidence_level=LEVEL,
            method="BCa" if finite else "percentile",
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    if math.isnan(low) or math.isnan(high):  # BCa of nearly equal values
        return float(np.min(values)), float(np.max(values))
    return low, high


def compare(baseline: Mapping[int, float], rival: Mapping[int, float]) -> Comparison | None:
    """Compare errors by seed, infinite where a run failed; None where no seed was run by both."""
    seeds = sorted(baseline.keys() & rival.keys())
    if not seeds:
        return None
    ours = np.array([baseline[s] for s in seeds])
    theirs = np.array([rival[s] for s in seeds])
    gain = log_ratios(ours, theirs)
    wins = np.where(gain > 0, 1.0, np.where(gain < 0, 0.0, 0.5))
    ratios = np.exp(gain)
    return Comparison(
        len(seeds),
        _quantiles(ratios, (0.5,))[0],
        bootstrap_interval(ratios, np.median),
        float(wins.mean()),
        bootstrap_interval(wins, np.mean),
        signed_rank(gain),
    )


def log_ratios(ours: Array, theirs: Array) -> Array:
    """Return log(theirs/ours): +∞ where only theirs failed, −∞ where only ours, 0 where both."""
    gain = np.zeros(len(ours))
    both = np.isfinite(ours) & np.isfinite(theirs)
    tiny = np.finfo(float).tiny
    gain[both] = np.log(np.maximum(theirs[both], tiny) / np.maximum(ours[both], tiny))
    gain[np.isfinite(ours) & ~np.isfinite(theirs)] = np.inf
    gain[~np.isfinite(ours) & np.isfinite(theirs)] = -np.inf
    return gain


def signed_rank(gain: Array) -> float | None:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; None where all are ties.

    Infinite values take the highest ranks: the test needs nothing but the order.
    """
    finite = gain[np.isfinite(gain)]
    reach = 1.0 + 2.0 * float(np.max(np.abs(finite), initial=0.0))
    ranked = np.where(np.isfinite(gain), gain, np.sign(gain) * reach)
    ranked = ranked[ranked != 0]
    if len(ranked) == 0:
        return None
    return float(stats.wilcoxon(ranked).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p-values: max over smaller ones of (m − rank)·p, at most 1.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65. None stays None.
    """
    known = sorted((p, k) for k, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p, k) in enumerate(known):
        running = max(running, min(1.0, (len(known) - rank) * p))
        adjusted[k] = running
    return adjusted


def corrected(comparisons: Sequence[Comparison | None]) -> list[Comparison | None]:
    """Return the comparisons with `p_holm`, the correction being over all of them."""
    adjusted = holm([None if c is None else c.p_value for c in comparisons])
    return [
        None if c is None else replace(c, p_holm=p)
        for c, p in zip(comparisons, adjusted, strict=True)
    ]
