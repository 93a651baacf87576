"""Coefficients together: regions that hold pairs of them, and what was known before the data.

Part of the report. Regions are those of the normal distribution whose covariance the run gives, in
the numbers that are searched for: the logarithm of a positive coefficient, so that its regions are
curved where it is not known well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pinngate.report.archive import RunArchive
from pinngate.report.joint_intervals import REACH, Marginal, marginals
from pinngate.report.notation import mathtext, percent, with_uncertainty
from pinngate.report.style import (
    ESTIMATE,
    FONT,
    GREY,
    INK,
    TRUTH,
    label,
    legend,
    new_figure,
    open_frame,
)
from pinngate.report.verdict import interval_of
from pinngate.statement.unknown_quantities import Prior

MOST = 8  # coefficients: the panels of more are too small to read
LEVELS = {0.95: 0.18, 0.68: 0.34}  # of regions, and how opaque they are


def joint(archive: RunArchive) -> Figure | None:
    """Draw pairs of coefficients with the regions that hold 68 % and 95 %, and each by itself.

    None where there are fewer than two coefficients with an uncertainty or more than `MOST`, or no
    correlation is recorded.
    """
    shown, matrix = marginals(archive), archive.metrics.get("coefficient_correlation")
    names = [c.name for c in archive.problem.shown_coefficients]
    if not matrix or not 2 <= len(shown) <= MOST:
        return None
    kept = [names.index(m.coefficient.name) for m in shown]
    correlation = np.array(matrix, dtype=np.float64)[np.ix_(kept, kept)]
    if not np.isfinite(correlation).all():
        return None
    count = len(shown)
    figure = new_figure(min(6.6, 1.2 + 1.5 * count))
    grid: Any = figure.subplots(count, count, sharex="col", squeeze=False)
    for row, column in np.ndindex(count, count):
        plot = grid[row, column]
        if column > row:
            plot.set_visible(False)
            continue
        if row == column:
            _alone(plot, archive, shown[row])
        else:
            _pair(plot, archive, shown[column], shown[row], float(correlation[row, column]))
        is_lowest, is_left = row == count - 1, column == 0 and row > 0
        x_name = shown[column].axis_name if is_lowest else ""
        label(plot, x_name, shown[row].axis_name if is_left else "")
        plot.tick_params(labelsize=FONT - 2, labelbottom=is_lowest, labelleft=is_left)
    _set_scales(grid, shown)
    figure.align_ylabels(grid[:, 0])
    return figure


def _set_scales(grid: Any, shown: Sequence[Marginal]) -> None:
    """Give a coefficient the same scale in its column and its row."""
    num_ticks = 4 if len(shown) <= 4 else 2
    for k, marginal in enumerate(shown):
        ends = np.sort(marginal.values(marginal.reach[[0, -1]]))
        for plot, axis in [(grid[-1, k], "x"), *((grid[k, column], "y") for column in range(k))]:
            plot.set(**{f"{axis}lim": ends})
            places = MaxNLocator(nbins=num_ticks, steps=[1, 2, 2.5, 5, 10])
            getattr(plot, f"{axis}axis").set_major_locator(places)


def _alone(plot: Axes, archive: RunArchive, marginal: Marginal) -> None:
    """Draw the density of a coefficient with its 95 % interval."""
    free = marginal.reach
    density = np.exp(-0.5 * ((free - marginal.centre) / marginal.std) ** 2)
    x = marginal.values(free)
    plot.plot(x, density, color=ESTIMATE, lw=1.4)
    low, high = interval_of(archive, marginal.coefficient.name)
    if low is not None and high is not None:
        inside = (x * 10.0**marginal.power >= low) & (x * 10.0**marginal.power <= high)
        plot.fill_between(x, density, where=inside, color=ESTIMATE, alpha=0.22, lw=0)
    truth = archive.problem.true_coefficients().get(marginal.coefficient.name)
    if truth is not None:
        plot.axvline(truth / 10.0**marginal.power, color=TRUTH, lw=1.0, ls=(0, (4, 2)))
    plot.set_ylim(0, 1.1)
    plot.set_yticks([])
    plot.spines[["top", "right", "left"]].set_visible(False)


def _pair(plot: Axes, archive: RunArchive, x: Marginal, y: Marginal, correlation: float) -> None:
    """Draw the regions that hold both of two coefficients."""
    angle = np.linspace(0, 2 * np.pi, 121)
    across, up = np.cos(angle), correlation * np.cos(angle)
    up = up + math.sqrt(max(0.0, 1 - correlation**2)) * np.sin(angle)
    for level, alpha in LEVELS.items():
        radius = math.sqrt(-2 * math.log(1 - level))
        outline = (
            x.values(x.centre + radius * x.std * across),
            y.values(y.centre + radius * y.std * up),
        )
        plot.fill(*outline, color=ESTIMATE, alpha=alpha, lw=0)
        plot.plot(*outline, color=ESTIMATE, lw=0.8)
    plot.plot(
        x.estimate / 10.0**x.power, y.estimate / 10.0**y.power, ls="none", marker="o", ms=3,
        mew=0, color=ESTIMATE,
    )  # fmt: skip
    truths = archive.problem.true_coefficients()
    true = [truths.get(m.coefficient.name) for m in (x, y)]
    if true[0] is not None and true[1] is not None:
        plot.plot(
            true[0] / 10.0**x.power, true[1] / 10.0**y.power, ls="none", marker="x", ms=5,
            color=TRUTH,
        )  # fmt: skip
    open_frame(plot)


def priors(archive: RunArchive) -> Figure | None:
    """Draw what was stated of each coefficient beforehand and what is known of it now.

    None where nothing was stated.
    """
    stated = [(m, m.coefficient.prior) for m in marginals(archive)]
    shown = [(marginal, prior) for marginal, prior in stated if prior is not None]
    if not shown:
        return None
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(0.4 + 2.2 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for plot in grid[len(shown) :]:
        plot.set_visible(False)
    for plot, (marginal, prior) in zip(grid, shown, strict=False):
        _before_and_after(plot, archive, marginal, prior)
    return figure


def _before_and_after(plot: Axes, archive: RunArchive, marginal: Marginal, prior: Prior) -> None:
    name, scale = marginal.coefficient.name, 10.0**marginal.power
    before = prior.mean + prior.std * np.linspace(-REACH, REACH, 121)
    values = np.exp(before) if prior.is_of_logarithm else before
    density = np.exp(-0.5 * ((before - prior.mean) / prior.std) ** 2)
    plot.fill_between(values / scale, density, color=GREY, alpha=0.25, lw=0)
    plot.plot(values / scale, density, color=GREY, lw=1.4, label="stated beforehand")
    free = marginal.reach
    after = np.exp(-0.5 * ((free - marginal.centre) / marginal.std) ** 2)
    plot.plot(marginal.values(free), after, color=ESTIMATE, lw=1.8, label="with the data")
    truth = archive.problem.true_coefficients().get(name)
    if truth is not None:
        plot.axvline(truth / scale, color=INK, lw=1.0, ls=(0, (4, 2)), label="truth")
    share = archive.number("coefficients", name, "prior_share")
    std = archive.number("coefficients", name, "std")
    told = f"{mathtext(name)} = {with_uncertainty(marginal.estimate, std, marginal.unit)}"
    told += "" if share is None else f", {percent(share)} of it from the prior"
    plot.set_ylim(0, 1.45)
    plot.set_yticks([])
    label(plot, marginal.axis_name, "relative density", told)
    open_frame(plot)
    legend(plot, loc="upper right", ncols=3, handlelength=1.4, columnspacing=1.0)
