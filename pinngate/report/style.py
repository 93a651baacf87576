"""How figures look: palette, sizes, axes.

Figures are made without pyplot and without touching matplotlib's global settings; every size and
colour is set on the figure itself. The line colours are those of Okabe and Ito (2008), the colour
maps viridis, cividis and RdBu; all survive the common colour blindnesses.
"""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from pinngate.report.notation import significant
from pinngate.report.vector_graphics import FIGURE_WIDTH
from pinngate.statement.axis_bounds import Bounds, is_logarithmic

FONT = 9.0
DPI = 150
COMPRESSION = 3  # of PNGs: a tenth larger than with the 6 that is usual, in half the time

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, INK, GREY = "#CC79A7", "#56B4E9", "#222222", "#767676"

ESTIMATE, TRUTH, DATA = BLUE, INK, GREY
CLASSICAL, LIMIT = VERMILION, GREEN
CYCLE = [BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY]
_STEPS = [1, 2, 5, 10]
DASHES = ["-", "--", ":", "-."]


def new_figure(height: float, is_tight: bool = False) -> Figure:
    """Return an empty figure one column wide and `height` inches high.

    A tight one moves plots of a fixed aspect ratio together, with colour bars of their height.
    """
    layout: Literal["compressed", "constrained"] = "compressed" if is_tight else "constrained"
    figure = Figure(figsize=(FIGURE_WIDTH / 72, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def line_style(index: int) -> dict[str, Any]:
    """Return colour and dash pattern of the line number `index`, distinct for the first 24."""
    return {
        "color": CYCLE[index % len(CYCLE)],
        "linestyle": DASHES[index // len(CYCLE) % len(DASHES)],
    }


def label(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label a plot and give it the common look."""
    axes.set_xlabel(x, fontsize=FONT)
    axes.set_ylabel(y, fontsize=FONT)
    if title:
        axes.set_title(title, fontsize=FONT, loc="left", color=INK, y=1.0)
    axes.tick_params(labelsize=FONT - 1, color=GREY, labelcolor=INK, length=3)
    axes.tick_params(which="minor", color=GREY, length=1.8)
    for spine in axes.spines.values():
        spine.set_color("#AAAAAA")
        spine.set_linewidth(0.8)


def scale(axes: Axes, x: Bounds, y: Bounds = (0.0, 1.0)) -> None:
    """Draw an axis that is searched on its logarithm on a logarithmic scale."""
    if is_logarithmic(x):
        axes.set_xscale("log")
    if is_logarithmic(y):
        axes.set_yscale("log")


def open_frame(axes: Axes) -> None:
    """Remove the upper and right line of a line plot and give it a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)


def whole_iterations(axes: Axes) -> None:
    """Put ticks of an iteration axis on whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1, steps=_STEPS))


def log_scale(axes: Axes) -> None:
    """Make the vertical axis logarithmic, after drawing.

    Within two decades, where powers of ten leave few ticks or none, ticks are plain numbers.
    """
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 100 * low:
        is_narrow = high < 4 * low
        evenly, by_decade = MaxNLocator(nbins=6, steps=_STEPS), LogLocator(subs=[1, 2, 3, 5])
        axes.yaxis.set_major_locator(evenly if is_narrow else by_decade)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
        axes.yaxis.set_minor_locator(NullLocator())


def legend(axes: Axes, **options: Any) -> None:
    """Add a legend with the common look, if anything has a label."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, fontsize=FONT - 1, frameon=False, **options)


def field_colours(*fields: NDArray[np.float64]) -> tuple[str, Normalize]:
    """Return colour map and limits for fields that share them.

    A field with both signs gets a diverging map that is white at zero, one of one sign viridis.
    """
    values = np.concatenate([f[np.isfinite(f)].ravel() for f in fields])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    reach = max(-low, high)
    if min(-low, high) > 0.1 * reach:
        return "RdBu_r", Normalize(-reach, reach)
    return "viridis", Normalize(low, high if high > low else low + 1.0)


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG of `DPI` dots an inch, and leave everything at its place.

    The pixels are those of `Figure.savefig`, which draws everything twice. Another drawing of the
    figure need not ask again where there is room: that takes as long as to draw.
    """
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    figure.set_layout_engine("none")
    stream = io.BytesIO()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    picture.save(stream, format="png", compress_level=COMPRESSION, dpi=(DPI, DPI))
    return stream.getvalue()
