"""Figures of the course of a run: loss, risk, gate and coefficients over iterations.

Part of the report. Every column of ``history.csv`` may be absent; a panel appears where its column
holds a number, a figure where it has a panel. Where networks raced, each has its own count of
iterations: the winner is drawn in full, the others in grey beneath it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.candidates import Course, courses, num_members, winner_of
from pinngate.report.notation import mathtext, percent, significant, with_uncertainty
from pinngate.report.style import (
    CLASSICAL,
    ESTIMATE,
    GREY,
    INK,
    LIMIT,
    TRUTH,
    label,
    legend,
    line_style,
    log_scale,
    new_figure,
    open_frame,
    whole_iterations,
)
from pinngate.statement.components import single_coefficients

_MARKED = 40  # up to that many logged steps each is marked
_OTHERS = "#BDBDBD"
Array = NDArray[np.float64]
Panel = Callable[[Axes, RunArchive], None]


def training(archive: RunArchive) -> Figure | None:
    """Draw the loss by term, the risk of each network in a race, and the relative L2 error.

    None where fewer than two iterations were logged.
    """
    found = courses(archive)
    best = found[-1]
    if sum(course.num_rows for course in found) < 2:
        return None
    panels: list[Panel] = []
    if best.series(["loss", *best.starting("loss_")], is_log=True):
        panels.append(_loss)
    if len(found) > 1 and best.series(["leave_one_out_risk"], is_log=True):
        panels.append(_race)
    if best.series(best.starting("relative_l2_"), is_log=True):
        panels.append(_relative_l2)
    of = "each network" if len(found) > 1 else ""
    return _stacked(archive, panels, of)


def risk(archive: RunArchive) -> Figure | None:
    """Draw the leave-one-out risk with noise and misfit, the effective dimension and the ridge.

    Only the course of the network that gave the answer; None where no risk was recorded.
    """
    best = winner_of(archive)
    if best.num_rows < 2 or not best.series(["leave_one_out_risk"], is_log=True):
        return None
    panels: list[Panel] = [_risk]
    if best.series(["effective_dimension"]):
        panels.append(_effective_dimension)
    if best.series(["ridge"], is_log=True):
        panels.append(_ridge)
    of = "the chosen network" if len(courses(archive)) > 1 else ""
    return _stacked(archive, panels, of)


def gate(archive: RunArchive) -> Figure | None:
    """Draw the open fraction of the gate and the learning rate; None where no gate was recorded."""
    best = winner_of(archive)
    if not best.series(best.starting("open_fraction")):
        return None
    panels: list[Panel] = [_open_fraction]
    if best.series(["learning_rate"], is_log=True):
        panels.append(_learning_rate)
    return _stacked(archive, panels)


def coefficients(archive: RunArchive) -> Figure | None:
    """Draw each estimated coefficient with its interval over iterations, answer and truth.

    None where none was logged, or one iteration alone, which is no course.
    """
    best = winner_of(archive)
    stated = [c.name for c in single_coefficients(archive.problem)]
    names = [name for name in stated if best.series([f"coefficient_{name}"])]
    if not names or best.num_rows < 2:
        return None
    num_rows = -(-len(names) // 2)
    figure = new_figure(0.3 + 2.5 * num_rows)
    num_columns = min(2, len(names))
    grid = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for plot in grid[len(names) :]:
        plot.set_visible(False)
    for plot, name in zip(grid, names, strict=False):
        _coefficient(plot, archive, name)
    return figure


def _coefficient(plot: Axes, archive: RunArchive, name: str) -> None:
    """Draw iterates, interval, truth and answer of one coefficient; the axis shows them all."""
    best = winner_of(archive)
    iteration, value = best.series([f"coefficient_{name}"])[f"coefficient_{name}"]
    plot.plot(iteration, value, color=ESTIMATE, lw=1.6, label="iterate", zorder=3)
    shown = [value, *_interval(plot, best, name)]
    truth = archive.problem.true_coefficients().get(name)
    if truth is not None:
        name_of_line = f"truth {significant(truth, 4)}"
        plot.axhline(truth, color=TRUTH, lw=1.1, ls=(0, (4, 2)), label=name_of_line, zorder=2)
        shown.append(np.array([truth]))
    title = mathtext(name)
    estimate, std = (archive.number("coefficients", name, key) for key in ("estimate", "std"))
    if estimate is not None:
        bar = None if std is None else 1.96 * std
        end = iteration[-1:]
        plot.errorbar(end, [estimate], bar, fmt="o", color=INK, ms=4, capsize=3, label="answer")
        shown.append(estimate + (bar or 0.0) * np.array([-1.0, 1.0]))
        title += f" = {with_uncertainty(estimate, std)}"
    every = np.concatenate(shown)
    low, high = np.nanmin(every), np.nanmax(every)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    plot.set_ylim(low - margin, high + margin)
    label(plot, "iteration", mathtext(name), title)
    open_frame(plot)
    whole_iterations(plot)
    legend(plot)


def _interval(plot: Axes, best: Course, name: str) -> list[Array]:
    """Draw the 95 % interval where it was logged; return its last ends."""
    std_column = f"coefficient_{name}_std"
    if not best.series([std_column]):
        return []
    order, path = best.columns["iteration"], best.columns[f"coefficient_{name}"]
    half = 1.96 * best.columns[std_column]
    plot.fill_between(
        order, path - half, path + half, color=ESTIMATE, alpha=0.2, lw=0, label="95 % interval"
    )
    # Early intervals can be hundreds of times the last; the axis follows the estimate.
    last = np.flatnonzero(np.isfinite(half))[-1]
    return [path[last] + half[last] * np.array([-1.5, 1.5])]


def _loss(plot: Axes, archive: RunArchive) -> None:
    *others, best = courses(archive)
    _beneath(plot, others, "loss", "total, other networks")
    terms = best.series(best.starting("loss_"), is_log=True)
    for index, (name, (x, y)) in enumerate(terms.items()):
        term = name.removeprefix("loss_").replace("_", " ")
        plot.plot(x, y, lw=1.3, label=term, **line_style(index), **_marks(x))
    for x, y in best.series(["loss"], is_log=True).values():
        plot.plot(x, y, color=INK, lw=1.8, label="total", **_marks(x), zorder=1.9)
    log_scale(plot)
    label(plot, "iteration", "loss")


def _race(plot: Axes, archive: RunArchive) -> None:
    *others, best = courses(archive)
    _beneath(plot, others, "leave_one_out_risk", "other networks")
    for x, y in best.series(["leave_one_out_risk"], is_log=True).values():
        role = "largest share" if num_members(archive) > 1 else "chosen"
        name = f"{role}: {best.name}" if best.name else "chosen network"
        plot.plot(x, y, color=ESTIMATE, lw=1.8, label=name, **_marks(x))
    log_scale(plot)
    label(plot, "iteration", "leave-one-out risk")


def _relative_l2(plot: Axes, archive: RunArchive) -> None:
    *others, best = courses(archive)
    found = best.series(best.starting("relative_l2_"), is_log=True)
    for index, (name, (x, y)) in enumerate(found.items()):
        unknown = name.removeprefix("relative_l2_")
        _beneath(plot, others, name, "" if index else "other networks")
        style = {"color": ESTIMATE} if len(found) == 1 else line_style(index)
        role = "this run" if num_members(archive) == 1 else "largest share"
        plot.plot(x, y, lw=1.6, label=f"{role}, {mathtext(unknown)}", **style, **_marks(x))
        _final_errors(plot, archive, unknown, style["color"])
    log_scale(plot)
    label(plot, "iteration", "relative L2 error")


def _final_errors(plot: Axes, archive: RunArchive, unknown: str, colour: Any) -> None:
    """Draw the error of a mean of networks, of the classical method and at best as levels."""
    count = num_members(archive)
    mean = {"color": colour, "lw": 1.4, "ls": ":"}
    dashed = {"lw": 1.2, "ls": (0, (5, 2))}
    for source, words, style in (
        ("fields", f"mean of {count} networks", mean),
        ("classical", "classical", {"color": CLASSICAL, **dashed}),
        ("limit", "statistical limit", {"color": LIMIT, **dashed}),
    ):
        value = archive.number(source, unknown, "relative_l2")
        if value and (source != "fields" or count > 1):
            name = f"{words}, {mathtext(unknown)}: {percent(value)}"
            plot.axhline(value, label=name, **style)


def _beneath(plot: Axes, others: list[Course], column: str, name: str) -> None:
    """Draw a column of the networks that were not chosen."""
    for course in others:
        for x, y in course.series([column], is_log=True).values():
            plot.plot(x, y, color=_OTHERS, lw=0.9, label=name, zorder=1.5)
            name = ""


def _risk(plot: Axes, archive: RunArchive) -> None:
    best = winner_of(archive)
    ((x, y),) = best.series(["leave_one_out_risk"], is_log=True).values()
    plot.plot(x, y, color=ESTIMATE, lw=1.8, label="leave-one-out risk", **_marks(x), zorder=3)
    noise = best.starting("noise_std_")
    if len(noise) == 1:  # the risk of several sets has no single noise to approach
        for x, y in best.series(noise, is_log=True).values():
            plot.plot(x, y**2, color=CLASSICAL, lw=1.3, ls="--", label="noise variance")
    x, y = _data_misfit(best)
    plot.plot(x, y, color=GREY, lw=1.3, ls=":", label="training misfit")
    final = archive.number("risk", "leave_one_out")
    if final is not None:
        name = f"risk of the answer {significant(final)}"
        plot.axhline(final, color=INK, lw=0.8, label=name, zorder=1.6)
    _shade_ramp(plot, best)
    log_scale(plot)
    label(plot, "iteration", "squared data units")


def _data_misfit(best: Course) -> tuple[Array, Array]:
    """Return the mean squared residual of all data, in squared data units; empty where unknown."""
    sets = best.starting("training_risk") or best.starting("loss_observation")
    drawn = list(best.series(sets, is_log=True).values())
    return drawn[0] if len(drawn) == 1 else (np.empty(0), np.empty(0))


def _effective_dimension(plot: Axes, archive: RunArchive) -> None:
    best = winner_of(archive)
    for x, y in best.series(["effective_dimension"]).values():
        plot.plot(x, y, color=ESTIMATE, lw=1.6, **_marks(x))
        plot.set_ylim(0, 1.08 * y.max() or 1.0)
    _shade_ramp(plot, best)
    label(plot, "iteration", "effective dimension")


def _ridge(plot: Axes, archive: RunArchive) -> None:
    best = winner_of(archive)
    for x, y in best.series(["ridge"], is_log=True).values():
        plot.plot(x, y, color=ESTIMATE, lw=1.6, **_marks(x))
    _shade_ramp(plot, best)
    log_scale(plot)
    label(plot, "iteration", "ridge α")


def _shade_ramp(plot: Axes, best: Course) -> None:
    """Shade the iterations at which the physics had less than its full weight."""
    for x, weight in best.series(["physics_weight"]).values():
        is_rising = weight < 0.999 * weight.max()
        if is_rising.any():
            name = "ramp of the physics"
            plot.axvspan(0, x[is_rising][-1], color="#F0F0F0", lw=0, zorder=0.5, label=name)


def _open_fraction(plot: Axes, archive: RunArchive) -> None:
    best = winner_of(archive)
    found = best.series(best.starting("open_fraction"))
    for index, (name, (x, y)) in enumerate(found.items()):
        part = name.removeprefix("open_fraction").strip("_").replace("_", " ")
        plot.plot(x, y, lw=1.4, label=part or "all weights", **line_style(index), **_marks(x))
    plot.set_ylim(-0.03, 1.03)
    plot.yaxis.set_major_formatter(PercentFormatter(1.0))
    label(plot, "iteration", "open fraction of the gate")


def _learning_rate(plot: Axes, archive: RunArchive) -> None:
    for x, y in winner_of(archive).series(["learning_rate"], is_log=True).values():
        plot.plot(x, y, color=ESTIMATE, lw=1.6, **_marks(x))
    plot.set_ylim(bottom=0)
    label(plot, "iteration", "learning rate")


def _stacked(archive: RunArchive, panels: list[Panel], of: str = "") -> Figure | None:
    """Draw panels under each other, the first the highest; `of`: whose iterations they share."""
    if not panels:
        return None
    heights = [2.1] + [1.7] * (len(panels) - 1)
    figure = new_figure(0.3 + sum(heights))
    plots = figure.subplots(
        len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    for plot, draw in zip(plots, panels, strict=True):
        draw(plot, archive)
        open_frame(plot)
        # A legend beside the curves never hides them, however they run; one curve is named by
        # its axis.
        if len(plot.get_legend_handles_labels()[1]) > 1:
            legend(plot, loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=1.8)
        if plot is not plots[-1]:
            plot.set_xlabel("")
    if of:
        plots[-1].set_xlabel(f"iteration of {of}")
    plots[-1].set_xlim(left=0)
    whole_iterations(plots[-1])
    return figure


def _marks(x: Array) -> dict[str, Any]:
    return {"marker": "o", "ms": 2.8} if x.size <= _MARKED else {}
