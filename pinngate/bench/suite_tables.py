"""Tables of a benchmark as files.

``runs.csv`` holds every run, ``courses.csv`` the error against time, ``summary.csv`` one line for
each problem, setting, method and field, ``coefficients.csv`` the same for unknown coefficients,
``comparisons.csv`` every method against the baseline, ``standing.csv`` the place of the baseline
in every cell and ``honesty.csv`` what a method's word is worth. ``summary.md`` is for reading, and
for an ablation `ablation` has a table of its own.
"""

from __future__ import annotations

import csv
import platform
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pinngate import __version__
from pinngate.bench import honesty
from pinngate.bench.ablation import write_ablation
from pinngate.bench.matrix import columns
from pinngate.bench.measures import Row
from pinngate.bench.standing import sentences, standing
from pinngate.bench.suite import Suite
from pinngate.bench.summaries import TIMES, Tables, levels, make_tables

FIELD_COLUMNS = (
    ("problem", "problem"),
    ("setting", "setting"),
    ("method", "method"),
    ("seeds", "num_seeds"),
    ("failed", "num_failed"),
    ("error", "quartiles"),
    ("worst", "relative_l2_worst"),
    ("limit", "relative_l2_limit"),
    ("same data", "relative_l2_realised"),
    ("classical", "relative_l2_classical"),
    ("ratio to classical", "ratio_to_classical"),
    ("coverage", "coverage_95"),
    ("seconds", "seconds"),
    ("ratio to limit", "ratio_to_limit"),
    ("initial", "relative_l2_initial"),
    ("best ever", "relative_l2_best_ever"),
    ("overfitting", "overfitting"),
    ("risk / true", "risk_ratio"),
)
COEFFICIENT_COLUMNS = (
    ("problem", "problem"),
    ("setting", "setting"),
    ("method", "method"),
    ("coefficient", "coefficient"),
    ("median relative error", "relative_error_median"),
    ("rms", "relative_error_rms"),
    ("rms / limit", "rms_over_limit"),
    ("coverage", "coverage_95"),
)
COMPARISON_COLUMNS = (
    ("problem", "problem"),
    ("setting", "setting"),
    ("method", "method"),
    ("pairs", "num_pairs"),
    ("error / baseline's", "ratio"),
    ("95 %", "ratio_interval"),
    ("baseline better", "probability_of_improvement"),
    ("95 %", "probability_interval"),
    ("p (Holm)", "p_holm"),
)
STANDING_COLUMNS = (
    ("problem", "problem"),
    ("setting", "setting"),
    ("field", "field"),
    ("place", "place"),
    ("error", "error"),
    ("best rival", "best_rival"),
    ("its error / baseline's", "best_ratio"),
    ("better rivals", "better"),
    ("first to 1.5 × limit", "first_to_limit"),
)
ABOUT = (
    "Errors are relative L2 over the whole domain: median over seeds [quartiles], a failed run "
    "counting as infinite. The limit is the expected error of the best unbiased estimator, which "
    "knows the modes of the truth; same data is its error on the very values that were observed. "
    "Overfitting is the final error over the least error along the way."
)
ABOUT_COMPARISONS = (
    "Paired by seed: median ratio of errors with its BCa bootstrap interval, the probability that "
    "the baseline's error is the smaller one, and Wilcoxon's signed-rank test with Holm's "
    "correction over all comparisons of this page."
)


def arrival_columns(suite: Suite) -> list[tuple[str, str]]:
    """Return the columns that tell how soon levels were reached."""
    keys = [key for key, _ in levels(suite, "")]
    found = [("problem", "problem"), ("setting", "setting"), ("method", "method")]
    for key in keys:
        words = key.replace("x_limit", " × limit")
        found += [
            (f"share to {words}", f"arrived_{key}"),
            ("iterations", f"iterations_to_{key}"),
            ("seconds", f"seconds_to_{key}"),
        ]
    for factor in TIMES:
        found.append((f"error at {factor:g} × time", f"relative_l2_at_{factor:g}x_time"))
    return found


