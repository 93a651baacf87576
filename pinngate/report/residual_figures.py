"""What is left of the data, from several sides: along axes, by quantiles, each sensor, coverage.

Part of the report, beside `fit`. All is read off the table of observations. If the model is right,
residuals scatter evenly along every axis, their quantiles follow the diagonal, and intervals cover
what they claim.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pinngate.data.replicates import by_place
from pinngate.report.archive import RunArchive
from pinngate.report.coverage import FEWEST, coverage_scores, running_mean, some
from pinngate.report.notation import QUANTILE_95, mathtext, significant, with_unit
from pinngate.report.style import (
    CLASSICAL,
    DATA,
    ESTIMATE,
    INK,
    label,
    legend,
    new_figure,
    open_frame,
)
from pinngate.report.vector_graphics import MANY

SERIES = 4  # values of a sensor that make a series
MOST_SENSORS = 9
LEVELS = np.linspace(0.02, 0.98, 49)
Columns = dict[str, NDArray[Any]]


def residuals(archive: RunArchive, of: str, columns: Columns) -> Figure | None:
    """Draw the residuals of one set along each axis with their running mean, and their quantiles.

    None where fewer than `FEWEST` are finite.
    """
    found = _finite(columns)
    residual = found["residual"]
    if residual.size < FEWEST or not np.ptp(residual) > 0:
        return None
    axes = [a for a in archive.problem.axes if np.ptp(found[a]) > 0]
    figure = new_figure(2.5)
    plots = figure.subplots(1, len(axes) + 1, squeeze=False)[0]
    drawn = some(residual.size)
    for plot, axis in zip(plots, axes, strict=False):
        plot.axhline(0.0, color=INK, lw=0.8)
        plot.plot(
            found[axis][drawn], residual[drawn], ls="none", marker="o", ms=2.4, mew=0,
            color=DATA, alpha=0.55, rasterized=drawn.size > MANY,
        )  # fmt: skip
        _running_mean(plot, found[axis], residual)
        label(plot, with_unit(axis, archive.problem.units), "", f"along {mathtext(axis)}")
        open_frame(plot)
    plots[0].set_ylabel("observed − fitted", fontsize=plots[0].xaxis.label.get_fontsize())
    _quantiles(plots[-1], residual)
    return figure


def _running_mean(plot: Axes, x: NDArray[Any], residual: NDArray[Any]) -> None:
    """Draw the means of neighbouring residuals with their 95 % intervals."""
    found = running_mean(x, residual)
    if found is not None:
        at, means, errors = found
        plot.errorbar(at, means, QUANTILE_95 * errors, color=ESTIMATE, lw=1.4, elinewidth=0.8)


def _quantiles(plot: Axes, residual: NDArray[Any]) -> None:
    """Draw the ordered standardised residuals against quantiles of the normal distribution."""
    ordered = np.sort(residual - residual.mean()) / residual.std()
    normal = _normal_quantiles(ordered.size)
    drawn = np.unique(np.linspace(0, ordered.size - 1, min(ordered.size, 400)).round().astype(int))
    reach = 1.05 * max(abs(normal[0]), float(np.abs(ordered).max()))
    plot.plot([-reach, reach], [-reach, reach], color=INK, lw=0.8)
    plot.plot(normal[drawn], ordered[drawn], ls="none", marker="o", ms=2.4, mew=0, color=ESTIMATE)
    label(plot, "normal quantiles", "", "residual / std")
    open_frame(plot)


def _normal_quantiles(count: int) -> NDArray[np.float64]:
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / count) for k in range(count)])


def series(archive: RunArchive, of: str, columns: Columns) -> Figure | None:
    """Draw what each sensor read over time beside the fit; None where no sensor reads a series."""
    problem, found = archive.problem, _finite(columns)
    if not problem.has_time or not problem.space_axes or not found["value"].size:
        return None
    places, sizes = by_place(np.column_stack([found[a] for a in problem.space_axes]))
    sensors = np.flatnonzero(sizes >= SERIES)
    if not sensors.size or sizes[sensors].sum() < 0.8 * found["value"].size:
        return None
    chosen = sensors[np.linspace(0, sensors.size - 1, min(MOST_SENSORS, sensors.size)).astype(int)]
    columns_of_panels = min(3, chosen.size)
    rows = -(-chosen.size // columns_of_panels)
    figure = new_figure(0.4 + 1.7 * rows)
    grid = figure.subplots(rows, columns_of_panels, sharex=True, sharey=True, squeeze=False)
    for plot in grid.ravel()[chosen.size :]:
        plot.set_visible(False)
    for plot, sensor in zip(grid.ravel(), chosen.tolist(), strict=False):
        own = np.flatnonzero(places == sensor)
        own = own[np.argsort(found["t"][own], kind="stable")]
        t = found["t"][own]
        plot.plot(t, found["value"][own], ls="none", marker="o", ms=2.4, mew=0, color=DATA)
        plot.plot(t, found["fitted"][own], color=ESTIMATE, lw=1.4)
        where = ", ".join(
            f"{mathtext(a)} = {significant(float(found[a][own[0]]))}" for a in problem.space_axes
        )
        label(plot, "", "", where)
        open_frame(plot)
    for plot in grid[-1]:
        plot.set_xlabel(with_unit("t", problem.units), fontsize=8)
    for plot in grid[:, 0]:
        plot.set_ylabel(with_unit(of, problem.units), fontsize=8)
    return figure


def calibration(archive: RunArchive) -> Figure | None:
    """Draw how much intervals of every level hold: of the truth on the grid, of values left out.

    None where there is neither.
    """
    lines = coverage_scores(archive)
    if not lines:
        return None
    figure = new_figure(3.0)
    plot = figure.subplots()
    plot.plot([0, 1], [0, 1], color=INK, lw=0.8)
    levels = np.array([NormalDist().inv_cdf(0.5 + level / 2) for level in LEVELS])
    for (name, scores), colour in zip(lines, (ESTIMATE, CLASSICAL, DATA) * 8, strict=False):
        covered = (np.abs(scores)[:, None] <= levels).mean(axis=0)
        plot.plot(LEVELS, covered, color=colour, lw=1.6, label=name)
    plot.set_aspect("equal")
    plot.set(xlim=(0, 1), ylim=(0, 1))
    label(plot, "level of the interval", "share that it holds")
    open_frame(plot)
    legend(plot, loc="center left", bbox_to_anchor=(1.04, 0.5))
    return figure


def _finite(columns: Columns) -> Columns:
    needed = np.stack([columns[name] for name in ("value", "fitted", "residual")]).astype(float)
    kept = np.isfinite(needed).all(axis=0)
    return {name: values[kept] for name, values in columns.items()}
