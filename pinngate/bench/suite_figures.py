"""Figures of a benchmark: error against time of every method, and where each one ends.

From rows to matplotlib figures. Colour says the family of a method (ours blue, other optimizers on
our network orange, DeepXDE vermilion, classical pipelines purple), names stand at the ends of the
lines, the statistical limit is the green line below which no unbiased method goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from pinngate.bench.measures import Row, field_names
from pinngate.bench.measures import figure as error_of
from pinngate.bench.suite import Suite
from pinngate.bench.summaries import Cell, cells_of
from pinngate.report.notation import significant
from pinngate.report.style import (
    BLUE,
    DASHES,
    FONT,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    label,
    new_figure,
    open_frame,
)

Array = NDArray[np.float64]

COLOURS = {"ours": BLUE, "optimizer": ORANGE, "deepxde": VERMILION, "classical": PURPLE}
FAMILIES = {
    "ours": "ours",
    "optimizer": "other optimizers, our network",
    "deepxde": "DeepXDE",
    "classical": "classical",
}
NUM_TIMES = 200
LABEL_GAP = 0.045  # of the height of a plot: names closer than this are moved apart
MIN_HEIGHT = 3.6


def slug(problem: str, setting: str) -> str:
    """Return the file name of a cell's figure: no character that a file system minds."""
    text = problem if setting == "default" else f"{problem}--{setting}"
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)


def figures_of(suite: Suite, rows: Sequence[Row]) -> dict[str, Figure]:
    """Make the figures: one for each problem and setting, by `slug`, then ``ends``."""
    cells = cells_of(rows)
    figures: dict[str, Figure] = {}
    for cell in _panels(cells):
        methods = {
            method: members
            for (*own, method), members in cells.items()
            if tuple(own) == cell and (not suite.drawn or method in suite.drawn)
        }
        figures[slug(*cell)] = course_figure(suite, *cell, methods)
    if figures:
        figures["ends"] = ends_figure(suite, rows)
    return figures


def _panels(cells: Mapping[Cell, Any]) -> list[tuple[str, str]]:
    """Return the problems and settings, in order of appearance."""
    return list(dict.fromkeys((problem, setting) for problem, setting, _ in cells))


def course_figure(
    suite: Suite, problem: str, setting: str, methods: Mapping[str, Sequence[Row]]
) -> Figure:
    """Draw the median error over seeds against wall-clock time; a dot where a method ends."""
    names = [n for members in methods.values() for row in members for n in field_names(row)]
    figure = new_figure(max(MIN_HEIGHT, 1.6 + 0.16 * len(methods)))
    axes = figure.add_subplot()
    title = problem if setting == "default" else f"{problem}, {setting}"
    if not names:
        axes.set_title(f"{title}: no run has an answer", fontsize=FONT, loc="left")
        axes.set_axis_off()
        return figure
    ends = _draw_courses(axes, suite, methods, names[0])
    axes.set_xscale("log")
    axes.set_yscale("log")
    _draw_limit(axes, methods, names[0])
    label(axes, "wall-clock time in s", f"relative L2 error of {names[0]}", title)
    open_frame(axes)
    axes.yaxis.set_major_locator(LogLocator(subs=[1, 2, 5]))
    axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
    _name_ends(axes, ends)
    return figure


@dataclass(frozen=True)
class _Look:
    """How the line of one method looks; `is_ours` makes it thick."""

    colour: str
    dash: str
    is_ours: bool


End = tuple[float, str, _Look]  # last error, method


def _draw_courses(
    axes: Axes, suite: Suite, methods: Mapping[str, Sequence[Row]], name: str
) -> list[End]:
    """Draw every method, each of a family in its own dash; return where they end."""
    ends: list[End] = []
    counts: Counter[str] = Counter()
    for method, members in methods.items():
        family = members[0].get("family") or "ours"
        dash = DASHES[counts[family] % len(DASHES)]
        counts[family] += 1
        look = _Look(COLOURS[family], dash, method == suite.reference)
        end = _draw(axes, members, name, look)
        if end is not None:
            ends.append((end, method, look))
    return ends


def _draw_limit(axes: Axes, methods: Mapping[str, Sequence[Row]], name: str) -> None:
    bounds = [r.get(f"limit.{name}.relative_l2") for m in methods.values() for r in m]
    known = [b for b in bounds if b is not None]
    if not known:
        return
    bound = float(np.median(known))
    axes.axhline(bound, color=GREEN, linewidth=2, zorder=1)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.7 * bound), high)
    axes.text(
        0.01, bound, "statistical limit", color=GREEN, fontsize=FONT - 1, va="bottom",
        transform=axes.get_yaxis_transform(),
    )  # fmt: skip


def _draw(axes: Axes, members: Sequence[Row], name: str, look: _Look) -> float | None:
    """Draw one method and return its last median error, None where no run has an answer."""
    solved = [r for r in members if r["status"] != "failed"]
    finals = _known(error_of(r, name, "relative_l2") for r in solved)
    if not finals:
        return None
    end, seconds = float(np.median(finals)), float(np.median([r["solve_seconds"] for r in solved]))
    key = f"relative_l2.{name}"
    courses = _courses(solved, key)
    width, order, size = (2.6, 5, 7.0) if look.is_ours else (1.2, 3, 4.5)
    if courses:
        times, errors = _median_course(courses, key)
        axes.plot(
            times, errors, color=look.colour, linestyle=look.dash, linewidth=width, zorder=order
        )
    axes.plot(
        [seconds], [end], "o", color=look.colour, markersize=size,
        markeredgecolor="white", markeredgewidth=0.8, zorder=order + 1,
    )  # fmt: skip
    return end


