"""Where to measure next, drawn: what a value tells at every place, and what all tell together.

Above a `Design`. A map of each field over the axes, the proposed places on it, and the half width
of the interval after each measurement.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pinngate.report.notation import ABSENT, mathtext, significant, with_unit
from pinngate.report.style import ESTIMATE, FONT, INK, VERMILION, label, new_figure, open_frame
from pinngate.runs.measurement_design import Design

Array = NDArray[np.float64]

WORTH_TELLING = 5  # proposed places that are told in words


def figure(design: Design) -> Figure:
    """Return the maps of all fields and the course of the predicted interval.

    Of more than two axes the map is over the first two, each place at the best of the others.
    """
    sheet = new_figure(2.6 * (len(design.gains) + 1))
    plots = sheet.subplots(len(design.gains) + 1, 1, squeeze=False)[:, 0]
    for plot, name in zip(plots, design.gains, strict=False):
        draw = _line if len(design.problem.axes) == 1 else _map
        draw(sheet, plot, design, name)
    _course(plots[-1], design)
    return sheet


def _own_points(design: Design, name: str) -> Array:
    return design.points[[field == name for field in design.fields]]


def _line(sheet: Figure, plot: Axes, design: Design, name: str) -> None:
    (axis,) = design.problem.axes
    plot.plot(design.grid.axes[axis], design.grid.spread(design.gains[name]), color=ESTIMATE)
    for place in _own_points(design, name)[:, 0]:
        plot.axvline(place, color=VERMILION, linewidth=0.8)
    label(plot, with_unit(axis, design.problem.units), "share of the variance", mathtext(name))
    open_frame(plot)


def _map(sheet: Figure, plot: Axes, design: Design, name: str) -> None:
    across, up = _shown_axes(design)
    order = [design.problem.axes.index(axis) for axis in (across, up)]
    gains = np.nan_to_num(design.grid.spread(design.gains[name]))
    others = tuple(k for k in range(gains.ndim) if k not in order)
    seen = gains.max(axis=others)
    values = seen if order[0] > order[1] else seen.T
    axes = design.grid.axes
    mesh = plot.pcolormesh(axes[across], axes[up], values, cmap="cividis", rasterized=True)
    points = _own_points(design, name)[:, order]
    plot.plot(*points.T, "o", color=VERMILION, markeredgecolor=INK, markersize=5, clip_on=False)
    bar = sheet.colorbar(mesh, ax=plot, pad=0.02, aspect=22)
    bar.set_label(f"share that one value of {mathtext(name)} takes", fontsize=FONT - 1)
    units = design.problem.units
    label(plot, with_unit(across, units), with_unit(up, units))


def _shown_axes(design: Design) -> tuple[str, str]:
    """Return the horizontal and the vertical axis of a map: time and space, or two of space."""
    space = design.problem.space_axes
    return ("t", space[0]) if len(space) == 1 else (space[0], space[1])


def _course(plot: Axes, design: Design) -> None:
    plot.plot(design.half_widths, "o-", color=ESTIMATE, markersize=3)
    plot.set_ylim(bottom=0)
    words = f"half width of {mathtext(design.quantity)}"
    label(plot, "further measurements", words)
    open_frame(plot)


def lines(design: Design) -> Iterator[str]:
    """Yield what a design says, in words."""
    count = len(design.points)
    now, then = (significant(float(design.half_widths[k])) for k in (0, -1))
    yield f"{design.quantity} = {significant(design.estimate)} ± {now} (95 %)"
    yield (
        f"  after {count} further values ± {then} is foreseen: "
        f"an interval {design.ratio:.2f} times smaller"
    )
    noise = ", ".join(f"{name} {significant(std)}" for name, std in design.noise.items())
    yield f"  noise of a value, standard deviation: {noise or ABSENT}"
    places = list(dict.fromkeys(_places(design)))
    for place in places[:WORTH_TELLING]:
        yield f"  {_places(design).count(place)} x {place}"
    if len(places) > WORTH_TELLING:
        yield f"  {len(places) - WORTH_TELLING} more places in the table"


def _places(design: Design) -> list[str]:
    """Return every proposed measurement in words, ``u at x = 0.5, t = 1``."""
    axes = design.problem.axes
    return [
        f"{name} at " + ", ".join(f"{a} = {significant(v)}" for a, v in zip(axes, row, strict=True))
        for name, row in zip(design.fields, design.points, strict=True)
    ]


__all__ = ["figure", "lines"]
