"""What the rows of a benchmark come to: medians by cell, coefficients, comparisons with a baseline.

Between the runs (`pinngate.bench.matrix`) and what shows them (`tables`, `figures`, `page`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pinngate.bench.matrix import columns
from pinngate.bench.measures import Row, best_ever, error_at, field_names, figure, reached
from pinngate.bench.statistics import Comparison, compare, corrected, summary
from pinngate.bench.suite import LIMIT_FACTORS, Suite

Cell = tuple[str, str, str]  # problem, setting, method
TIMES = (1.0, 10.0)  # multiples of the baseline's median time at which errors are compared


@dataclass(frozen=True)
class Tables:
    """All tables of a benchmark: lists of rows, ready for a file or a page."""

    fields: list[Row]
    coefficients: list[Row]
    comparisons: list[Row]
    left_out: list[Row]


def cells_of(rows: Sequence[Row]) -> dict[Cell, list[Row]]:
    """Return the rows of each cell, in order of appearance, methods that do not apply left out."""
    cells: dict[Cell, list[Row]] = {}
    for row in rows:
        if row["status"] != "not applicable":
            cells.setdefault((row["problem"], row["setting"], row["method"]), []).append(row)
    return cells


def make_tables(suite: Suite, rows: Sequence[Row]) -> Tables:
    """Make all tables."""
    left_out = {
        (row["problem"], row["setting"], row["method"]): row
        for row in rows
        if row["status"] == "not applicable"
    }
    reasons = [_head(*cell) | {"reason": row["reason"]} for cell, row in left_out.items()]
    return Tables(
        summarise(rows, suite), summarise_coefficients(rows), comparisons(rows, suite), reasons
    )


def summarise(rows: Sequence[Row], suite: Suite) -> list[Row]:
    """Return one row for each problem, setting, method and field.

    Errors are medians over seeds with quartiles, a failed run counting as infinite; `overfitting`
    is the median of final over best-ever error; `seconds_to_…` and `iterations_to_…` are medians
    over the seeds that arrived, `arrived_…` their share of all seeds. `risk_ratio` is the median of
    the leave-one-out risk over noise variance plus squared error, `risk_off_…` how far it is off 1.
    """
    cells = cells_of(rows)
    table = []
    for (problem, setting, label), members in cells.items():
        solved = _solved(members)
        reference = [
            row["solve_seconds"]
            for row in cells.get((problem, setting, suite.reference), [])
            if "solve_seconds" in row
        ]
        common = _head(problem, setting, label) | {
            "family": members[0].get("family"),
            "num_seeds": len(members),
            "num_failed": len(members) - len(solved),
            "seconds": _median(row.get("solve_seconds") for row in solved),
        }
        for name in _fields(members, cells, problem, setting):
            table.append(
                common
                | {"field": name}
                | _error_columns(members, name)
                | {
                    key: _median(take(row, name) for row in solved)
                    for key, take in _MEDIANS.items()
                }
                | {"coverage_95": _mean(figure(r, name, "coverage_95") for r in solved)}
                | _risk_columns(solved)
                | _budget_columns(members, name, reference)
                | _arrival_columns(members, name, suite)
            )
    return table


def _solved(members: Sequence[Row]) -> list[Row]:
    return [row for row in members if row["status"] != "failed"]


def _head(problem: str, setting: str, method: str) -> Row:
    return {"problem": problem, "setting": setting, "method": method}


def _error(row: Row, name: str) -> float | None:
    return figure(row, name, "relative_l2")


def _rival(row: Row, source: str, name: str) -> float | None:
    error: float | None = row.get(f"{source}.{name}.relative_l2")
    return error


_MEDIANS: dict[str, Callable[[Row, str], float | None]] = {
    "relative_l2_best_ever": best_ever,
    "overfitting": lambda row, name: _ratio(_error(row, name), best_ever(row, name)),
    "relative_l2_initial": lambda row, name: figure(row, name, "relative_l2_initial"),
    "relative_l2_initial_best_ever": lambda row, name: best_ever(row, name, "relative_l2_initial"),
    "relative_l2_limit": lambda row, name: _rival(row, "limit", name),
    "relative_l2_realised": lambda row, name: row.get(f"limit.{name}.realised"),
    "ratio_to_limit": lambda row, name: _ratio(_error(row, name), _rival(row, "limit", name)),
    "relative_l2_classical": lambda row, name: _rival(row, "classical", name),
    "ratio_to_classical": lambda row, name: _ratio(
        _error(row, name), _rival(row, "classical", name)
    ),
}


def _error_columns(members: Sequence[Row], name: str) -> Row:
    found = summary([_or_infinite(_error(row, name)) for row in members])
    return {
        "relative_l2_median": _finite(found.median),
        "relative_l2_lower_quartile": _finite(found.lower_quartile),
        "relative_l2_upper_quartile": _finite(found.upper_quartile),
        "relative_l2_interval": _pair(found.interval),
        "relative_l2_worst": _finite(found.worst),
    }


def _risk_columns(solved: Sequence[Row]) -> Row:
    risks = _numbers(_ratio(r.get("risk.leave_one_out"), r.get("risk.true")) for r in solved)
    off = [abs(ratio - 1) for ratio in risks]
    return {
        "risk_ratio": _median(risks),
        "risk_off_median": _median(off),
        "risk_off_worst": max(off, default=None),
    }


def _budget_columns(members: Sequence[Row], name: str, reference: Sequence[float]) -> Row:
    """Return the errors at multiples of the baseline's median time, None where it has none."""
    if not reference:
        return {f"relative_l2_at_{factor:g}x_time": None for factor in TIMES}
    told = {}
    for factor in TIMES:
        budget = factor * float(np.median(reference))
        at = [_or_infinite(_error_at(r, name, budget)) for r in members]
        told[f"relative_l2_at_{factor:g}x_time"] = _finite(summary(at).median)
    return told