def _courses(rows: Sequence[Row], key: str) -> list[dict[str, Any]]:
    """Return the courses that hold more than one state of a figure."""
    courses: list[dict[str, Any]] = [row.get("course") or {} for row in rows]
    return [course for course in courses if len(course.get(key, [])) > 1]


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median_course(courses: Sequence[dict[str, Any]], key: str) -> tuple[Array, Array]:
    """Return times and the median over seeds of the latest error at each; ends stay."""
    starts = [max(c["seconds"][0], 1e-3) for c in courses]
    stops = [c["seconds"][-1] for c in courses]
    times = np.geomspace(float(np.median(starts)), float(np.median(stops)), NUM_TIMES)
    table = np.empty((len(courses), NUM_TIMES))
    for k, course in enumerate(courses):
        values = np.array([np.nan if v is None else v for v in course[key]], dtype=float)
        place = np.searchsorted(course["seconds"], times, side="right") - 1
        table[k] = values[np.clip(place, 0, None)]
    return times, np.median(table, axis=0)


def _name_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write the methods' names to the right, at the height of their last error, moved apart."""
    low, high = (float(np.log(v)) for v in axes.get_ylim())
    wanted = sorted(
        (((np.log(end) - low) / (high - low), *rest) for end, *rest in ends),
        key=lambda named: named[:2],
    )
    heights = _moved_apart([float(height) for height, *_ in wanted])
    for at, (height, method, look) in zip(heights, wanted, strict=True):
        axes.annotate(
            method, (1.0, float(height)), (1.04, at), xycoords="axes fraction",
            textcoords="axes fraction", color=look.colour, fontsize=FONT - 1, va="center",
            fontweight="bold" if look.is_ours else "normal", annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": look.colour, "linewidth": 0.5, "relpos": (0.0, 0.5),
            },
        )  # fmt: skip


def _moved_apart(wanted: Sequence[float]) -> list[float]:
    """Return heights from 0 up in the order wanted, a gap apart, none above 1 if they fit."""
    gap = min(LABEL_GAP, 1.0 / max(1, len(wanted)))
    heights: list[float] = []
    lowest = 0.0
    for height in wanted:
        heights.append(max(height, lowest))
        lowest = heights[-1] + gap
    if not heights or heights[-1] <= 1.0:
        return heights
    ceiling = 1.0
    for k in reversed(range(len(heights))):
        heights[k] = min(heights[k], ceiling)
        ceiling = heights[k] - gap
    return heights


def ends_figure(suite: Suite, rows: Sequence[Row]) -> Figure:
    """Draw each method's final errors in units of the limit: a dot a seed, a bar at the median.

    Problems without a limit are in units of the baseline's median. A cross at the right edge says
    how many runs failed.
    """
    cells = cells_of(rows)
    panels = _panels(cells)
    methods = [m for m in suite.methods if any(c[2] == m for c in cells)]
    num_columns = min(3, len(panels))
    num_rows = -(-len(panels) // num_columns)
    figure = new_figure(num_rows * (1.1 + 0.17 * len(methods)) + 0.4)
    grid = figure.subplots(num_rows, num_columns, sharey=True, squeeze=False).ravel()
    for axes, (problem, setting) in zip(grid, panels, strict=False):
        unit, words = _unit(cells, suite, problem, setting)
        for place, method in enumerate(methods):
            members = cells.get((problem, setting, method), [])
            _ends(axes, members, place, unit, method == suite.reference)
        axes.set_xscale("log")
        if words == "limit":
            axes.axvline(1.0, color=GREEN, linewidth=2, zorder=1)
        title = problem if setting == "default" else f"{problem},\n{setting}"
        label(axes, f"error / {words}", "")
        axes.set_title(title, loc="left", fontsize=FONT - 1.5)
        _name_axes(axes, methods)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _name_axes(axes: Axes, methods: Sequence[str]) -> None:
    """Write plain numbers along the errors and the methods' names beside them."""
    open_frame(axes)
    axes.xaxis.set_major_locator(LogLocator(subs=[1, 2, 5]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelsize=FONT - 2.5, labelrotation=60)
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)


def _unit(
    cells: Mapping[Cell, list[Row]], suite: Suite, problem: str, setting: str
) -> tuple[float, str]:
    """Return what errors of a panel are measured in, and in words: the limit, else the baseline."""
    members = [r for c, rs in cells.items() if c[:2] == (problem, setting) for r in rs]
    bounds = _known(r[k] for r in members for k in r if k.startswith("limit."))
    if bounds:
        return float(np.median(bounds)), "limit"
    errors = _known(map(_final, cells.get((problem, setting, suite.reference), [])))
    return (float(np.median(errors)), f"{suite.reference}'s") if errors else (1.0, "1")


def _final(row: Row) -> float | None:
    names = field_names(row)
    return error_of(row, names[0], "relative_l2") if names else None


def _ends(axes: Axes, members: Sequence[Row], place: int, unit: float, is_ours: bool) -> None:
    if not members:
        return
    colour = COLOURS[members[0].get("family") or "ours"]
    errors = np.array(_known(map(_final, members))) / unit
    spread = 0.12 * np.sin(1.7 * np.arange(len(errors)))  # dots of one height hide each other
    axes.plot(errors, place + spread, "o", color=colour, markersize=2.5, alpha=0.5, zorder=2)
    if len(errors):
        middle = float(np.median(errors))
        height = 0.36 if is_ours else 0.28
        axes.plot([middle] * 2, [place - height, place + height], color=colour, linewidth=2.5)
    num_failed = len(members) - len(errors)
    if num_failed:
        axes.text(
            0.99, place, f"{num_failed} failed", ha="right", va="center", color=GREY,
            fontsize=FONT - 2.5, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
