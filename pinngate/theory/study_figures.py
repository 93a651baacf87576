"""Figures of studied runs: one for each instrument, a column for each optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from pinngate.report.style import (
    BLUE,
    FONT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    label,
    legend,
    log_scale,
    new_figure,
    open_frame,
)
from pinngate.theory.foreseen_risk import judge_risk
from pinngate.theory.growth import growth
from pinngate.theory.partition import CHANNEL
from pinngate.theory.repeated_draws import Array, Study
from pinngate.theory.study_tables import followed, walked

SIGNAL, NOISE = BLUE, VERMILION
BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.02), "frameon": False}
LEAST_SHOWN = 1e-12  # of a dissipated share: below is rounding
TITLES = {  # as they fit above a column
    "population-risk-adam": "gated Adam",
    "population-risk-adam, no gate": "gate off",
    "population-risk-gauss-newton": "Gauss–Newton",
    "adam": "Adam",
    "adamw": "AdamW",
}


def title_of(study: Study) -> str:
    """Return the short name of a study's optimizer."""
    return TITLES.get(study.label, study.label)


def _grid(
    num_rows: int, studies: Sequence[Study], height: float
) -> tuple[Figure, list[list[Axes]]]:
    figure = new_figure(height)
    axes = figure.subplots(num_rows, len(studies), squeeze=False)
    return figure, [[axes[i][k] for k in range(len(studies))] for i in range(num_rows)]


def _shared_legend(figure: Any, plots: Sequence[Axes], columns: int) -> None:
    """Put one legend of all labels under the figure."""
    entries: dict[str, Any] = {}
    for plot in plots:
        for handle, text in zip(*plot.get_legend_handles_labels(), strict=True):
            entries.setdefault(text, handle)
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=columns,
        fontsize=FONT - 1,
        frameon=False,
    )


def _draw_columns(
    num_rows: int,
    studies: Sequence[Study],
    height: float,
    rows: Sequence[Callable[[Axes, Study, bool], None]],
    legend_columns: int,
) -> Figure:
    """Draw each row's panel for each study, the first column labelled, one legend below."""
    figure, grid = _grid(num_rows, studies, height)
    for i, draw in enumerate(rows):
        for k, study in enumerate(studies):
            draw(grid[i][k], study, k == 0)
            if i == 0:
                grid[i][k].set_title(title_of(study), fontsize=FONT, loc="left", color=INK)
            open_frame(grid[i][k])
    _shared_legend(figure, [plot for row in grid for plot in row], legend_columns)
    return figure


def partition_figure(studies: Sequence[Study]) -> Figure:
    """Draw the dissipation of each direction, what it moved, and both shares over time."""
    panels = [_energies, _visibilities, _shares_over_time]
    return _draw_columns(3, studies, 7.4, panels, 3)


def _energies(plot: Axes, study: Study, is_first: bool) -> None:
    found = study.draws[0]["final"]["directions"]
    place = np.arange(1, len(found["dissipated"]) + 1)
    plot.axhline(CHANNEL, color=GREY, lw=0.8, ls=(0, (5, 2)), label="channel above 3/4")
    plot.plot(
        place, found["dissipated"], "o-", ms=2.5, lw=0.8, color=INK, label="dissipated, $2w_j$"
    )
    for name, colour in (("signal", SIGNAL), ("noise", NOISE)):
        total = np.cumsum(found[name])
        plot.plot(place, total, color=colour, lw=1.6, label=f"{name}, cumulated")
    plot.set_xscale("log")
    plot.set_ylim(-0.03, 1.03)
    label(plot, "direction $j$ of the data", "share of energy" if is_first else "")


def _visibilities(plot: Axes, study: Study, is_first: bool) -> None:
    found = {name: np.array(c) for name, c in study.draws[0]["final"]["directions"].items()}
    kept = found["dissipated"] > LEAST_SHOWN
    x, order = found["dissipated"][kept], np.argsort(found["dissipated"][kept])
    plot.plot(
        x[order], found["bound"][kept][order], color=GREEN, lw=1.4, label="bound of the theorem"
    )
    plot.plot(x, found["visibility"][kept], ".", ms=4, color=INK, label="moved test outputs by")
    plot.axvline(CHANNEL, color=GREY, lw=0.8, ls=(0, (5, 2)))
    plot.set_xscale("log")
    plot.set_yscale("log")
    label(plot, "dissipated share $2w_j$", r"$\Vert M v_j\Vert$, rms" if is_first else "")


