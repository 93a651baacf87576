"""What the cells of the grokking study come to: tables, factors and the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from pinngate.report.notation import significant
from pinngate.report.style import (
    DASHES,
    FONT,
    label,
    legend,
    line_style,
    log_scale,
    new_figure,
    open_frame,
)
from pinngate.studies.cells import Record
from pinngate.studies.seed_statistics import paired_ratio, spread
from pinngate.studies.study import Outcome, Rows, markdown

if TYPE_CHECKING:
    from pinngate.studies.grokking import GrokkingSettings

FIGURE_HEIGHT = 7.0  # inches: two rows of plots and a legend


def grokking_outcome(settings: GrokkingSettings, records: dict[str, Record]) -> Outcome:
    """Return tables, figure and words."""
    arms = {
        name: [records[f"arm-{name}-{seed}"] for seed in settings.seeds] for name in settings.arms
    }
    grid = _grid_rows(settings, records)
    summary, factors = _summary_rows(settings, arms), _factor_rows(settings, arms)
    lines = [
        f"Held-out accuracy {settings.accuracy:.0%}; median over {len(settings.seeds)} seeds, "
        f"at most {settings.max_steps:,} steps:",
        "",
        *markdown(summary),
        "",
        "How many times fewer steps and seconds than which AdamW (geometric mean over seeds with "
        "its 95 % interval; runs that never got there count with the steps they took):",
        "",
        *markdown(factors),
    ]
    tables = {
        "runs": _run_rows(settings, records),
        "summary": summary,
        "factors": factors,
        "courses": _course_rows(settings, arms, "course"),
        "gate": _course_rows(settings, arms, "looks"),
        "gate-by-tensor": _tensor_rows(settings, arms),
    }
    if grid:
        tables["sweep"] = grid
        lines += ["", "The grid, steps of one other seed:", "", *markdown(_grid_table(grid))]
    return Outcome(lines, tables, {"grokking": _figure(settings, arms, grid)})


def _steps(record: Record) -> int:
    return int(record["steps"] or record["num_steps"])


def _run_rows(settings: GrokkingSettings, records: dict[str, Record]) -> Rows:
    rows: Rows = []
    named = [(f"arm-{n}", a, settings.seeds) for n, a in settings.arms.items()]
    named += [(f"sweep-{n}", s.arm, settings.sweep.seeds) for n, s in settings.swept().items()]
    for name, arm, seeds in named:
        for seed in seeds:
            record = records[f"{name}-{seed}"]
            rows.append(
                {"run": name, "seed": seed}
                | {key: record[key] for key in ("steps", "num_steps", "seconds", "cpu_seconds")}
                | {"mean_gate": record["mean_gate"]}
                | arm.model_dump(mode="json")
            )
    return rows


def _summary_rows(settings: GrokkingSettings, arms: dict[str, list[Record]]) -> Rows:
    rows: Rows = []
    for name, records in arms.items():
        steps = spread([_steps(r) for r in records])
        arm = settings.arms[name]
        rows.append(
            {
                "arm": name,
                "rate": arm.learning_rate,
                "decay": arm.weight_decay,
                "reached": f"{sum(r['steps'] is not None for r in records)} of {len(records)}",
                "steps": int(steps["median"]),
                "least": int(steps["least"]),
                "most": int(steps["most"]),
                "seconds of a core": spread([r["cpu_seconds"] for r in records])["median"],
                "mean gate": spread([r["mean_gate"] for r in records])["median"],
            }
        )
    return rows


def _factor_rows(settings: GrokkingSettings, arms: dict[str, list[Record]]) -> Rows:
    references = [n for n, a in settings.arms.items() if not a.is_gated]
    rows: Rows = []
    for name, arm in settings.arms.items():
        for reference in references:
            is_other = arm.is_gated or reference == settings.protocol
            if not is_other or name == reference:
                continue
            row: dict[str, Any] = {"arm": name, "against": reference}
            for what, short in (("num_steps", "steps"), ("cpu_seconds", "seconds")):
                above = [r[what] for r in arms[reference]]
                found = paired_ratio(above, [r[what] for r in arms[name]])
                row |= {short: found.value, f"{short} low": found.low, f"{short} high": found.high}
            rows.append(row)
    return rows


def _course_rows(settings: GrokkingSettings, arms: dict[str, list[Record]], what: str) -> Rows:
    return [
        {"arm": name, "seed": seed, **dict(zip(record[what], values, strict=True))}
        for name, records in arms.items()
        for seed, record in zip(settings.seeds, records, strict=True)
        for values in zip(*record[what].values(), strict=True)
    ]


def _tensor_rows(settings: GrokkingSettings, arms: dict[str, list[Record]]) -> Rows:
    return [
        {"arm": name, "seed": seed, "tensor": tensor, "step": step, "mean_gate": q}
        for name, records in arms.items()
        if settings.arms[name].is_gated
        for seed, record in zip(settings.seeds, records, strict=True)
        for tensor, values in record["gates"].items()
        for step, q in zip(record["looks"]["step"], values, strict=True)
    ]


def _grid_rows(settings: GrokkingSettings, records: dict[str, Record]) -> Rows:
    return [
        {
            "family": swept.family,
            "rate": swept.arm.learning_rate,
            "decay": swept.arm.weight_decay,
            "seed": seed,
            "at_most": swept.max_steps,
            "steps": records[f"sweep-{name}-{seed}"]["steps"],
            "cpu_seconds": records[f"sweep-{name}-{seed}"]["cpu_seconds"],
            "held_out_accuracy": records[f"sweep-{name}-{seed}"]["course"]["held_out_accuracy"][-1],
            "mean_gate": records[f"sweep-{name}-{seed}"]["mean_gate"],
        }
        for name, swept in settings.swept().items()
        for seed in settings.sweep.seeds
    ]


def _grid_table(grid: Rows) -> Rows:
    """Return the grid with a column for each decay; where it was not reached, the accuracy."""
    decays = sorted({cell["decay"] for cell in grid})
    rows: dict[tuple[str, float], dict[str, Any]] = {}
    for cell in grid:
        family, rate = cell["family"], cell["rate"]
        blank = {"family": family, "rate": rate} | {f"decay {decay:g}": "" for decay in decays}
        shown = cell["steps"] or f"({cell['held_out_accuracy']:.2f})"
        rows.setdefault((family, rate), blank)[f"decay {cell['decay']:g}"] = str(shown)
    return list(rows.values())


def _figure(settings: GrokkingSettings, arms: dict[str, list[Record]], grid: Rows) -> Figure:
    figure = new_figure(FIGURE_HEIGHT)
    plots = figure.subplots(2, 2)
    _draw_accuracy(plots[0, 0], arms)
    _draw_gate(plots[0, 1], settings, arms)
    _draw_sizes(plots[1, 0], arms)
    _draw_grid(plots[1, 1], settings, grid)
    handles, labels = plots[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=FONT - 1, frameon=False
    )
    return figure


def _draw_accuracy(plot: Axes, arms: dict[str, list[Record]]) -> None:
    for k, (name, records) in enumerate(arms.items()):
        for seed, record in enumerate(records):
            course, style = record["course"], line_style(k)
            named = name if seed == 0 else None
            plot.plot(course["step"], course["held_out_accuracy"], lw=1.1, label=named, **style)
            plot.plot(course["step"], course["train_accuracy"], lw=0.5, alpha=0.4, **style)
    _log_steps(plot)
    label(plot, "step", "accuracy", "held-out (thick) and training pairs, every seed")
    open_frame(plot)


def _draw_gate(plot: Axes, settings: GrokkingSettings, arms: dict[str, list[Record]]) -> None:
    for k, (name, records) in enumerate(arms.items()):
        if settings.arms[name].is_gated:
            for record in records:
                looks = record["looks"]
                plot.plot(looks["step"], looks["gate"], lw=1.1, **line_style(k))
    _log_steps(plot)
    plot.set_ylim(bottom=0)
    label(plot, "step", "mean of q", "how open the gate is")
    open_frame(plot)


def _draw_sizes(plot: Axes, arms: dict[str, list[Record]]) -> None:
    for k, records in enumerate(arms.values()):
        for record in records:
            looks = record["looks"]
            plot.plot(looks["step"], looks["weight_norm"], lw=1.0, **line_style(k))
    _log_steps(plot)
    plot.set_ylim(bottom=0)
    label(plot, "step", "norm", "size of all weights")
    open_frame(plot)


def _log_steps(plot: Axes) -> None:
    plot.set_xscale("log")
    plot.xaxis.set_minor_formatter(NullFormatter())


def _draw_grid(plot: Axes, settings: GrokkingSettings, grid: Rows) -> None:
    decays = sorted({cell["decay"] for cell in grid})
    for k, family in enumerate(settings.sweep.families):
        for j, decay in enumerate(decays):
            cells = [c for c in grid if (c["family"], c["decay"]) == (family, decay)]
            style = {"color": line_style(k)["color"], "ls": DASHES[j % len(DASHES)]}
            reached = [(c["rate"], c["steps"]) for c in cells if c["steps"]]
            missed = [(c["rate"], c["at_most"]) for c in cells if not c["steps"]]
            if reached:
                words = f"{family}, decay {decay:g}"
                plot.plot(*zip(*reached, strict=True), "o", ms=3, lw=1, label=words, **style)
            if missed:
                plot.plot(*zip(*missed, strict=True), "x", ms=4, color=style["color"])
    plot.set_xscale("log")
    log_scale(plot)
    rates = sorted({cell["rate"] for cell in grid if cell["family"] in settings.sweep.families})
    plot.xaxis.set_major_locator(FixedLocator(rates))
    plot.xaxis.set_minor_locator(NullLocator())
    plot.set_xticklabels([significant(rate) for rate in rates])
    label(plot, "learning rate", "steps to it", "the grid (crosses: not reached)")
    open_frame(plot)
    legend(plot, loc="lower left")
