"""A field in time as a film: one set of axes, and artists that are seen one time after another.

Part of the report. Every artist of a time has the gid ``frame-k``; `vector_graphics` makes a class
of it, and style alone moves the picture: no script, and nothing moves for those who do not want it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pinngate.report.archive import RunArchive
from pinngate.report.cuts import (
    Array,
    Cut,
    film_times,
    held_at,
    panel_height,
    plane_rows,
    points_of,
    title_of,
)
from pinngate.report.images import Image, axis_names, cells, is_even
from pinngate.report.notation import QUANTILE_95, mathtext, significant, with_unit
from pinngate.report.outline import cover_outside, filled
from pinngate.report.style import (
    DATA,
    ESTIMATE,
    FONT,
    GREY,
    INK,
    TRUTH,
    label,
    new_figure,
    open_frame,
    scale,
)
from pinngate.report.vector_graphics import BEGIN, END

ORDER = 2.2  # of all frames: above the grid, below outlines and frames of plots
STEP = 0.01
MOST_DOTS = 400  # observations in all of them


def film(archive: RunArchive, unknown: str) -> Figure | None:
    """Draw a field over space at up to `FRAMES` times, each an own set of artists.

    Over one space axis the estimate with its 95 % band, the truth and the observations nearest to
    the time; over more the plane through the middle. None for a field without time or space, and
    for planes with a logarithmic axis, which no image shows.
    """
    problem = archive.problem
    if not (problem.has_time and problem.space_axes and unknown in problem.unknowns):
        return None
    times = film_times(archive)
    if len(problem.space_axes) == 1:
        return _lines(archive, unknown, times)
    return _planes(archive, unknown, times)


def _lines(archive: RunArchive, unknown: str, times: list[int]) -> Figure:
    (along,), units = archive.problem.space_axes, archive.problem.units
    figure = new_figure(3.2)
    plot = figure.subplots()
    points = _nearest(archive, unknown, times)
    for frame, index in enumerate(times):
        own = {name: values[points["frame"] == frame] for name, values in points.items()}
        for artist in _moment(plot, archive, unknown, Cut((along,), {"t": index}), own):
            _enter(artist, frame)
    _clock(plot, archive, times)
    plot.set_ylim(*_ends(archive, unknown, points.get("value", np.zeros(0))))
    plot.margins(x=0.02)
    label(plot, with_unit(along, units), with_unit(unknown, units))
    scale(plot, archive.problem.domain[along])
    open_frame(plot)
    _name_lines(plot)
    return figure


def _moment(
    plot: Axes, archive: RunArchive, unknown: str, cut: Cut, points: dict[str, Array]
) -> list[Any]:
    """Draw a field over one axis at a time; return what was drawn, from below upwards."""
    axes, (along,) = archive.problem.axes, cut.free
    x, u = archive.solution[along], cut.of(archive.solution[unknown], axes)
    drawn: list[Any] = []
    if points and points["value"].size:
        look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 2.8, "mew": 0, "color": DATA}
        drawn += plot.plot(points[along], points["value"], **look)
    std, truth = archive.std(unknown), archive.truth(unknown)
    if std is not None:
        half = QUANTILE_95 * cut.of(std, axes)
        drawn.append(plot.fill_between(x, u - half, u + half, color=ESTIMATE, alpha=0.22, lw=0))
    drawn += plot.plot(x, u, color=ESTIMATE, lw=1.8)
    if truth is not None:
        drawn += plot.plot(x, cut.of(truth, axes), color=TRUTH, lw=1.1, ls=(0, (4, 2)))
    return drawn


def _nearest(archive: RunArchive, unknown: str, times: list[int]) -> dict[str, Array]:
    """Return the observations, and the ``frame`` whose time is nearest to each; some of many."""
    points = points_of(archive, unknown)
    if not points:
        return {"frame": np.zeros(0), "value": np.zeros(0)}
    every = -(-points["value"].size // MOST_DOTS)
    kept = {name: values[::every] for name, values in points.items()}
    t = archive.solution["t"][times]
    return kept | {"frame": np.abs(kept["t"][:, None] - t).argmin(axis=1)}


def _ends(archive: RunArchive, unknown: str, values: Array) -> tuple[float, float]:
    """Return the ends of a vertical axis that holds the field at every time, and the data."""
    std = archive.std(unknown)
    half = 0.0 if std is None else QUANTILE_95 * std
    u = archive.solution[unknown]
    shown = np.concatenate([np.ravel(u - half), np.ravel(u + half), values])
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _name_lines(plot: Axes) -> None:
    """Name each kind of line once, whatever time it is of."""
    kinds: dict[str, dict[str, Any]] = {"estimate": {"color": ESTIMATE, "lw": 1.8}}
    looks = [line.get_linestyle() for line in plot.lines]
    if "--" in looks:
        kinds["truth"] = {"color": TRUTH, "lw": 1.1, "ls": (0, (4, 2))}
    if "None" in looks:
        kinds["observations nearest to the time"] = {
            "color": DATA, "ls": "none", "marker": "o", "ms": 2.8, "mew": 0,
        }  # fmt: skip
    for name, look in kinds.items():
        plot.plot([], [], label=name, **look)
    plot.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=FONT - 1, frameon=False
    )


def _planes(archive: RunArchive, unknown: str, times: list[int]) -> Figure | None:
    problem, base = archive.problem, plane_rows(archive)[0][0]
    across, up = base.free
    x, y = archive.solution[across], archive.solution[up]
    if not (is_even(x) and is_even(y)):
        return None
    others = {a: held_at(archive, unknown, a) for a in problem.axes if a not in (across, up, "t")}
    height = panel_height(archive, base, 4.2)
    figure = new_figure(height + 0.6, is_tight=True)
    plot = figure.subplots()
    cmap, limits = Image(unknown, archive.solution[unknown]).colours([])
    geometry = problem.geometry if len(problem.space_axes) == 2 else None
    for frame, index in enumerate(times):
        plane = Cut((across, up), {**others, "t": index}).of(
            archive.solution[unknown], problem.axes
        )
        picture = plot.imshow(
            (plane if geometry is None else filled(plane)).T, cmap=cmap, norm=limits,
            extent=cells(x, y), origin="lower", aspect="auto", interpolation="none",
        )  # fmt: skip
        _enter(picture, frame)
    if geometry is not None:
        cover_outside(plot, geometry, x, y)
        for cover in plot.collections:
            cover.set_zorder(ORDER + 2 * STEP)
    _clock(plot, archive, times, title_of(archive, others))
    axis_names(plot, archive, Cut(base.free, {}))
    plot.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    bar = figure.colorbar(picture, ax=plot, pad=0.02, aspect=22)
    bar.set_label(with_unit(unknown, problem.units), fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT - 1, color=GREY)
    bar.outline.set_visible(False)
    return figure


def _clock(plot: Axes, archive: RunArchive, times: list[int], place: str = "") -> None:
    """Write the time of every frame above the plot, and where a plane lies."""
    unit = archive.problem.units.get("t", "")
    for frame, t in enumerate(archive.solution["t"][times].tolist()):
        told = f"{mathtext('t')} = {significant(t)} {unit}".rstrip()
        told += f", {place}" if place else ""
        written = plot.text(0.0, 1.02, told, transform=plot.transAxes, fontsize=FONT, color=INK)
        _enter(written, frame)
    for gid, order in ((BEGIN, ORDER - STEP), (END, ORDER + STEP)):
        plot.plot([], [], zorder=order)[0].set_gid(gid)


def _enter(artist: Artist, frame: int) -> None:
    """Make an artist part of a frame; those that enter later lie above."""
    artist.set_gid(f"frame-{frame}")
    artist.set_zorder(ORDER)