def _shares_over_time(plot: Axes, study: Study, is_first: bool) -> None:
    for name, colour, words in (
        ("signal_in_channel", SIGNAL, "signal in the channel"),
        ("noise_in_reservoir", NOISE, "noise in the reservoir"),
    ):
        for k, (times, values) in enumerate(
            zip(study.course("iteration"), study.course(name), strict=True)
        ):
            alpha = 1.0 if k == 0 else 0.25
            text = words + ", each draw" if k == 0 else None
            plot.plot(
                times[1:],
                values[1:],
                color=colour,
                lw=1.4 if k == 0 else 0.7,
                alpha=alpha,
                label=text,
            )
    plot.set_xscale("log")
    plot.set_ylim(-0.03, 1.03)
    label(plot, "iteration", "share of energy" if is_first else "")


def growth_figure(studies: Sequence[Study]) -> Figure:
    """Draw drift and diffusion over time, noise the same at each step and new at each step."""
    walking = [study for study in studies if study.walks]
    return _draw_columns(2, walking, 5.2, [_walk("same"), _walk("new")], 3)


def _walk(kind: str) -> Callable[[Axes, Study, bool], None]:
    words = {"same": "same noise at every step", "new": "new noise at every step"}[kind]

    def draw(plot: Axes, study: Study, is_first: bool) -> None:
        times, moved = study.walks[kind]
        found, fitted = growth(times, moved), walked(times, moved)
        size = np.sqrt(moved.shape[2])
        for series, exponent, colour, what in (
            (found.drift, fitted[0], SIGNAL, "drift (what all draws share)"),
            (found.diffusion, fitted[1], NOISE, "diffusion (scatter over draws)"),
        ):
            plot.plot(times, series / size, "o-", ms=3, lw=1.4, color=colour, label=what)
            plot.annotate(
                f"$T^{{{exponent.value:.2f}}}$",
                (times[-1], series[-1] / size),
                xytext=(-4, 6),
                textcoords="offset points",
                ha="right",
                fontsize=FONT,
                color=colour,
            )
        start = found.diffusion[0] / size
        plot.plot(
            times, start * np.sqrt(times), color=GREY, lw=0.9, ls=":", label=r"slope ½, $\sqrt{T}$"
        )
        plot.plot(times, start * times, color=GREY, lw=0.9, ls="--", label="slope 1, $T$")
        plot.set_xscale("log")
        plot.set_yscale("log")
        plot.set_ylim(top=4 * plot.get_ylim()[1])  # room for the exponents
        label(plot, "steps $T$", f"displacement, rms\n{words}" if is_first else "")

    return draw


def risk_figure(studies: Sequence[Study]) -> Figure:
    """Draw the estimated risks of the first draw against the true one, and where each stops."""
    return _draw_columns(2, studies, 5.4, [_risks, _errors], 3)


_RISKS = (
    ("true_risk", INK, "-", "true risk"),
    ("path_risk", BLUE, "-", "path's leave-one-out"),
    ("promised_risk", ORANGE, "-", "accumulated product"),
    ("own_risk", GREEN, "--", "optimizer's own leave-one-out"),
    ("training_risk", VERMILION, ":", "training risk"),
)


def _risks(plot: Axes, study: Study, is_first: bool) -> None:
    times = study.course("iteration")[0]
    for name, colour, dash, words in _RISKS:
        values = study.course(name)[0]
        kept = np.isfinite(values) & (values > 0)
        if kept.any():
            plot.plot(times[kept], values[kept], color=colour, ls=dash, lw=1.5, label=words)
    plot.set_xscale("symlog", linthresh=1)
    plot.set_xlim(left=0)
    log_scale(plot)
    label(plot, "iteration", "expected squared error" if is_first else "")


