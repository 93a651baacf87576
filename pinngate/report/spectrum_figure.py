"""Figure of the kernel spectrum: eigenvalues against the ridge, where the data lie, the course.

Made by ``pinngate spectrum`` from a `KernelSpectrum` and the log of the winner; not part of the
figures that every run leaves, since it takes the Jacobian at the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pinngate.inference.kernel import KernelSpectrum
from pinngate.report.candidates import Course
from pinngate.report.style import (
    CLASSICAL,
    ESTIMATE,
    GREY,
    INK,
    LIMIT,
    label,
    legend,
    log_scale,
    new_figure,
    open_frame,
    whole_iterations,
)

MOST_PANELS = 3
ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "handlelength": 1.6}

# logged quantity: what the axis is called, whether it is logarithmic
EVOLUTION = {
    "effective_dimension": ("effective dimension", False),
    "signal_fraction": ("mean filter", False),
    "ridge": ("ridge α", True),
    "leave_one_out_risk": ("leave-one-out risk", True),
    "open_fraction": ("open fraction of the gate", False),
}


def spectrum_figure(kernel: KernelSpectrum, course: Course) -> Figure:
    """Draw eigenvalues with the ridge, filters with the share of the target, and the course.

    Args:
        kernel: at the answer.
        course: of the network that gave it; its panels appear where something was logged.
    """
    logged = [name for name, (_, is_log) in EVOLUTION.items() if course.series([name], is_log)]
    logged = logged[:MOST_PANELS]
    figure = new_figure(5.4 if logged else 3.3)
    grid = figure.add_gridspec(2 if logged else 1, 1, height_ratios=[1.5, 1] if logged else [1])
    upper = grid[0].subgridspec(1, 2)
    _eigenvalues(figure.add_subplot(upper[0]), kernel)
    _shares(figure.add_subplot(upper[1]), kernel)
    lower = grid[-1].subgridspec(1, max(1, len(logged)))
    for place, name in enumerate(logged):
        _evolution(figure.add_subplot(lower[place]), course, name)
    return figure


def _evolution(plot: Axes, course: Course, name: str) -> None:
    title, is_log = EVOLUTION[name]
    ((x, y),) = course.series([name], is_log).values()
    plot.plot(x, y, color=ESTIMATE, lw=1.6, marker="o" if len(x) < 2 else None)
    if is_log:
        log_scale(plot)
    else:
        plot.set_ylim(0, 1.08 * float(y.max()) or 1.0)
    label(plot, "iteration", title)
    whole_iterations(plot)
    open_frame(plot)


def _eigenvalues(plot: Axes, kernel: KernelSpectrum) -> None:
    place = np.arange(1, len(kernel.eigenvalues) + 1)
    is_signal = place <= kernel.num_signal
    for chosen, colour, name in (
        (is_signal, ESTIMATE, f"signal channel, {kernel.num_signal} directions"),
        (~is_signal, GREY, "reservoir"),
    ):
        plot.plot(place[chosen], kernel.eigenvalues[chosen], ".", ms=3, color=colour, label=name)
    plot.axhline(kernel.ridge, color=CLASSICAL, lw=1.2, ls=(0, (5, 2)), label="ridge α")
    plot.set_xscale("log")
    log_scale(plot)
    label(plot, "direction $j$", r"kernel eigenvalue $\lambda_j$")
    open_frame(plot)
    legend(plot, **ABOVE)


def _shares(plot: Axes, kernel: KernelSpectrum) -> None:
    place = np.arange(1, len(kernel.eigenvalues) + 1)
    plot.plot(place, kernel.cumulated_share, color=INK, lw=1.6, label="target, cumulated")
    plot.plot(place, kernel.filters, color=ESTIMATE, lw=1.6, label=r"filter $\varphi_j$")
    dimension = kernel.kernel_dimension
    name = rf"$\Sigma\varphi_j$ = {dimension:.3g}"
    plot.axvline(dimension, color=LIMIT, lw=1.2, ls=(0, (5, 2)), label=name)
    plot.set_xscale("log")
    plot.set_ylim(-0.03, 1.03)
    plot.yaxis.set_major_formatter(PercentFormatter(1.0))
    label(plot, "direction $j$", "share")
    open_frame(plot)
    legend(plot, **ABOVE)
