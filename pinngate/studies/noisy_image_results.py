"""What the cells of the image study come to: errors, stopping times, rivals and the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from pinngate.report.style import FONT, GREY, INK, label, legend, line_style, new_figure, open_frame
from pinngate.streams import generator
from pinngate.studies.cells import Record
from pinngate.studies.pictures import Array, denoised, picture
from pinngate.studies.seed_statistics import paired_ratio, spread
from pinngate.studies.study import Outcome, Rows, markdown

if TYPE_CHECKING:
    from pinngate.studies.noisy_image import ImageSettings

FIGURE_HEIGHT = 7.8  # inches: two rows of curves and one of images
RULES = {
    "held_out": "held-out pixels",
    "twin": "twin (generalised cross-validation)",
    "accumulated": "accumulated product",
    "train": "training error: the end",
}
ESTIMATES = ("held_out", "twin", "accumulated")
SHOWN = "best_values"  # of the networks, in the row of images


def image_outcome(settings: ImageSettings, records: dict[str, Record]) -> Outcome:
    """Return tables, figure and words."""
    arms = {
        name: [records[f"arm-{name}-{seed}"] for seed in settings.seeds] for name in settings.arms
    }
    classical, images = _classical(settings)
    summary = [_summary_row(settings, name, arms) for name in arms]
    stops = _stop_rows(settings, arms)
    lines = [
        f"Peak signal-to-noise ratio in decibels against the clean image (the noisy one has "
        f"{_decibels(settings.noise_std**2):.2f}), medians over {len(settings.seeds)} seeds. "
        "Error at best against AdamW's: ratio of mean square errors with its 95 % interval.",
        "",
        *markdown(summary),
        "",
        "Where each rule would have stopped, and what that costs: error there over the least one.",
        "",
        *markdown(stops),
        "",
        "Classical denoisers on the same images, each with the parameter that is best for the "
        "clean image:",
        "",
        *markdown(classical),
    ]
    tables = {
        "summary": summary,
        "stopping": stops,
        "classical": classical,
        "courses": _course_rows(settings, arms),
    }
    if settings.sweep_arms and settings.sweep_seeds:
        tables["sweep"] = _sweep_rows(settings, records)
        lines += ["", "The rates, on another seed:", "", *markdown(tables["sweep"])]
    return Outcome(lines, tables, {"noisy-image": _figure(settings, arms, images)})


def _decibels(mean_square: float) -> float:
    return float(-10 * np.log10(mean_square))


def _summary_row(
    settings: ImageSettings, name: str, arms: dict[str, list[Record]]
) -> dict[str, Any]:
    records, arm = arms[name], settings.arms[name]
    best = [min(r["course"]["error"]) for r in records]
    last = [r["course"]["error"][-1] for r in records]
    when = [_stop(r, "error") for r in records]
    reference = next(iter(arms.values()))
    against = paired_ratio(best, [min(r["course"]["error"]) for r in reference])
    return {
        "arm": name,
        "rate": arm.learning_rate,
        "mean gate": spread([r["mean_gate"] for r in records])["median"],
        "best": _fixed(spread([_decibels(e) for e in best])["median"]),
        "at step": int(
            spread([records[k]["course"]["step"][i] for k, i in enumerate(when)])["median"]
        ),
        "last": _fixed(spread([_decibels(e) for e in last])["median"]),
        "best error / AdamW's": f"{against.value:.3f}",
        "low": f"{against.low:.3f}",
        "high": f"{against.high:.3f}",
        "noise fitted": spread([r["course"]["freedom"][-1] / settings.size**2 for r in records])[
            "median"
        ],
    }


def _fixed(value: float) -> str:
    return f"{value:.2f}"


def _stop(record: Record, rule: str) -> int:
    return int(np.argmin(record["course"][rule]))


def _stop_rows(settings: ImageSettings, arms: dict[str, list[Record]]) -> Rows:
    rows: Rows = []
    for name, records in arms.items():
        for rule, words in RULES.items():
            stops = [_stop(r, rule) for r in records]
            errors = [np.array(r["course"]["error"]) for r in records]
            costs = [e[i] / e.min() for e, i in zip(errors, stops, strict=True)]
            steps = [r["course"]["step"][i] for r, i in zip(records, stops, strict=True)]
            ranks = [
                float(spearmanr(r["course"][rule], e).statistic)
                for r, e in zip(records, errors, strict=True)
            ]
            rows.append(
                {
                    "arm": name,
                    "rule": words,
                    "at step": int(spread(steps)["median"]),
                    "error / least": spread(costs)["median"],
                    "most": spread(costs)["most"],
                    "rank correlation": spread(ranks)["median"],
                }
            )
    return rows


def _course_rows(settings: ImageSettings, arms: dict[str, list[Record]]) -> Rows:
    return [
        {"arm": name, "seed": seed, **dict(zip(record["course"], values, strict=True))}
        for name, records in arms.items()
        for seed, record in zip(settings.seeds, records, strict=True)
        for values in zip(*record["course"].values(), strict=True)
    ]


def _sweep_rows(settings: ImageSettings, records: dict[str, Record]) -> Rows:
    rows: Rows = []
    for name in settings.sweep_arms:
        for seed in settings.sweep_seeds:
            record = records[f"sweep-{name}-{seed}"]
            errors = record["course"]["error"]
            rows.append(
                {
                    "arm": name,
                    "mean gate": record["mean_gate"],
                    "best": _fixed(_decibels(min(errors))),
                    "at step": int(record["course"]["step"][_stop(record, "error")]),
                    "last": _fixed(_decibels(errors[-1])),
                }
            )
    return rows


def _classical(settings: ImageSettings) -> tuple[Rows, dict[str, Array]]:
    """Return a row for each method, and the images of the first seed to show."""
    clean = picture(settings.image, settings.size)
    found: dict[str, list[tuple[float, str]]] = {}
    images: dict[str, Array] = {"clean": clean}
    for seed in settings.seeds:
        noise = generator(seed, "noise").standard_normal(clean.shape)
        noisy = clean + settings.noise_std * noise
        images.setdefault("noisy", noisy)
        for method, answers in denoised(noisy, settings.noise_std).items():
            errors = {value: float(((a - clean) ** 2).mean()) for value, a in answers.items()}
            best = min(errors, key=lambda value: errors[value])
            found.setdefault(method, []).append((errors[best], best))
            images.setdefault(method, answers[best])
    rows: Rows = []
    for method, results in found.items():
        decibels = spread([_decibels(error) for error, _ in results])
        rows.append(
            {
                "method": method,
                "best": _fixed(decibels["median"]),
                "least": _fixed(decibels["least"]),
                "most": _fixed(decibels["most"]),
                "parameter": ", ".join(sorted({value for _, value in results})),
            }
        )
    return rows, images


def _figure(
    settings: ImageSettings, arms: dict[str, list[Record]], images: dict[str, Array]
) -> Figure:
    figure = new_figure(FIGURE_HEIGHT)
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.8, 1])
    curves, row = parts
    plots = curves.subplots(2, 2)
    _draw_errors(plots[0, 0], arms)
    _draw_freedom(plots[0, 1], settings, arms)
    first = next(iter(arms))
    gated = next((n for n in arms if settings.arms[n].is_gated), first)
    for plot, name in zip(plots[1], (first, gated), strict=True):
        _draw_estimates(plot, settings, name, arms[name][0])
    shown = {name: images[name] for name in ("clean", "noisy")}
    for name in dict.fromkeys((first, gated)):
        values = np.array(arms[name][0][SHOWN]).reshape(settings.size, settings.size)
        shown[f"{name}, at best"] = values
    shown |= {name: image for name, image in list(images.items())[-1:] if name not in shown}
    _draw_images(row, images["clean"], shown)
    return figure


def _draw_errors(plot: Axes, arms: dict[str, list[Record]]) -> None:
    for k, (name, records) in enumerate(arms.items()):
        for seed, record in enumerate(records):
            course = record["course"]
            values = [_decibels(e) for e in course["error"]]
            named = name if seed == 0 else None
            plot.plot(course["step"], values, lw=0.9, label=named, **line_style(k))
    tops = [_decibels(min(r["course"]["error"])) for rs in arms.values() for r in rs]
    plot.set_ylim(max(tops) - 4, max(tops) + 0.3)  # the four decibels in which they differ
    label(plot, "step", "decibels", "against the clean image, every seed")
    open_frame(plot)
    legend(plot)


def _draw_freedom(plot: Axes, settings: ImageSettings, arms: dict[str, list[Record]]) -> None:
    for k, records in enumerate(arms.values()):
        for record in records:
            course = record["course"]
            shares = [d / settings.size**2 for d in course["freedom"]]
            plot.plot(course["step"], shares, lw=0.9, **line_style(k))
    label(plot, "step", "share", "of the noise that was fitted (from the twin)")
    open_frame(plot)


def _draw_estimates(plot: Axes, settings: ImageSettings, name: str, record: Record) -> None:
    course = record["course"]
    noise = settings.noise_std**2
    truth = np.array(course["error"]) + noise
    plot.plot(course["step"], truth, color=INK, lw=1.6, label="true error + noise")
    plot.plot(course["step"], course["train"], color=GREY, lw=1.0, label="training error")
    for k, rule in enumerate(ESTIMATES):
        style = line_style(k)
        plot.plot(course["step"], course[rule], lw=1.0, label=RULES[rule], **style)
        stop = _stop(record, rule)
        plot.plot(course["step"][stop], truth[stop], "o", ms=4, color=style["color"])
    plot.set_ylim(0.4 * noise, 2.5 * noise)
    label(plot, "step", "mean square", f"{name}, first seed; dots: stops")
    open_frame(plot)
    legend(plot)


def _draw_images(figure: Any, clean: Array, shown: dict[str, Array]) -> None:
    for plot, (name, image) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True
    ):
        plot.imshow(image, cmap="gray", vmin=0, vmax=1)
        error = float(((image - clean) ** 2).mean())
        told = name if name == "clean" else f"{name}\n{_decibels(error):.1f} dB"
        plot.set_title(told, fontsize=FONT - 1, color=INK)
        plot.set_axis_off()
