"""What each mechanism of the default solver buys: with against without, paired by problem and seed.

Last step of an ablation, a suite whose methods are `gauss-newton-without`; the runs are those of
`pinngate.bench.matrix`. Ratios are told as geometric means with quartiles over pairs of runs that
differ only in the mechanism: above one where it helps.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pinngate.bench.measures import Row, field_names, figure
from pinngate.bench.suite import Suite

COLUMNS = {
    "mechanism": "off",
    "pairs": "pairs",
    "changed": "changed",
    "failed": "failed",
    "error_ratio": "error, off / on",
    "error_quartiles": "quartiles",
    "worst_problem": "most on",
    "coefficient_ratio": "coefficients, off / on",
    "coverage_on": "coverage on",
    "coverage_off": "off",
    "seconds_ratio": "seconds, off / on",
    "seconds_quartiles": "quartiles",
}
ABOUT = (
    "One line for each mechanism that was switched off (`pinngate.optim.mechanisms`), over all "
    "pairs of runs on the same problem and seed. *Error, off / on* is the geometric mean of the "
    "ratio of relative L2 errors of every field, above 1 where the mechanism helps, with the "
    "quartiles of the pairs that it changed; *most on* the problem with the largest mean ratio; "
    "*changed* the pairs whose answers differ at all; *failed* counts runs without it that gave "
    "no answer; coefficients are judged by their errors; coverage is the mean share of the "
    "truth inside 95 % bands; *seconds* are those of the solve, and lines that changed no "
    "answer show how far chance takes them."
)


def effects(suite: Suite, rows: Sequence[Row]) -> list[Row]:
    """Return one row for each method of an ablation but the reference.

    Args:
        suite: says which method has every mechanism.
        rows: of its runs, solved or failed.
    """
    whole = {_key(row): row for row in rows if row["method"] == suite.reference}
    table = []
    for label in suite.methods:
        pairs = [
            (whole[_key(row)], row)
            for row in rows
            if row["method"] == label and _key(row) in whole and label != suite.reference
        ]
        if pairs:
            table.append({"mechanism": label} | _effect(pairs))
    return table


def _key(row: Row) -> tuple[str, str, int]:
    return row["problem"], row["setting"], row["seed"]


def _effect(pairs: Sequence[tuple[Row, Row]]) -> Row:
    solved = [(a, b) for a, b in pairs if "solve_seconds" in a and "solve_seconds" in b]
    errors = [(a["problem"], r) for a, b in solved for r in _log_ratios(a, b, "fields")]
    changed = [r for _, r in errors if r != 0.0]
    by_problem = {p: [r for q, r in errors if q == p] for p, _ in errors}
    worst = max(by_problem, key=lambda p: float(np.mean(by_problem[p])), default=None)
    seconds = [math.log(b["solve_seconds"] / a["solve_seconds"]) for a, b in solved]
    return {
        "pairs": len(pairs),
        "changed": sum(any(_log_ratios(a, b, "fields")) for a, b in solved),
        "failed": sum("solve_seconds" not in b for _, b in pairs),
        "error_ratio": _mean([r for _, r in errors]),
        "error_quartiles": _quartiles(changed),
        "worst_problem": worst if changed else None,
        "coefficient_ratio": _mean(
            [r for a, b in solved for r in _log_ratios(a, b, "coefficients")]
        ),
        "coverage_on": _coverage([a for a, _ in solved]),
        "coverage_off": _coverage([b for _, b in solved]),
        "seconds_ratio": _mean(seconds),
        "seconds_quartiles": _quartiles(seconds),
    }


def _log_ratios(on: Row, off: Row, kind: str) -> list[float]:
    """Return log(error without / error with) of every field or coefficient that both tell."""
    if kind == "fields":
        found = [(figure(on, n, "relative_l2"), figure(off, n, "relative_l2")) for n in _told(on)]
    else:
        keys = [k for k in on if k.startswith("coefficients.") and k.endswith(".relative_error")]
        found = [(on[k], off.get(k)) for k in keys]
    return [math.log(abs(b) / abs(a)) for a, b in found if a and b]


def _told(row: Row) -> Iterator[str]:
    return (name for name in field_names(row) if figure(row, name, "relative_l2"))


def _coverage(rows: Sequence[Row]) -> float | None:
    found = [figure(row, name, "coverage_95") for row in rows for name in field_names(row)]
    told = [value for value in found if value is not None]
    return float(np.mean(told)) if told else None


def _mean(logarithms: Sequence[float]) -> float | None:
    return math.exp(float(np.mean(logarithms))) if len(logarithms) else None


def _quartiles(logarithms: Sequence[float]) -> list[float] | None:
    if not len(logarithms):
        return None
    return [math.exp(float(q)) for q in np.quantile(logarithms, (0.25, 0.75))]


def write_ablation(suite: Suite, rows: Sequence[Row], folder: Path, head: str) -> Path:
    """Write ``ablation.csv`` and ``README.md`` under a head line; return the latter."""
    from pinngate.bench.suite_tables import markdown

    table = effects(suite, rows)
    with (folder / "ablation.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS))
        writer.writeheader()
        writer.writerows(table)
    shown = [(title, key) for key, title in COLUMNS.items()]
    problems = ", ".join(dict.fromkeys(row["problem"] for row in rows))
    seeds = len({row["seed"] for row in rows})
    lines = [
        f"# {suite.name}",
        *("", head, "", ABOUT),
        *("", f"Problems: {problems}; {seeds} seeds."),
        *markdown(shown, table),
    ]
    path = folder / "README.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
