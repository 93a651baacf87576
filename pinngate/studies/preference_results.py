"""What the cells of the preference study come to: accuracy and drift, at equal steps and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pinngate.report.style import FONT, GREY, label, line_style, new_figure, open_frame
from pinngate.studies.cells import Record
from pinngate.studies.seed_statistics import paired_ratio, spread
from pinngate.studies.study import Outcome, Rows, markdown

if TYPE_CHECKING:
    from pinngate.studies.preference_tuning import PreferenceSettings

FIGURE_HEIGHT = 5.6  # inches: two rows of plots and a legend
Point = dict[str, float]  # figures of one arm and seed at one place of its course


def preference_outcome(settings: PreferenceSettings, records: dict[str, Record]) -> Outcome:
    """Return tables, figure and words."""
    arms = {
        name: [records[f"arm-{name}-{seed}"] for seed in settings.seeds] for name in settings.arms
    }
    at_end = {name: [_at(r, -1) for r in rs] for name, rs in arms.items()}
    best = {name: [_at(r, int(np.argmax(r["course"]["accuracy"]))) for r in rs]
            for name, rs in arms.items()}  # fmt: skip
    targets = [
        max(min(rs[k]["course"]["train_loss"]) for rs in arms.values())
        for k in range(len(settings.seeds))
    ]
    at_loss = {
        name: [_at_loss(r, target) for r, target in zip(rs, targets, strict=True)]
        for name, rs in arms.items()
    }
    summary = [
        {"compared": words} | row
        for words, points in (
            (f"at equal steps ({settings.num_steps})", at_end),
            (f"at equal training loss ({np.median(targets):.3f})", at_loss),
            ("at its own best accuracy", best),
        )
        for row in _rows(settings, arms, points)
    ]
    lines = [
        f"{settings.swapped_share:.0%} of {settings.num_train:,} pairs swapped; accuracy on "
        f"{settings.num_held_out} clean held-out pairs, drift in nats a token; medians over "
        f"{len(settings.seeds)} seeds. The last column is the first arm's drift over this one's, "
        "geometric mean with its 95 % interval. Equal training loss is the least that every arm "
        "reaches with that seed.",
        "",
        *markdown(summary),
    ]
    tables = {"summary": summary, "courses": _course_rows(settings, arms)}
    if settings.sweep_arms and settings.sweep_seeds:
        tables["sweep"] = _sweep_rows(settings, records)
        lines += ["", "The rates, on another seed:", "", *markdown(tables["sweep"])]
    return Outcome(lines, tables, {"dpo": _figure(arms)})


def _at(record: Record, index: int) -> Point:
    return {name: values[index] for name, values in record["course"].items()}


def _at_loss(record: Record, target: float) -> Point:
    """Return the course where the training loss first falls to a value, between two looks."""
    losses = np.array(record["course"]["train_loss"])
    after = int(np.argmax(losses <= target))
    if after == 0:
        return _at(record, 0)
    share = (losses[after - 1] - target) / (losses[after - 1] - losses[after])
    before, behind = _at(record, after - 1), _at(record, after)
    return {name: before[name] + share * (behind[name] - before[name]) for name in before}


def _rows(
    settings: PreferenceSettings, arms: dict[str, list[Record]], points: dict[str, list[Point]]
) -> Rows:
    rows: Rows = []
    first = [p["drift"] for p in next(iter(points.values()))]
    for name, found in points.items():
        accuracy = spread([p["accuracy"] for p in found])
        less = paired_ratio(_positive(first), _positive([p["drift"] for p in found]))
        rows.append(
            {
                "arm": name,
                "rate": settings.arms[name].learning_rate,
                "mean gate": spread([r["mean_gate"] for r in arms[name]])["median"],
                "step": int(spread([p["step"] for p in found])["median"]),
                "accuracy": f"{accuracy['median']:.3f}",
                "least": f"{accuracy['least']:.3f}",
                "most": f"{accuracy['most']:.3f}",
                "drift": spread([p["drift"] for p in found])["median"],
                "times less drift": f"{less.value:.2f} ({less.low:.2f} to {less.high:.2f})",
            }
        )
    return rows


def _positive(values: list[float]) -> list[float]:
    return [max(value, np.finfo(float).tiny) for value in values]


def _course_rows(settings: PreferenceSettings, arms: dict[str, list[Record]]) -> Rows:
    return [
        {"arm": name, "seed": seed, **dict(zip(record["course"], values, strict=True))}
        for name, records in arms.items()
        for seed, record in zip(settings.seeds, records, strict=True)
        for values in zip(*record["course"].values(), strict=True)
    ]


def _sweep_rows(settings: PreferenceSettings, records: dict[str, Record]) -> Rows:
    rows: Rows = []
    for name in settings.sweep_arms:
        for seed in settings.sweep_seeds:
            record = records[f"sweep-{name}-{seed}"]
            best, last = _at(record, int(np.argmax(record["course"]["accuracy"]))), _at(record, -1)
            rows.append(
                {"arm": name, "mean gate": record["mean_gate"]}
                | {"best accuracy": f"{best['accuracy']:.3f}", "at step": int(best["step"])}
                | {"last accuracy": f"{last['accuracy']:.3f}", "last drift": last["drift"]}
                | {"last training loss": last["train_loss"]}
            )
    return rows


def _figure(arms: dict[str, list[Record]]) -> Figure:
    figure = new_figure(FIGURE_HEIGHT)
    plots = figure.subplots(2, 2)
    _draw(plots[0, 0], arms, "step", "accuracy", "clean held-out pairs, every seed")
    _draw(plots[0, 1], arms, "step", "drift", "drift from the reference, nats a token")
    _draw(plots[1, 0], arms, "train_loss", "drift", "drift at equal training loss")
    _draw(plots[1, 1], arms, "drift", "accuracy", "accuracy at equal drift")
    for plot in plots[0]:
        plot.set_xlabel("step", fontsize=FONT)
    plots[1, 0].invert_xaxis()
    plots[1, 1].set_xscale("symlog", linthresh=1e-2)
    for plot in (plots[0, 0], plots[1, 1]):
        plot.axhline(0.5, color=GREY, lw=0.8)
    handles, labels = plots[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=FONT - 1, frameon=False
    )
    return figure


AXES = {
    "train_loss": "loss on training pairs, as given",
    "drift": "nats a token",
    "accuracy": "accuracy",
    "step": "step",
}


def _draw(plot: Axes, arms: dict[str, Any], x: str, y: str, title: str) -> None:
    for k, (name, records) in enumerate(arms.items()):
        for seed, record in enumerate(records):
            course = record["course"]
            named = name if seed == 0 else None
            plot.plot(course[x], course[y], lw=0.9, label=named, **line_style(k))
    label(plot, AXES[x], AXES[y], title)
    open_frame(plot)
