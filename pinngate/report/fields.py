"""Figures of fields: the solution as images, slices through it, the error against the truth.

Part of the report; a figure is made from a `RunArchive` alone. Fields of up to three space axes
and time are cut to planes (images) or lines (slices).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pinngate.report.archive import RunArchive
from pinngate.report.cuts import (
    Array,
    Cut,
    held_at,
    panel_height,
    plane_rows,
    points_near_line,
    points_of,
    stations,
    title_of,
)
from pinngate.report.images import Image, draw_row
from pinngate.report.notation import QUANTILE_95, mathtext, percent, with_unit
from pinngate.report.style import (
    CLASSICAL,
    DATA,
    ESTIMATE,
    FONT,
    INK,
    LIMIT,
    TRUTH,
    label,
    legend,
    new_figure,
    open_frame,
    scale,
)


def solution(archive: RunArchive, unknown: str) -> Figure:
    """Draw a field with its observations, and its standard deviation where there is one.

    A field of one axis is a line with its 95 % band. One space axis and time is an image over
    (t, x); two space axes are an image for each of several times; three are their mid-planes.
    """
    draw = {1: _line, 2: _plane}.get(len(archive.problem.axes), _planes)
    return draw(archive, unknown)


def _plane(archive: RunArchive, unknown: str) -> Figure:
    """Draw a field of two axes, and its standard deviation beside it."""
    std = archive.std(unknown)
    (cuts,) = plane_rows(archive)
    height = panel_height(archive, cuts[0], 5.0 if std is None else 2.3)
    figure = new_figure(height + 0.6, is_tight=not archive.problem.has_time)
    plots = figure.subplots(1, 1 if std is None else 2, squeeze=False)[0]
    estimate = Image(f"{mathtext(unknown)}, estimate", archive.solution[unknown], unknown)
    draw_row(figure, plots[:1], archive, cuts, estimate)
    if std is not None:
        draw_row(figure, plots[1:], archive, cuts, _std_image(unknown, std))
    for plot in plots:
        _draw_seen(plot, archive, unknown, cuts[0])
    return figure


def _draw_seen(plot: Axes, archive: RunArchive, unknown: str, cut: Cut) -> None:
    """Draw where the fit was, of a function of two fields."""
    x, y = (archive.solution.get(f"{unknown}_seen_{axis}") for axis in cut.free)
    if x is not None and y is not None:
        plot.plot(x, y, ls="none", marker=".", ms=1.4, mew=0, color=INK, alpha=0.7)


def _planes(archive: RunArchive, unknown: str) -> Figure:
    """Draw rows of planes through a field, and one of its standard deviation below."""
    std, rows = archive.std(unknown), plane_rows(archive)
    num_rows = len(rows) + (std is not None)
    # mid-planes have different axes, so each panel needs room for labels of its own
    room = 5.4 if len(archive.problem.space_axes) == 2 else 4.4
    height = panel_height(archive, rows[0][0], room / len(rows[0]))
    figure = new_figure(num_rows * (height + 0.6), is_tight=True)
    grid = figure.subplots(num_rows, len(rows[0]), squeeze=False)
    for plots, cuts in zip(grid, rows, strict=False):
        estimate = Image(mathtext(unknown), archive.solution[unknown], unknown)
        draw_row(figure, plots, archive, cuts, estimate)
    if std is not None:
        name = f"std of {mathtext(unknown)}"  # rows are low
        draw_row(figure, grid[-1], archive, rows[-1], Image(name, std, is_size=True))
    return figure


def _std_image(unknown: str, std: Array) -> Image:
    return Image(f"standard deviation of {mathtext(unknown)}", std, is_size=True)


def slices(archive: RunArchive, unknown: str) -> Figure | None:
    """Draw the field along its first space axis at several times (or places of a second axis).

    Each panel has the estimate with its 95 % band, the truth where known and the observations
    within 1 % of the panel's time. Further axes are held in the middle or at a sensor.
    None for a field of one axis.
    """
    if len(archive.problem.axes) == 1:
        return None
    cuts, points = _slices(archive, unknown), points_of(archive, unknown)
    num_rows = -(-len(cuts) // 3)
    figure = new_figure(0.5 + 2.0 * num_rows)
    grid = figure.subplots(num_rows, 3, sharex=True, sharey=True, squeeze=False)
    shown, empty = np.split(grid.ravel(), [len(cuts)])
    for plot in empty:
        plot.set_visible(False)
    units = archive.problem.units
    for index, (plot, cut) in enumerate(zip(shown, cuts, strict=True)):
        near = points_near_line(archive, points, cut, window=0.01)
        _draw_line(plot, archive, unknown, cut, near)
        label(plot, "", "", title_of(archive, cut.fixed))
        open_frame(plot)
        plot.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        scale(plot, archive.problem.domain[cut.free[0]])
        # the panel above an empty place is the lowest of its column
        is_lowest = index + 3 >= len(cuts)
        plot.tick_params(labelbottom=is_lowest)
        if is_lowest:
            plot.set_xlabel(with_unit(cut.free[0], units), fontsize=FONT)
    for plot in grid[:, 0]:
        plot.set_ylabel(with_unit(unknown, units), fontsize=FONT)
    _legend_above(figure, shown)
    return figure


def _slices(archive: RunArchive, unknown: str) -> list[Cut]:
    """Choose the lines along the first space axis: up to six places of the time or second axis."""
    problem = archive.problem
    along = problem.space_axes[0]
    swept = "t" if problem.has_time else problem.space_axes[1]
    elsewhere = tuple(i for i, axis in enumerate(problem.axes) if axis != swept)
    inside = np.flatnonzero(np.isfinite(archive.solution[unknown]).any(axis=elsewhere))
    observed = points_of(archive, unknown).get(swept)
    if swept == "t":
        places = stations(archive.solution[swept][inside], observed, 6)
    else:  # an edge tells what is known there
        places = stations(archive.solution[swept][inside], observed, 8)[1:-1]
    others = {a: held_at(archive, unknown, a) for a in problem.axes if a not in (along, swept)}
    return [Cut((along,), {**others, swept: index}) for index in inside[places].tolist()]


def error(archive: RunArchive, unknown: str) -> Figure | None:
    """Draw |u − truth| over the domain and its relative L2 over time; None without a truth.

    The error at a time is ‖u − truth‖(t) over the root mean square of the truth in the whole
    domain, so that the mean square of the curve is the square of the relative L2 of the run and
    the curve compares with the whole-domain errors of the classical method and the limit.
    """
    truth = archive.truth(unknown)
    if truth is None or not np.isfinite(truth).any():
        return None
    difference = np.abs(archive.solution[unknown] - truth)
    draw = {1: _error_line, 2: _error_plane}.get(len(archive.problem.axes), _error_planes)
    return draw(archive, unknown, difference)


def _error_name(unknown: str) -> str:
    return rf"|{mathtext(unknown)} − truth|"


def _error_line(archive: RunArchive, unknown: str, difference: Array) -> Figure:
    (axis,), std = archive.problem.axes, archive.std(unknown)
    x, name = archive.solution[axis], _error_name(unknown)
    figure = new_figure(2.6)
    plot = figure.subplots()
    plot.plot(x, difference, color=ESTIMATE, lw=1.4, label=name)
    if std is not None:
        bound = QUANTILE_95 * std
        plot.fill_between(x, bound, color=ESTIMATE, alpha=0.15, lw=0, label="95 % bound")
    plot.set_ylim(bottom=0)
    label(plot, with_unit(axis, archive.problem.units), name)
    scale(plot, archive.problem.domain[axis])
    open_frame(plot)
    legend(plot)
    return figure


def _error_plane(archive: RunArchive, unknown: str, difference: Array) -> Figure:
    """Draw the error over two axes, and beside it what tells more: over time, or by its std."""
    std = archive.std(unknown)
    figure = new_figure(3.0)
    left, right = figure.subplots(1, 2)
    image = Image(_error_name(unknown), difference, is_size=True)
    draw_row(figure, [left], archive, plane_rows(archive)[-1], image)
    if archive.problem.has_time:
        _error_over_time(right, archive, unknown)
    elif std is not None:
        _error_histogram(right, archive, unknown, difference, std)
    else:
        right.set_visible(False)
    return figure


def _error_planes(archive: RunArchive, unknown: str, difference: Array) -> Figure:
    cuts = plane_rows(archive)[-1]
    image = Image(_error_name(unknown), difference, is_size=True)
    if not archive.problem.has_time:
        figure = new_figure(2.4)
        plots = np.atleast_1d(figure.subplots(1, len(cuts)))
        draw_row(figure, plots, archive, cuts, image)
        return figure
    # as high as its panels are drawn, so that the colour bar is not higher
    height = panel_height(archive, cuts[0], 5.4 / len(cuts))
    figure = new_figure(height + 3.2)
    layout = figure.add_gridspec(2, len(cuts), height_ratios=(height, 2.1))
    plots = np.array([figure.add_subplot(layout[0, i]) for i in range(len(cuts))])
    draw_row(figure, plots, archive, cuts, image)
    _error_over_time(figure.add_subplot(layout[1, :]), archive, unknown)
    return figure


def _error_over_time(plot: Axes, archive: RunArchive, unknown: str) -> None:
    truth = archive.solution[f"{unknown}_truth"]
    std = archive.std(unknown)
    t, time = archive.solution["t"], archive.problem.axes.index("t")
    space = tuple(i for i in range(truth.ndim) if i != time)
    scale = float(np.sqrt(np.nanmean(truth**2))) or 1.0

    def over_time(values: Array) -> Array:
        at = np.sqrt(np.nanmean(values**2, axis=space)) / scale
        return np.asarray(at, dtype=np.float64)

    plot.plot(
        t, over_time(archive.solution[unknown] - truth), color=ESTIMATE, lw=1.6, label="this run"
    )
    if std is not None:
        plot.plot(
            t, over_time(std), color=ESTIMATE, lw=1.1, ls=":", label="what its intervals expect"
        )
    for source, name, colour in (
        ("fields", "this run, whole domain", ESTIMATE),
        ("classical", "classical, whole domain", CLASSICAL),
        ("limit", "statistical limit, whole domain", LIMIT),
    ):
        value = archive.number(source, unknown, "relative_l2")
        if value is not None:
            plot.axhline(
                value, color=colour, lw=1.1, ls=(0, (5, 2)), label=f"{name} {percent(value)}"
            )
    plot.set_ylim(0, 1.45 * plot.get_ylim()[1])  # room for the legend
    label(plot, with_unit("t", archive.problem.units), "relative L2 error")
    open_frame(plot)
    legend(plot, loc="upper right", handlelength=1.8, labelspacing=0.3)


def _error_histogram(
    plot: Axes, archive: RunArchive, unknown: str, difference: Array, std: Array
) -> None:
    ratio = difference[std > 0] / std[std > 0]
    shown = np.minimum(ratio[np.isfinite(ratio)], 4.0)
    plot.hist(shown, bins=24, range=(0, 4), density=True, color=ESTIMATE, alpha=0.55)
    inside = float(np.mean(shown <= QUANTILE_95)) if shown.size else 0.0
    plot.axvline(QUANTILE_95, color=INK, lw=1, ls="--")
    what = f"|{mathtext(unknown)} − truth| / standard deviation"
    label(plot, what, "density on the grid", f"{percent(inside)} inside the 95 % interval")
    open_frame(plot)


def _line(archive: RunArchive, unknown: str) -> Figure:
    axis = archive.problem.axes[0]
    figure = new_figure(3.2)
    plot = figure.subplots()
    _draw_line(plot, archive, unknown, Cut((axis,), {}), points_of(archive, unknown))
    units = archive.problem.units
    label(plot, with_unit(axis, units), with_unit(unknown, units))
    scale(plot, archive.problem.domain[axis])
    open_frame(plot)
    legend(plot)
    return figure


def _draw_line(
    plot: Axes, archive: RunArchive, unknown: str, cut: Cut, points: dict[str, Array]
) -> None:
    axes = archive.problem.axes
    x, u = archive.solution[cut.free[0]], cut.of(archive.solution[unknown], axes)
    if points:
        style: dict[str, Any] = {
            "ls": "none",
            "marker": "o",
            "ms": 2.6,
            "mew": 0,
            "color": DATA,
            "zorder": 1.5,
        }
        alpha = 0.45 if points["value"].size > 60 else 0.8
        along = points[cut.free[0]]
        plot.plot(along, points["value"], alpha=alpha, label="observations", **style)
    std = archive.std(unknown)
    if std is not None:
        half = QUANTILE_95 * cut.of(std, axes)
        plot.fill_between(
            x, u - half, u + half, color=ESTIMATE, alpha=0.22, lw=0, label="95 % interval", zorder=2
        )
    plot.plot(x, u, color=ESTIMATE, lw=1.6, label="estimate", zorder=3)
    truth = archive.truth(unknown)
    if truth is not None:
        y = cut.of(truth, axes)
        plot.plot(x, y, color=TRUTH, lw=1.1, ls=(0, (4, 2)), label="truth", zorder=4)
    plot.margins(x=0.02)


def _legend_above(figure: Figure, plots: Any) -> None:
    found: dict[str, Any] = {}
    for plot in plots:
        for handle, name in zip(*plot.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside upper center",
        ncols=len(found),
        fontsize=FONT - 1,
        frameon=False,
    )
