"""Whether the solution fits its data: residuals against noise that is known from elsewhere.

Used where a run is judged and by its report. The noise that a run estimates from its own residuals
cannot tell noise from signal that was missed. Two things can: a standard deviation stated with the
data (chi-square test of the residuals) and repeated measurements at one point, whose scatter owes
nothing to the solution (the F test of lack of fit; G. E. P. Box, W. G. Hunter, J. S. Hunter,
Statistics for Experimenters).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.data.replicates import by_place

LEVEL = 0.01  # a fit is called wrong where noise alone would do this once in a hundred runs
FEW = 5  # fewer repeated measurements than that know too little of their scatter
CLEAR = 1.05  # and off by more than a standard deviation is ever known to


@dataclass(frozen=True)
class Misfit:
    """Residuals against noise.

    Attributes:
        ratio: standard deviation of the residuals, n − d degrees of freedom, over the noise's.
        p_value: probability of so much misfit, or more, from noise alone.
        noise: what is known of the noise, in words.
    """

    ratio: float
    p_value: float
    noise: str

    @property
    def is_clear(self) -> bool:
        """Whether the data say that the solution does not fit them."""
        return self.p_value < LEVEL and self.ratio > CLEAR

    @property
    def is_overstated(self) -> bool:
        """Whether the data scatter less than half of what is said: intervals are too wide."""
        return bool(self.p_value > 1 - LEVEL and self.ratio < 0.5)

    @property
    def words(self) -> str:
        """The ratio and its probability, ``residuals 1.8 times the stated noise, p < 0.001``."""
        return f"residuals {self.ratio:.2f} times {self.noise}, {probability(self.p_value)}"


def probability(p: float) -> str:
    """Return a p-value in words."""
    return "p < 0.001" if p < 1e-3 else f"p = {p:.2g}"


def assess(
    sets: Sequence[tuple[str, Mapping[str, NDArray[Any]]]], axes: tuple[str, ...]
) -> Misfit | None:
    """Return the most significant misfit of some sets of observations.

    Of k tests the least p-value is multiplied by k (Bonferroni).

    Args:
        sets: the kind of noise that is assumed of each set, and its columns: the axes, ``residual``
            and where known ``leave_one_out_residual`` and ``std``, (n,) each; of censored values
            ``deviance`` and ``tally``, as `data.censoring.CensoredRows` has them.
        axes: names of the axes.

    Returns:
        The misfit; None where the noise is known from the residuals alone.
    """
    tests = []
    for kind, columns in sets:
        tests += [_against_replicates(columns, axes)]
        # the sum of squares of heavy-tailed noise is not chi-square
        if kind in ("gaussian", "censored"):
            tests += [_against_stated(columns)]
    found = [test for test in tests if test is not None]
    if not found:
        return None
    least = min(found, key=lambda test: test.p_value)
    return Misfit(least.ratio, min(1.0, len(found) * least.p_value), least.noise)


def against_stated(total: float, free: float) -> Misfit:
    """Test Σ (r/σ)² against chi-square with n − d degrees of freedom."""
    from scipy.special import chdtrc

    return Misfit(np.sqrt(total / free), float(chdtrc(free, total)), "the stated noise")


def _against_stated(columns: Mapping[str, NDArray[Any]]) -> Misfit | None:
    std = columns.get("std")
    if std is None:
        return None
    residual = columns.get("deviance", columns["residual"])
    rows = np.isfinite(std) & (std > 0) & np.isfinite(residual)
    if not rows.any():
        return None
    total = float(np.sum((residual[rows] / std[rows]) ** 2))
    tally = columns.get("tally", np.ones(len(std)))
    free = float(np.sum((tally - 1 + _free(columns))[rows]))
    return against_stated(total, free)


def _against_replicates(
    columns: Mapping[str, NDArray[Any]], axes: tuple[str, ...]
) -> Misfit | None:
    """Test the misfit of the means of repeated measurements against the scatter about them."""
    from scipy.special import fdtrc

    rows = np.isfinite(columns["residual"])
    points = np.column_stack([columns[axis][rows] for axis in axes])
    group, count = by_place(points)
    r = columns["residual"][rows]
    mean = np.bincount(group, weights=r) / count
    pure, lack = np.sum((r - mean[group]) ** 2), np.sum(mean[group] ** 2)
    free_pure = r.size - count.size
    free_lack = float(np.sum(_free(columns)[rows])) - free_pure
    # no scatter at all is one value written down twice
    if free_pure < FEW or free_lack <= 0 or not pure > 0:
        return None
    noise = pure / free_pure
    p_value = float(fdtrc(free_lack, free_pure, lack / free_lack / noise))
    ratio = float(np.sqrt((pure + lack) / (free_pure + free_lack) / noise))
    return Misfit(ratio, p_value, "the scatter of repeated measurements")


def _free(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return 1 − h of each value (n,): the share of its noise that its residual keeps.

    One where leave-one-out residuals are not recorded, which makes the tests milder.
    """
    r, left_out = columns["residual"], columns.get("leave_one_out_residual")
    if left_out is None:
        return np.ones(r.shape)
    is_known = np.isfinite(left_out) & (left_out != 0)
    share = np.divide(r, left_out, out=np.ones(r.shape), where=is_known)
    return np.clip(np.nan_to_num(share, nan=1.0), 1e-6, 1.0)


__all__ = ["Misfit", "against_stated", "assess", "probability"]
