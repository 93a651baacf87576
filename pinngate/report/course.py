"""Figures of the course of a run: loss and risk, the gate, the coefficients over iterations.

Part of the report. Every column of ``history.csv`` but ``iteration`` may be absent; a panel
appears where its column holds a number, a figure where it has a panel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
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
    new_figure,
    open_frame,
    whole_iterations,
)

_STEP_CONTROL = {
    "learning_rate": "learning rate",
    "ridge": "ridge α",
    "damping": "trust region μ",
    "physics_weight": "weight of the physics",
}
_MARKED = 40  # up to that many logged steps each is marked
Array = NDArray[np.float64]
Panel = Callable[[Axes, RunArchive], None]


def training(archive: RunArchive) -> Figure | None:
    """Draw the loss by term, the leave-one-out risk and the relative L2 error over iterations."""
    panels: list[Panel] = []
    if _series(archive, ["loss", *_starting(archive, "loss_")]):
        panels.append(_loss)
    if _series(archive, ["leave_one_out_risk"]):
        panels.append(_risk)
    if _series(archive, _starting(archive, "relative_l2_")):
        panels.append(_relative_l2)
    return _stacked(archive, panels)


def gate(archive: RunArchive) -> Figure | None:
    """Draw the open fraction of the gate, the effective dimension and the step control."""
    panels: list[Panel] = []
    if _series(archive, _starting(archive, "open_fraction")):
        panels.append(_open_fraction)
    if _series(archive, ["effective_dimension"]):
        panels.append(_effective_dimension)
    if _series(archive, list(_STEP_CONTROL)):
        panels.append(_step_control)
    return _stacked(archive, panels)


def coefficients(archive: RunArchive) -> Figure | None:
    """Draw each estimated coefficient with its 95 % interval over iterations, and its truth."""
    names = [
        c.name for c in archive.problem.coefficients if _series(archive, [f"coefficient_{c.name}"])
    ]
    if not names:
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
    iteration, value = _series(archive, [f"coefficient_{name}"])[f"coefficient_{name}"]
    plot.plot(iteration, value, color=ESTIMATE, lw=1.6, label="estimate", zorder=3)
    shown = [value]
    std_column = f"coefficient_{name}_std"
    if _series(archive, [std_column]):
        order = _iterations(archive)
        path = archive.history[f"coefficient_{name}"]
        half = 1.96 * archive.history[std_column]
        plot.fill_between(
            order, path - half, path + half, color=ESTIMATE, alpha=0.2, lw=0, label="95 % interval"
        )
        # Early intervals can be hundreds of times the last; the axis follows the estimate.
        last = np.flatnonzero(np.isfinite(half))[-1]
        shown.append(path[last] + half[last] * np.array([-1.5, 1.5]))
    truth = archive.problem.true_coefficients().get(name)
    if truth is not None:
        name_of_line = f"truth {significant(truth, 4)}"
        plot.axhline(truth, color=TRUTH, lw=1.1, ls=(0, (4, 2)), label=name_of_line, zorder=2)
        shown.append(np.array([truth]))
    every = np.concatenate(shown)
    low, high = np.nanmin(every), np.nanmax(every)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    plot.set_ylim(low - margin, high + margin)
    estimate, std = (archive.number("coefficients", name, key) for key in ("estimate", "std"))
    final = f" = {with_uncertainty(estimate, std)}" if estimate is not None else ""
    label(plot, "iteration", mathtext(name), f"{mathtext(name)}{final}")
    open_frame(plot)
    whole_iterations(plot)
    legend(plot)


def _loss(plot: Axes, archive: RunArchive) -> None:
    terms = _series(archive, _starting(archive, "loss_"), is_log=True)
    for index, (name, (x, y)) in enumerate(terms.items()):
        term = name.removeprefix("loss_").replace("_", " ")
        plot.plot(x, y, lw=1.3, label=term, **line_style(index), **_marks(x))
    for x, y in _series(archive, ["loss"], is_log=True).values():
        plot.plot(x, y, color=INK, lw=1.8, label="total", zorder=1.9)
    plot.set_yscale("log")
    label(plot, "iteration", "loss")


def _risk(plot: Axes, archive: RunArchive) -> None:
    for x, y in _series(archive, ["leave_one_out_risk"], is_log=True).values():
        plot.plot(x, y, color=ESTIMATE, lw=1.6, label="leave-one-out risk", **_marks(x))
    noise = _starting(archive, "noise_std_")
    if len(noise) == 1:  # the risk of several fields has no single noise to approach
        for x, y in _series(archive, noise).values():
            plot.plot(x, y**2, color=CLASSICAL, lw=1.2, ls="--", label="estimated noise variance")
    training = archive.number("risk", "training")
    if training is not None:
        name = f"training risk at the end {significant(training)}"
        plot.axhline(training, color=GREY, lw=1, ls=":", label=name)
    plot.set_yscale("log")
    label(plot, "iteration", "risk, in squared data units")


def _relative_l2(plot: Axes, archive: RunArchive) -> None:
    found = _series(archive, _starting(archive, "relative_l2_"), is_log=True)
    for index, (name, (x, y)) in enumerate(found.items()):
        unknown = name.removeprefix("relative_l2_")
        style = {"color": ESTIMATE} if len(found) == 1 else line_style(index)
        plot.plot(x, y, lw=1.6, label=f"this run, {mathtext(unknown)}", **style, **_marks(x))
        for source, colour, what in (
            ("classical", CLASSICAL, "classical"),
            ("limit", LIMIT, "best possible"),
        ):
            value = archive.number(source, unknown, "relative_l2")
            if value:
                name = f"{what}, {mathtext(unknown)}: {percent(value)}"
                plot.axhline(value, color=colour, lw=1.2, ls=(0, (5, 2)), label=name)
    plot.set_yscale("log")
    label(plot, "iteration", "relative L2 error")


def _open_fraction(plot: Axes, archive: RunArchive) -> None:
    found = _series(archive, _starting(archive, "open_fraction"))
    for index, (name, (x, y)) in enumerate(found.items()):
        part = name.removeprefix("open_fraction").strip("_").replace("_", " ")
        plot.plot(x, y, lw=1.4, label=part or "all weights", **line_style(index), **_marks(x))
    plot.set_ylim(-0.03, 1.03)
    plot.yaxis.set_major_formatter(PercentFormatter(1.0))
    label(plot, "iteration", "open fraction of the gate")


def _effective_dimension(plot: Axes, archive: RunArchive) -> None:
    for x, y in _series(archive, ["effective_dimension"]).values():
        plot.plot(x, y, color=ESTIMATE, lw=1.6, **_marks(x))
    plot.set_ylim(bottom=0)
    label(plot, "iteration", "effective dimension")


def _step_control(plot: Axes, archive: RunArchive) -> None:
    found = _series(archive, list(_STEP_CONTROL), is_log=True)
    for index, (name, (x, y)) in enumerate(found.items()):
        plot.plot(x, y, lw=1.4, label=_STEP_CONTROL[name], **line_style(index), **_marks(x))
    plot.set_yscale("log")
    label(plot, "iteration", _STEP_CONTROL[next(iter(found))] if len(found) == 1 else "value")


def _stacked(archive: RunArchive, panels: list[Panel]) -> Figure | None:
    if not panels:
        return None
    figure = new_figure(0.3 + 2.1 * len(panels))
    plots = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for plot, draw in zip(plots, panels, strict=True):
        draw(plot, archive)
        open_frame(plot)
        # A legend beside the curves never hides them, however they run; one curve is named by
        # its axis.
        if len(plot.get_legend_handles_labels()[1]) > 1:
            legend(plot, loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=1.8)
        if plot is not plots[-1]:
            plot.set_xlabel("")
    whole_iterations(plots[-1])
    return figure


def _iterations(archive: RunArchive) -> Array:
    columns = archive.history
    if "iteration" in columns:
        return columns["iteration"]
    return np.arange(max((v.size for v in columns.values()), default=0), dtype=np.float64)


def _starting(archive: RunArchive, prefix: str) -> list[str]:
    return [name for name in archive.history if name.startswith(prefix)]


def _series(
    archive: RunArchive, names: Iterable[str], is_log: bool = False
) -> dict[str, tuple[Array, Array]]:
    """Return (iterations, values) of the named columns that hold a number, gaps left out."""
    order = _iterations(archive)
    found = {}
    for name in names:
        values = archive.history.get(name)
        if values is None:
            continue
        is_shown = np.isfinite(values) & ((values > 0) | (not is_log))
        if is_shown.any():
            found[name] = (order[is_shown], values[is_shown])
    return found


def _marks(x: Array) -> dict[str, Any]:
    return {"marker": "o", "ms": 2.8} if x.size <= _MARKED else {}