def text(row: Row, key: str) -> str:
    """Return one entry of a table as it is read."""
    if key == "quartiles":
        spread = [row["relative_l2_median"]]
        spread += [row["relative_l2_lower_quartile"], row["relative_l2_upper_quartile"]]
        middle, low, high = (number(value) for value in spread)
        return f"{middle} [{low}, {high}]"
    value = row.get(key)
    if isinstance(value, list):
        return "[" + ", ".join(number(v) for v in value) + "]"
    return value if isinstance(value, str) else number(value)


def number(value: float | None) -> str:
    """Return three significant digits, a dash for nothing."""
    return "–" if value is None else f"{value:.3g}"


def version_line(command: str) -> str:
    """Return what was run with what, and when."""
    import torch

    return (
        f"Command: `{command}`. pinngate {__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.machine()}, {date.today().isoformat()}."
    )


def write_tables(suite: Suite, rows: Sequence[Row], folder: Path, command: str) -> Path:
    """Write all CSV files and ``summary.md``; return the last."""
    tables = make_tables(suite, rows)
    _write_csv(folder / "runs.csv", [{k: v for k, v in r.items() if k != "course"} for r in rows])
    _write_csv(folder / "courses.csv", list(_courses(rows)))
    _write_csv(folder / "summary.csv", tables.fields)
    _write_csv(folder / "coefficients.csv", tables.coefficients)
    _write_csv(folder / "comparisons.csv", tables.comparisons)
    lines = [
        f"# {suite.name}",
        "",
        f"{version_line(command)} {ABOUT}",
        *markdown(FIELD_COLUMNS, tables.fields),
    ]
    if tables.coefficients:
        lines += markdown(COEFFICIENT_COLUMNS, tables.coefficients)
    if tables.comparisons:
        lines += ["", f"## Against {suite.reference}", "", ABOUT_COMPARISONS]
        lines += markdown(COMPARISON_COLUMNS, tables.comparisons)
    if len(suite.methods) > 1:
        places = standing(suite, tables)
        _write_csv(folder / "standing.csv", places)
        lines += _rivalry(suite, tables, places)
    if tables.left_out:
        lines += ["", "## Not applicable", ""]
        lines += [f"- {r['method']} to {r['problem']}: {r['reason']}" for r in tables.left_out]
    if suite.best:
        lines += _honesty(suite, rows, folder)
    if suite.is_ablation:
        write_ablation(suite, rows, folder, version_line(command))
    path = folder / "summary.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _honesty(suite: Suite, rows: Sequence[Row], folder: Path) -> list[str]:
    """Return what the methods' words are worth, written to ``honesty.csv``, too."""
    table = honesty.honesty(suite, rows)
    table += honesty.tally(table)
    _write_csv(folder / "honesty.csv", table)
    about = honesty.ABOUT.format(best=suite.best)
    return ["", "## What it says of its answers", "", about, *markdown(honesty.COLUMNS, table)]


def _rivalry(suite: Suite, tables: Tables, places: Sequence[Row]) -> list[str]:
    """Return where the methods stand and how soon they arrive."""
    return [
        *("", "## Standing", "", *(f"- {s}" for s in sentences(suite, places))),
        *markdown(STANDING_COLUMNS, places),
        *("", "## How soon", "", "Medians over the seeds that arrived."),
        *markdown(arrival_columns(suite), tables.fields),
    ]


def markdown(shown: Sequence[tuple[str, str]], rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table of (title, key of a row)."""
    lines = ["", "| " + " | ".join(title for title, _ in shown) + " |", "|---" * len(shown) + "|"]
    return lines + ["| " + " | ".join(text(row, key) for _, key in shown) + " |" for row in rows]


def _courses(rows: Sequence[Row]) -> Iterable[Row]:
    for row in rows:
        course: dict[str, list[Any]] = row.get("course") or {}
        head = {key: row[key] for key in ("problem", "setting", "method", "seed")}
        for values in zip(*course.values(), strict=True):
            yield head | dict(zip(course, values, strict=True))


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns(rows), restval="")
        writer.writeheader()
        writer.writerows(rows)