def _arrival_columns(members: Sequence[Row], name: str, suite: Suite) -> Row:
    """Return what share of the seeds came to each level, and when."""
    told: Row = {}
    for key, level in levels(suite, name):
        arrived = [a for a in (reached(r, name, level(r)) for r in members) if a is not None]
        told[f"arrived_{key}"] = len(arrived) / len(members)
        told[f"iterations_to_{key}"] = _median(a[0] for a in arrived)
        told[f"seconds_to_{key}"] = _median(a[1] for a in arrived)
    return told


def _fields(
    members: Sequence[Row], cells: dict[Cell, list[Row]], problem: str, setting: str
) -> list[str]:
    """Return the fields of a cell; those of its neighbours where every run of it failed."""
    every = [r for cell, rows in cells.items() if cell[:2] == (problem, setting) for r in rows]
    return list(dict.fromkeys(name for row in (*members, *every) for name in field_names(row)))


def levels(suite: Suite, name: str) -> list[tuple[str, Callable[[Row], float]]]:
    """Return the errors to which time is told: key and level for a row."""

    def times_limit(factor: float) -> Callable[[Row], float]:
        return lambda row: factor * (row.get(f"limit.{name}.relative_l2") or -math.inf)

    def fixed(level: float) -> Callable[[Row], float]:
        return lambda row: level

    found = [(f"{level:g}", fixed(level)) for level in suite.levels]
    return found + [(f"{factor:g}x_limit", times_limit(factor)) for factor in LIMIT_FACTORS]


def _error_at(row: Row, name: str, seconds: float) -> float | None:
    return None if row["status"] == "failed" else error_at(row, name, seconds)


def summarise_coefficients(rows: Sequence[Row]) -> list[Row]:
    """Return one row for each problem, setting, method and unknown coefficient.

    `rms_over_limit` is the root-mean-square error over the standard deviation of the best unbiased
    estimator; `coverage_95` the share of seeds whose interval holds the truth.
    """
    table = []
    for cell, members in cells_of(rows).items():
        solved = _solved(members)
        keys = [k for k in columns(solved) if k.startswith("coefficients.")]
        counts = {"num_seeds": len(members), "num_failed": len(members) - len(solved)}
        for name in dict.fromkeys(k.split(".")[1] for k in keys):
            own = {"coefficient": name} | counts | _coefficient_columns(solved, name)
            table.append(_head(*cell) | own)
    return table


def _coefficient_columns(solved: Sequence[Row], name: str) -> Row:
    at = f"coefficients.{name}"
    relative = _numbers(r.get(f"{at}.relative_error") for r in solved)
    judged = [r for r in solved if r.get(f"{at}.truth") is not None]
    misses = [r[f"{at}.estimate"] - r[f"{at}.truth"] for r in judged]
    bound = _median(r.get(f"{at}.limit") for r in judged)
    intervals = [(r[f"{at}.interval_95"], r) for r in judged if r.get(f"{at}.interval_95")]
    return {
        "relative_error_median": _median(relative),
        "relative_error_rms": float(np.sqrt(np.mean(np.square(relative)))) if relative else None,
        "limit_std": bound,
        "rms_over_limit": _ratio(_root_mean_square(misses), bound),
        "coverage_95": _mean(
            float(low <= row[f"{at}.truth"] <= high) for (low, high), row in intervals
        ),
    }


def _root_mean_square(values: Sequence[float]) -> float | None:
    return math.sqrt(np.mean([value**2 for value in values])) if values else None


def comparisons(rows: Sequence[Row], suite: Suite) -> list[Row]:
    """Return every method against the baseline on the same seeds, corrected over the suite."""
    cells = cells_of(rows)
    told: list[Row] = []
    found: list[Comparison | None] = []
    for (problem, setting, label), members in cells.items():
        ours = cells.get((problem, setting, suite.reference))
        if label == suite.reference or ours is None:
            continue
        for name in _fields(members, cells, problem, setting):
            found.append(compare(_errors_by_seed(ours, name), _errors_by_seed(members, name)))
            told.append(_head(problem, setting, label) | {"field": name})
    return [
        row | _compared(c, suite.reference)
        for row, c in zip(told, corrected(found), strict=True)
        if c is not None
    ]


def _errors_by_seed(rows: Sequence[Row], name: str) -> dict[int, float]:
    return {row["seed"]: _or_infinite(_error(row, name)) for row in rows}


def _compared(comparison: Comparison, baseline: str) -> Row:
    return {
        "baseline": baseline,
        "num_pairs": comparison.num_pairs,
        "ratio": _finite(comparison.ratio),
        "ratio_interval": _pair(comparison.interval),
        "probability_of_improvement": comparison.probability,
        "probability_interval": _pair(comparison.probability_interval),
        "p_wilcoxon": comparison.p_value,
        "p_holm": comparison.p_holm,
    }


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None or not math.isfinite(value) else float(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _pair(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [_finite(interval[0]), _finite(interval[1])]


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [float(v) for v in values if v is not None]


def _median(values: Iterable[float | None]) -> float | None:
    numbers = _numbers(values)
    return float(np.median(numbers)) if numbers else None


def _mean(values: Iterable[float | None]) -> float | None:
    numbers = _numbers(values)
    return float(np.mean(numbers)) if numbers else None
