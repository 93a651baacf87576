"""Figures of fields: the solution as images, slices through it, the error against the truth.

Part of the report; a figure is made from a `RunArchive` alone. Fields of up to three space axes
and time are cut to planes (images) or lines (slices).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pinngate.report.archive import RunArchive
from pinngate.report.cuts import (
    Array,
    Cut,
    aspect,
    panel_height,
    plane_rows,
    points_near_line,
    points_of,
    points_on_plane,
    stations,
    strongest,
    title_of,
)
from pinngate.report.notation import mathtext, percent, with_unit
from pinngate.report.outline import cover_outside, filled
from pinngate.report.style import (
    CLASSICAL,
    DATA,
    ESTIMATE,
    FONT,
    GREY,
    INK,
    LIMIT,
    TRUTH,
    field_colours,
    label,
    legend,
    new_figure,
    open_frame,
)

QUANTILE_95 = 1.96  # half-width of a 95 % interval in standard deviations


def solution(archive: RunArchive, unknown: str) -> Figure:
    """Draw a field with its observations, and its standard deviation where there is one.

    A field of one axis is a line with its 95 % band. One space axis and time is an image over
    (t, x); two space axes are an image for each of several times; three are their mid-planes.
    """
    if len(archive.problem.axes) == 1:
        return _line(archive, unknown)
    u, std = archive.solution[unknown], archive.std(unknown)
    rows = plane_rows(archive)
    if len(archive.problem.axes) == 2:
        num_columns = 1 if std is None else 2
        height = panel_height(archive, rows[0][0], 5.0 if std is None else 2.3)
        figure = new_figure(height + 0.6, is_tight=not archive.problem.has_time)
        axes = np.atleast_1d(figure.subplots(1, num_columns))
        _images(figure, axes[:1], archive, unknown, rows[0], u, f"{mathtext(unknown)}, estimate")
        if std is not None:
            title = f"standard deviation of {mathtext(unknown)}"
            _images(figure, axes[1:], archive, None, rows[0], std, title, is_size=True)
        return figure
    num_rows = len(rows) + (std is not None)
    # mid-planes have different axes, so each panel needs room for labels of its own
    room = 5.4 if len(archive.problem.space_axes) == 2 else 4.4
    height = panel_height(archive, rows[0][0], room / len(rows[0]))
    figure = new_figure(num_rows * (height + 0.6), is_tight=True)
    grid = figure.subplots(num_rows, len(rows[0]), squeeze=False)
    for axes, cuts in zip(grid, rows, strict=False):
        _images(figure, axes, archive, unknown, cuts, u, mathtext(unknown))
    if std is not None:
        title = f"standard deviation of {mathtext(unknown)}"
        _images(figure, grid[-1], archive, None, rows[-1], std, title, is_size=True)
    return figure


def slices(archive: RunArchive, unknown: str) -> Figure | None:
    """Draw the field along its first space axis at several times (or places of a second axis).

    Each panel has the estimate with its 95 % band, the truth where known and the observations
    within 1 % of the panel's time. Further axes are held where the field is largest in the mean
    square. None for a field of one axis.
    """
    axes = archive.problem.axes
    if len(axes) == 1:
        return None
    along = archive.problem.space_axes[0]
    swept = "t" if archive.problem.has_time else archive.problem.space_axes[1]
    points = points_of(archive, unknown)
    elsewhere = tuple(i for i, axis in enumerate(axes) if axis != swept)
    inside = np.flatnonzero(np.isfinite(archive.solution[unknown]).any(axis=elsewhere))
    places = stations(archive.solution[swept][inside], points.get(swept), 6)
    chosen = inside[places].tolist()
    others = {a: strongest(archive, unknown, a) for a in axes if a not in (along, swept)}
    num_rows = -(-len(chosen) // 3)
    figure = new_figure(0.5 + 2.0 * num_rows)
    grid = figure.subplots(num_rows, 3, sharex=True, sharey=True, squeeze=False)
    for plot in grid.ravel()[len(chosen) :]:
        plot.set_visible(False)
    for plot, index in zip(grid.ravel(), chosen, strict=False):
        cut = Cut((along,), {**others, swept: index})
        near = points_near_line(archive, points, cut, window=0.01)
        _draw_line(plot, archive, unknown, cut, near)
        label(plot, "", "", title_of(archive, cut.fixed))
        open_frame(plot)
        plot.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        # the panel above an empty place is the lowest of its column
        is_lowest = plot in grid[-1] or len(chosen) - chosen.index(index) <= 3
        plot.tick_params(labelbottom=is_lowest)
        if is_lowest:
            plot.set_xlabel(with_unit(along, archive.problem.units), fontsize=FONT)
    for plot in grid[:, 0]:
        plot.set_ylabel(with_unit(unknown, archive.problem.units), fontsize=FONT)
    _legend_above(figure, grid.ravel()[: len(chosen)])
    return figure


def error(archive: RunArchive, unknown: str) -> Figure | None:
    """Draw |u − truth| over the domain and its relative L2 over time; None without a truth.

    The error at a time is ‖u − truth‖(t) over the root mean square of the truth in the whole
    domain, so that the mean square of the curve is the square of the relative L2 of the run and
    the curve compares with the whole-domain errors of the classical method and the limit.
    """
    truth, std = archive.truth(unknown), archive.std(unknown)
    if truth is None or not np.isfinite(truth).any():
        return None
    difference = np.abs(archive.solution[unknown] - truth)
    size = rf"|{mathtext(unknown)} − truth|"
    problem = archive.problem
    if len(problem.axes) == 1:
        axis = problem.axes[0]
        figure = new_figure(2.6)
        plot = figure.subplots()
        plot.plot(archive.solution[axis], difference, color=ESTIMATE, lw=1.4, label=size)
        if std is not None:
            bound = QUANTILE_95 * std
            plot.fill_between(
                archive.solution[axis], bound, color=ESTIMATE, alpha=0.15, lw=0, label="95 % bound"
            )
        plot.set_ylim(bottom=0)
        label(plot, with_unit(axis, archive.problem.units), size)
        open_frame(plot)
        legend(plot)
        return figure
    cuts = plane_rows(archive)[-1]
    if len(problem.axes) == 2:
        figure = new_figure(3.0)
        left, right = figure.subplots(1, 2)
        _images(figure, [left], archive, None, cuts, difference, size, is_size=True)
        if problem.has_time:
            _error_over_time(right, archive, unknown)
        elif std is not None:
            _error_histogram(right, archive, unknown, difference, std)
        else:
            right.set_visible(False)
        return figure
    if not problem.has_time:
        figure = new_figure(2.4)
        plots = np.atleast_1d(figure.subplots(1, len(cuts)))
        _images(figure, plots, archive, None, cuts, difference, size, is_size=True)
        return figure
    # as high as its panels are drawn, so that the colour bar is not higher
    height = panel_height(archive, cuts[0], 5.4 / len(cuts))
    figure = new_figure(height + 3.2)
    layout = figure.add_gridspec(2, len(cuts), height_ratios=(height, 2.1))
    plots = np.array([figure.add_subplot(layout[0, i]) for i in range(len(cuts))])
    _images(figure, plots, archive, None, cuts, difference, size, is_size=True)
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
    open_frame(plot)
    legend(plot)
    return figure


def _draw_line(
    plot: Axes, archive: RunArchive, unknown: str, cut: Cut, points: dict[str, Array]
) -> None:
    axes = archive.problem.axes
    x, u = archive.solution[cut.free[0]], cut.of(archive.solution[unknown], axes)
    if points:
        plot.plot(
            points[cut.free[0]],
            points["value"],
            ls="none",
            marker="o",
            ms=2.6,
            mew=0,
            color=DATA,
            alpha=0.45 if points["value"].size > 60 else 0.8,
            label="observations",
            zorder=1.5,
        )
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


def _images(
    figure: Figure,
    plots: Any,
    archive: RunArchive,
    unknown: str | None,
    cuts: list[Cut],
    values: Array,
    name: str,
    is_size: bool = False,
) -> None:
    """Draw one row of planes with one colour bar.

    `unknown` names the observations to draw; sizes (errors, standard deviations) count from zero.
    """
    if is_size:
        cmap, limits = _from_zero([cut.of(values, archive.problem.axes) for cut in cuts])
    else:
        cmap, limits = field_colours(values)
    points = points_of(archive, unknown) if unknown else {}
    is_plane = len(archive.problem.space_axes) == 2
    geometry = archive.problem.geometry if is_plane else None
    mesh = None
    for index, (plot, cut) in enumerate(zip(plots, cuts, strict=True)):
        horizontal, vertical = cut.free
        z = cut.of(values, archive.problem.axes).T
        x, y = archive.solution[horizontal], archive.solution[vertical]
        if geometry is not None:
            z = filled(z)
        shading: Any = "gouraud" if np.isfinite(z).all() else "nearest"
        mesh = plot.pcolormesh(x, y, z, cmap=cmap, norm=limits, shading=shading, rasterized=True)
        if geometry is not None:
            cover_outside(plot, geometry, x, y)
        plot.set_xlim(x[0], x[-1])
        plot.set_ylim(y[0], y[-1])
        near = points_on_plane(archive, points, cut, cuts)
        if near:
            is_few = near["value"].size <= 400
            plot.scatter(
                near[horizontal],
                near[vertical],
                c=near["value"] if is_few else INK,
                cmap=cmap if is_few else None,
                norm=limits if is_few else None,
                s=11 if is_few else 2,
                edgecolors=INK if is_few else "none",
                linewidths=0.4,
                clip_on=False,
                zorder=4,
            )
        is_left = index == 0 or cuts[index - 1].free != cut.free
        units = archive.problem.units
        vertical_label = with_unit(vertical, units) if is_left else ""
        label(plot, with_unit(horizontal, units), vertical_label, cut.title)
        if not is_left:
            plot.tick_params(labelleft=False)
        if aspect(archive, cut):
            plot.set_aspect("equal")
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=list(plots), pad=0.02, aspect=22)
        bar.set_label(name, fontsize=FONT)
        bar.ax.tick_params(labelsize=FONT - 1, color=GREY)
        bar.outline.set_visible(False)


def _from_zero(planes: list[Array]) -> tuple[str, Normalize]:
    finite = np.concatenate([plane[np.isfinite(plane)] for plane in planes])
    top = float(finite.max()) if finite.size else 0.0
    return "cividis", Normalize(0.0, top or 1.0)


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
