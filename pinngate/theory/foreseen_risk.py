"""Population risk of one run without validation data, and what it is worth against the truth.

Two estimates of the expected squared error on a fresh noisy observation. The *path's leave-one-out*
divides each residual by 1 − h_ii, h_ii how far its own observation has pulled it (`gramian`):
exact for a ridge fit (Allen's PRESS), to first order for a gradient flow. The *accumulated
leave-one-out product* adds up, step by step, what each step promises to those that it did not see
(arXiv 2605.01172). Of the change of the training risk that is all but what each observation does to
itself, so that it stands above the training risk by the *self-influence*

    R(t) = training risk(t) + ∫ 2 Σ_i K_ii r_i² dt.

Unbiased for fresh data at every step; on data that come again it charges a value for every visit,
long after its direction has been fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from torch import Tensor

Array = NDArray[np.float64]
LEAST_DISTANCE = 0.02  # of 1 − h: below, one observation would outweigh all others by 2,500


def leave_one_out_risk(residual: Tensor, leverage: Tensor) -> float:
    """Return mean (r_i/(1 − h_ii))², in the squared unit of the residuals.

    Args:
        residual: r (n,) of the observations.
        leverage: h_ii (n,); 1 − h is held above `LEAST_DISTANCE`.
    """
    return float((residual / (1 - leverage).clamp_min(LEAST_DISTANCE)).square().mean())


def self_influence(diagonal: Tensor, before: Tensor, now: Tensor) -> float:
    """Return 2 Σ_i ∫ K_ii r_i² dt over one piece of path, by the trapezoidal rule.

    Args:
        diagonal: K_ii Δt (n,) of the observations, rows weighted so that the loss is ‖r‖².
        before: r (n,) in the same rows at the start of the piece.
        now: r (n,) at its end.

    Returns:
        What of the fall of ‖r‖² each observation owes to itself, in the unit of ‖r‖².
    """
    return float((diagonal * (before.square() + now.square())).sum())


@dataclass(frozen=True)
class RiskJudgement:
    """An estimated risk curve against the true one.

    Attributes:
        correlation: Pearson's, of the logarithms over the logged times.
        rank_correlation: Spearman's.
        calibration: geometric mean of estimate over truth, over the second half of the times.
        chosen: place of the least estimate; the last of the run where it falls to the end.
        best: place of the least true risk.
        regret: true error at the chosen time over that at the best one, less one.
    """

    correlation: float
    rank_correlation: float
    calibration: float
    chosen: int
    best: int
    regret: float


def judge_risk(estimate: Array, truth: Array, error: Array) -> RiskJudgement:
    """Compare an estimate (t,) with the true risk (t,), and the error (t,) where each would stop.

    The true risk is noise variance plus squared error at the places of the data. Estimates that
    are not above zero count as the least positive one in logarithms.
    """
    floor = estimate[estimate > 0].min() if (estimate > 0).any() else 1e-300
    logs = np.log(np.maximum(estimate, floor)), np.log(truth)
    half = len(truth) // 2
    chosen, best = int(np.argmin(estimate)), int(np.argmin(error))
    return RiskJudgement(
        _correlation(*logs),
        _correlation(*(np.argsort(np.argsort(series)).astype(float) for series in logs)),
        float(np.exp(np.mean((logs[0] - logs[1])[half:]))),
        chosen,
        best,
        float(error[chosen] / error[best] - 1),
    )


def _correlation(first: Array, second: Array) -> float:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def mean_interval(values: Array) -> tuple[float, float, float]:
    """Return mean and ends of its 95 % interval by Student's t over the draws (n,), NaN left out.

    One draw has no interval: both ends are NaN.
    """
    kept = values[np.isfinite(values)]
    if not len(kept):
        return (float("nan"),) * 3
    mean = float(kept.mean())
    if len(kept) < 2:
        return mean, float("nan"), float("nan")
    half = float(stdtrit(len(kept) - 1, 0.975)) * float(kept.std(ddof=1)) / np.sqrt(len(kept))
    return mean, mean - half, mean + half
