"""Drift and diffusion: how fast a displacement grows, T for signal, √T for fresh noise.

Displacements of repeated runs that differ in their noise alone are divided into what they share,
the drift, and their scatter, the diffusion. Exponents are slopes in double logarithms; their
intervals come from resampling the runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError

Array = NDArray[np.float64]
NUM_RESAMPLED = 1000
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Exponent:
    """A fitted exponent with its 95 % interval over the runs."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Growth:
    """Drift and diffusion over time.

    Attributes:
        times: (t,), in steps.
        drift: (t,) norm of the mean displacement, its own noise taken off.
        diffusion: (t,) root mean square distance from that mean.
    """

    times: Array
    drift: Array
    diffusion: Array


def growth(times: Array, displacements: Array) -> Growth:
    """Divide displacements (runs, t, k) into drift and diffusion.

    With mean m(t) over the R runs and S² = Σ‖x − m‖²/(R − 1), ‖m‖² exceeds the square of the
    drift by S²/R in the mean, which is subtracted.

    Raises:
        InputError: fewer than two runs.
    """
    num_runs = len(displacements)
    if num_runs < 2:
        raise InputError("one run has no scatter", expected="--draws 2 or more")
    mean = displacements.mean(0)
    scatter = ((displacements - mean) ** 2).sum((0, 2)) / (num_runs - 1)
    square = (mean**2).sum(1) - scatter / num_runs
    return Growth(times, np.sqrt(np.maximum(square, 0.0)), np.sqrt(scatter))


def slope(times: Array, sizes: Array) -> float:
    """Return the least-squares slope of log size over log time; NaN where fewer than two count."""
    kept = (times > 0) & (sizes > 0)
    if kept.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(times[kept]), np.log(sizes[kept]), 1)[0])


def exponents(
    times: Array, displacements: Array, settled: float = 0.0, seed: int = 0
) -> tuple[Exponent, Exponent]:
    """Return the exponents of drift and diffusion with intervals by resampling whole runs.

    Args:
        times: (t,) in steps, all above zero.
        displacements: (runs, t, k).
        settled: times before this one do not count.
        seed: of the resampling.

    Cost: `NUM_RESAMPLED` passes over the displacements.
    """
    random = np.random.default_rng(seed)
    displacements, times = displacements[:, times >= settled], times[times >= settled]
    found = growth(times, displacements)
    resampled = []
    for _ in range(NUM_RESAMPLED):
        chosen = random.integers(len(displacements), size=len(displacements))
        again = growth(times, displacements[chosen])
        resampled.append((slope(times, again.drift), slope(times, again.diffusion)))
    low, high = np.nanpercentile(np.array(resampled), INTERVAL, axis=0)
    own = slope(times, found.drift), slope(times, found.diffusion)
    drift, diffusion = (Exponent(own[k], float(low[k]), float(high[k])) for k in (0, 1))
    return drift, diffusion