def _errors(plot: Axes, study: Study, is_first: bool) -> None:
    times, error = study.course("iteration")[0], study.course("relative_l2")[0]
    plot.plot(times, error, color=INK, lw=1.5)
    truth = study.course("true_risk")[0]
    best = int(np.argmin(error))
    plot.plot(times[best], error[best], "*", ms=11, color=GREY, label="least error")
    for name, colour, _, words in _RISKS[1:4]:
        values = study.course(name)[0]
        kept = np.isfinite(values)
        if kept.sum() > 2:
            chosen = judge_risk(values[kept], truth[kept], error[kept]).chosen
            plot.plot(
                times[kept][chosen],
                error[kept][chosen],
                "o",
                ms=5,
                mfc="none",
                mew=1.6,
                color=colour,
                label=f"stop by {words}",
            )
    plot.set_xscale("symlog", linthresh=1)
    plot.set_xlim(left=0)
    log_scale(plot)
    label(plot, "iteration", "relative L2 error" if is_first else "")


def wave_figure(studies: Sequence[Study]) -> Figure | None:
    """Draw which share of the noise in each mode was fitted when; None without a line of data."""
    known = [(study, found) for study in studies if (found := followed(study)) is not None]
    if not known:
        return None
    figure = new_figure(3.1)
    plots = figure.subplots(1, len(known), squeeze=False, sharey=True)[0]
    norm = TwoSlopeNorm(0.0, -0.5, 1.0)
    mesh = None
    for plot, (study, (times, shares, _)) in zip(plots, known, strict=True):
        modes = np.arange(1, shares.shape[1] + 1)
        mesh = plot.pcolormesh(
            _edges(times), np.append(modes, modes[-1] + 1) - 0.5, shares.T, cmap="RdBu_r", norm=norm
        )
        plot.set_xscale("symlog", linthresh=1)
        plot.xaxis.set_minor_formatter(NullFormatter())
        label(
            plot,
            "iteration",
            "mode $k$ of the initial state" if plot is plots[0] else "",
            title_of(study),
        )
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=list(plots), pad=0.01)
        bar.set_label("share of the noise fitted", fontsize=FONT)
        bar.ax.tick_params(labelsize=FONT - 1)
    return figure


def _edges(times: Array) -> Array:
    """Return the edges of cells about times, (t + 1,)."""
    middle = 0.5 * (times[1:] + times[:-1])
    return np.concatenate([times[:1], middle, times[-1:] + 0.5 * (times[-1:] - times[-2:-1])])


def kernel_figure(study: Study) -> Figure:
    """Draw the tangent kernel's spectra by block at a few times, and how its eigenvectors turn."""
    spectrum, evolution = study.kernel["spectrum"], study.kernel["evolution"]
    blocks = list(dict.fromkeys(row["block"] for row in spectrum))
    figure = new_figure(4.8)
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    upper, lower = halves
    for plot, block in zip(
        upper.subplots(1, len(blocks), sharey=True, squeeze=False)[0], blocks, strict=True
    ):
        own = [row for row in spectrum if row["block"] == block]
        times = list(dict.fromkeys(row["iteration"] for row in own))
        for k, time in enumerate(times):
            values = np.array([row["eigenvalue"] for row in own if row["iteration"] == time])
            kept = values > LEAST_SHOWN * values[0]
            shade = 0.85 * (1 - k / max(1, len(times) - 1))
            plot.plot(
                np.arange(1, len(values) + 1)[kept],
                values[kept],
                lw=1.3,
                color=(shade, shade, 0.6 + 0.4 * shade * 0.9),
                label=f"step {time}",
            )
        plot.set_yscale("log")
        label(plot, "direction $j$", r"eigenvalue $\lambda_j$" if block == blocks[0] else "", block)
        open_frame(plot)
    _shared_legend(upper, upper.axes, 6)
    left, right = lower.subplots(1, 2)
    for name, colour, dash in zip(
        blocks, (BLUE, GREEN, VERMILION, INK), ("-", "--", ":", "-"), strict=False
    ):
        own = [row for row in evolution if row["block"] == name]
        times = [row["iteration"] for row in own]
        for plot, figure_name in ((left, "mean_angle"), (right, "drift")):
            plot.plot(
                times,
                [row[figure_name] for row in own],
                "o",
                ls=dash,
                ms=3,
                color=colour,
                label=name,
            )
    label(left, "iteration", "angle to the last leading\neigenvectors, mean, degrees")
    label(right, "iteration", r"$\Vert K(t)-K(T)\Vert\,/\,\Vert K(T)\Vert$")
    for plot in (left, right):
        open_frame(plot)
    legend(right)
    return figure
