"""What the cells of the double-descent study come to: foretold against measured, and the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from pinngate.report.style import BLUE, FONT, GREEN, GREY, INK, SKY, label, new_figure, open_frame
from pinngate.studies.cells import Record
from pinngate.studies.seed_statistics import paired_ratio
from pinngate.studies.study import Outcome, Rows, markdown

if TYPE_CHECKING:
    from pinngate.studies.double_descent import DescentSettings

PANEL_HEIGHT = 2.6  # inches of a row of two plots
PARTS = {
    "missed_signal": ("signal that was missed", GREEN),
    "noise_in_channel": ("noise let in by the channel", BLUE),
    "noise_in_reservoir": ("noise seen from the reservoir", SKY),
}
Series = dict[int, Rows]  # by width, a row for each seed


def descent_outcome(settings: DescentSettings, records: dict[str, Record]) -> Outcome:
    """Return tables, figure and words."""
    curves = _curves(settings, records)
    rows = [row for name, series in curves.items() for row in _median_rows(name, series)]
    verdict = [_verdict_row(settings, name, series) for name, series in curves.items()]
    lines = [
        f"{settings.num_data} values with noise of standard deviation {settings.noise_std:g}, "
        f"{settings.num_variables} variables; medians over draws. The peak is the width with the "
        "largest median; *foretold* is the sum of the three parts, *channel* noise through the "
        "signal channel alone, which needs no truth; *count* is σ² times the channel's share of "
        "directions. Ratios are geometric means over draws at "
        "the measured peak with 95 % intervals, correlations those of medians over widths.",
        "",
        *markdown(verdict),
    ]
    tables = {"curves": rows, "verdict": verdict, "draws": _draw_rows(curves)}
    return Outcome(lines, tables, {"double-descent": _figure(settings, curves)})


def _curves(settings: DescentSettings, records: dict[str, Record]) -> dict[str, Series]:
    """Return the rows of all draws by curve and width."""
    curves: dict[str, Series] = {}
    for seed in settings.features.seeds:
        for row in records[f"features-{seed}"]["rows"]:
            name = f"features, time {row['time']:g}"
            curves.setdefault(name, {}).setdefault(row["width"], []).append(row | {"seed": seed})
    for arm in settings.networks.arms:
        for seed in settings.networks.seeds:
            for row in records[f"networks-{arm}-{seed}"]["rows"]:
                series = curves.setdefault(f"networks, {arm}", {})
                series.setdefault(row["width"], []).append(row | {"seed": seed})
    return curves


def _foretold(row: dict[str, Any]) -> float:
    return float(sum(row[part] for part in PARTS))


def _median(rows: Rows, name: str) -> float:
    values = [_foretold(r) if name == "foretold" else r[name] for r in rows]
    return float(np.median(values))


FIGURES = (
    "weights", "channel", "signal_in_channel", *PARTS, "foretold", "test_error",
)  # fmt: skip
EXTRAS = ("train_error", "path_error", "mean_gate")  # of networks


def _median_rows(name: str, series: Series) -> Rows:
    return [
        {"curve": name, "width": width, "draws": len(rows)}
        | {figure: _median(rows, figure) for figure in (*FIGURES, *EXTRAS) if _has(rows, figure)}
        for width, rows in series.items()
    ]


def _has(rows: Rows, figure: str) -> bool:
    return figure == "foretold" or figure in rows[0]


def _draw_rows(curves: dict[str, Series]) -> Rows:
    return [
        {"curve": name, **row}
        for name, series in curves.items()
        for rs in series.values()
        for row in rs
    ]


def _verdict_row(settings: DescentSettings, name: str, series: Series) -> dict[str, Any]:
    widths = list(series)
    measured = [_median(series[w], "test_error") for w in widths]
    foretold = [_median(series[w], "foretold") for w in widths]
    channel = [_median(series[w], "noise_in_channel") for w in widths]
    top = series[widths[int(np.argmax(measured))]]
    heights = [row["test_error"] for row in top]
    whole = paired_ratio([_foretold(row) for row in top], heights)
    part = paired_ratio([max(row["noise_in_channel"], 1e-12) for row in top], heights)
    count = settings.noise_std**2 / settings.num_data
    return {
        "curve": name,
        "peak at weights": int(top[0]["weights"]),
        "foretold at": int(series[widths[int(np.argmax(foretold))]][0]["weights"]),
        "channel's at": int(series[widths[int(np.argmax(channel))]][0]["weights"]),
        "height": max(measured),
        "foretold / measured": _interval(whole.value, whole.low, whole.high),
        "channel / measured": _interval(part.value, part.low, part.high),
        "count / measured": _median(top, "channel") * count / max(measured),
        "correlation of logs": float(np.corrcoef(np.log(foretold), np.log(measured))[0, 1]),
        "rank correlation": float(spearmanr(foretold, measured).statistic),
        "channel's rank correlation": float(spearmanr(channel, measured).statistic),
    }


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def _figure(settings: DescentSettings, curves: dict[str, Series]) -> Figure:
    num_rows = -(-len(curves) // 2)
    figure = new_figure(PANEL_HEIGHT * num_rows)
    plots = figure.subplots(num_rows, 2, squeeze=False).ravel()
    for k, (name, series) in enumerate(curves.items()):
        _draw_curve(plots[k], settings, name, series, is_first=k == 0)
    for plot in plots[len(curves) :]:
        plot.set_axis_off()
    handles, labels = plots[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2, fontsize=FONT - 1, frameon=False
    )
    return figure


def _draw_curve(
    plot: Axes, settings: DescentSettings, name: str, series: Series, is_first: bool
) -> None:
    weights = [rows[0]["weights"] for rows in series.values()]
    below = np.zeros(len(weights))
    for part, (words, colour) in PARTS.items():
        above = below + [_median(rows, part) for rows in series.values()]
        plot.fill_between(weights, below, above, color=colour, alpha=0.45, lw=0, label=words)
        below = above
    errors = [[row["test_error"] for row in rows] for rows in series.values()]
    low, middle, high = (np.quantile(e, q, axis=1) for e in [errors] for q in (0.25, 0.5, 0.75))
    plot.errorbar(
        weights, middle, [middle - low, high - middle], color=INK, lw=1.2, marker="o", ms=3,
        elinewidth=0.8, label="measured: median and quartiles",
    )  # fmt: skip
    plot.axvline(settings.num_data, color=GREY, lw=0.8, ls=(0, (5, 2)))
    plot.set_xscale("log")
    plot.set_ylim(0, 1.25 * max(float(high.max()), float(below.max())))
    label(plot, "weights (dashed: as many as data)", "error on the clean function", name)
    open_frame(plot)
    beside = plot.twinx()
    shares = [_median(rows, "channel") / settings.num_data for rows in series.values()]
    beside.plot(
        weights, shares, color=GREY, lw=1.0, ls=":", label="directions in the channel, share"
    )
    beside.set_ylim(0, 1.25)
    label(beside, "", "share of directions (dotted)" if is_first else "")
