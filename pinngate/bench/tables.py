"""Tidy tables from the rows of a matrix: medians with quartiles, and how they came about."""

from __future__ import annotations

import csv
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from pinngate import __version__
from pinngate.bench.matrix import Suite, columns

Row = dict[str, Any]


def summarise(rows: Sequence[Row]) -> list[Row]:
    """Return one row for each problem, setting, optimizer and field.

    Errors are medians over seeds with the quartiles; ratios are medians of each seed's ratio to the
    statistical limit and to the classical method; `num_failed` counts runs without an answer.
    """
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["problem"], row["setting"], row["optimizer"]), []).append(row)
    table = []
    for (problem, setting, optimizer), members in cells.items():
        solved = [row for row in members if row["status"] != "failed"]
        common = {
            "problem": problem,
            "setting": setting,
            "optimizer": optimizer,
            "num_seeds": len(members),
            "num_failed": len(members) - len(solved),
            "seconds": _median(row["seconds.total"] for row in solved),
        }
        keys = columns(solved)
        names = [
            tuple(k.split(".")[:2])
            for k in keys
            if k.startswith(("fields.", "coefficient_fields.")) and k.endswith(".max_abs")
        ]
        for kind, name in names:
            errors = _numbers(row.get(f"{kind}.{name}.relative_l2") for row in solved)
            row = common | {"field": name}
            for label, q in (("median", 0.5), ("lower_quartile", 0.25), ("upper_quartile", 0.75)):
                row[f"relative_l2_{label}"] = float(np.quantile(errors, q)) if errors else None
            row["relative_l2_worst"] = max(errors, default=None)
            row["relative_l2_limit"] = _median(r.get(f"limit.{name}.relative_l2") for r in solved)
            row["relative_l2_classical"] = _median(
                r.get(f"classical.{name}.relative_l2") for r in solved
            )
            row["ratio_to_classical"] = _median(
                _ratio(r, f"{kind}.{name}.relative_l2", f"classical.{name}.relative_l2")
                for r in solved
            )
            row["coverage_95"] = _mean(r.get(f"{kind}.{name}.coverage_95") for r in solved)
            table.append(row)
        coefficients = [k.split(".")[1] for k in keys if k.startswith("coefficients.")]
        for name in dict.fromkeys(coefficients):
            errors = _numbers(row.get(f"coefficients.{name}.relative_error") for row in solved)
            square = float(np.sqrt(np.mean(np.square(errors)))) if errors else None
            table.append(
                common
                | {
                    "coefficient": name,
                    "relative_error_median": _median(errors),
                    "relative_error_rms": square,
                }
            )
    return table


def _ratio(row: Row, above: str, below: str) -> float | None:
    a, b = row.get(above), row.get(below)
    return a / b if a is not None and b else None


def _numbers(values: Any) -> list[float]:
    return [float(v) for v in values if v is not None]


def _median(values: Any) -> float | None:
    numbers = _numbers(values)
    return float(np.median(numbers)) if numbers else None


def _mean(values: Any) -> float | None:
    numbers = _numbers(values)
    return float(np.mean(numbers)) if numbers else None


def write_tables(suite: Suite, rows: Sequence[Row], folder: Path, command: str) -> Path:
    """Write ``runs.csv``, ``summary.csv`` and ``summary.md``; return the last."""
    import torch

    summary = summarise(rows)
    _write_csv(folder / "runs.csv", rows)
    _write_csv(folder / "summary.csv", summary)
    lines = [
        f"# {suite.name}",
        "",
        f"Command: `{command}`. pinngate {__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.machine()}, {date.today().isoformat()}. "
        "Errors are relative L2 over the whole domain: median over seeds [quartiles]. The limit is "
        "the expected error of the best unbiased estimator.",
        "",
        "| problem | setting | optimizer | seeds | failed | error | worst | limit | classical "
        "| ratio to classical | coverage | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in summary:
        if "field" in row:
            spread = (
                f"{_text(row['relative_l2_median'])} [{_text(row['relative_l2_lower_quartile'])}, "
                f"{_text(row['relative_l2_upper_quartile'])}]"
            )
            cells = [
                row["problem"],
                row["setting"],
                row["optimizer"],
                str(row["num_seeds"]),
                str(row["num_failed"]),
                spread,
                _text(row["relative_l2_worst"]),
                _text(row["relative_l2_limit"]),
                _text(row["relative_l2_classical"]),
                _text(row["ratio_to_classical"]),
                _text(row["coverage_95"]),
                _text(row["seconds"]),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    coefficients = [row for row in summary if "coefficient" in row]
    if coefficients:
        lines += [
            "",
            "| problem | setting | optimizer | coefficient | median relative error | rms |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {r['problem']} | {r['setting']} | {r['optimizer']} | {r['coefficient']} "
            f"| {_text(r['relative_error_median'])} | {_text(r['relative_error_rms'])} |"
            for r in coefficients
        ]
    path = folder / "summary.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns(rows), restval="")
        writer.writeheader()
        writer.writerows(rows)
