"""Whether what a method says of its answers is true, and how these compare with the best.

A suite names the method whose answers are the `best` that data and model allow, such as a direct
fit from the truth. An answer is right where every coefficient lies within `FAR` standard deviations
of that method around the truth and every field within `WORSE` times its error, on the same data;
where that method has no answer the statistical limit takes its place. Of problems that the suite
calls unanswerable no answer is right. A method that gives no verdict says
"solved" of whatever it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pinngate.bench.measures import Row, field_names, figure
from pinngate.bench.suite import Suite

FAR = 4.0
WORSE = 3.0
NOT_APPLICABLE = "not applicable"
COLUMNS = (
    ("problem", "problem"),
    ("setting", "setting"),
    ("method", "method"),
    ("seeds", "num_seeds"),
    ("right, solved", "solved_right"),
    ("right, doubtful", "doubtful_right"),
    ("wrong, solved", "solved_wrong"),
    ("wrong, told", "told_wrong"),
    ("rms / best", "rms_over_best"),
    ("width / best", "width_over_best"),
    ("coverage", "coverage_95"),
    ("seconds", "seconds"),
)
ABOUT = (
    "Right: every coefficient within four standard deviations of {best} around the truth, every "
    "field within three times its error; where it has none, of the statistical limit, or else of "
    "the classical pipeline. Told: doubtful, or failed. Root-mean-square errors and widths of "
    "intervals are in units of the same method's on the same data, of right answers only and of "
    "all coefficients of a problem together."
)


@dataclass(frozen=True)
class _Coefficient:
    """One coefficient of one answer beside the best."""

    miss: float
    best_miss: float
    width: float | None
    is_covered: bool | None


def honesty(suite: Suite, rows: Sequence[Row]) -> list[Row]:
    """Return one row for each problem, setting and method, none where no method is the best."""
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row["status"] != NOT_APPLICABLE:
            cells.setdefault((row["problem"], row["setting"], row["method"]), []).append(row)
    table = []
    for (problem, setting, method), members in cells.items() if suite.best else ():
        best = {r["seed"]: r for r in cells.get((problem, setting, suite.best or ""), [])}
        is_answerable = problem not in suite.unanswerable
        judged = [(r, best.get(r["seed"])) for r in members]
        right = [is_answerable and _is_right(r, b) for r, b in judged]
        says = [_says_solved(r) for r in members]
        pairs = [(r, b) for (r, b), is_right in zip(judged, right, strict=True) if is_right and b]
        seconds = [r["solve_seconds"] for r in members if "solve_seconds" in r]
        table.append(
            {"problem": problem, "setting": setting, "method": method, "num_seeds": len(members)}
            | _counts(right, says)
            | _compared(pairs)
            | {"seconds": float(np.median(seconds)) if seconds else None}
        )
    return table


def _says_solved(row: Row) -> bool:
    return row["status"] != "failed" and row.get("verdict", "solved") == "solved"


def _counts(right: Sequence[bool], says: Sequence[bool]) -> Row:
    pairs = list(zip(right, says, strict=True))
    return {
        "solved_right": sum(r and s for r, s in pairs),
        "doubtful_right": sum(r and not s for r, s in pairs),
        "solved_wrong": sum(s and not r for r, s in pairs),
        "told_wrong": sum(not r and not s for r, s in pairs),
    }


def _is_right(row: Row, best: Row | None) -> bool:
    if row["status"] == "failed":
        return False
    judge = None if best is None or best["status"] in ("failed", NOT_APPLICABLE) else best
    coefficients = {k.split(".")[1] for k in row if k.startswith("coefficients.")}
    for at in (f"coefficients.{name}" for name in coefficients):
        std = row.get(f"{at}.limit") if judge is None else judge[f"{at}.std"]
        truth = row.get(f"{at}.truth")
        if std and truth is not None and not abs(row[f"{at}.estimate"] - truth) <= FAR * std:
            return False
    for name in field_names(row):
        own = figure(row, name, "relative_l2")
        least = None if judge is None else figure(judge, name, "relative_l2")
        for yardstick in ("limit", "classical"):
            least = least or row.get(f"{yardstick}.{name}.relative_l2")
        if own is not None and least is not None and not own <= WORSE * least:
            return False
    return True


def _compared(pairs: Sequence[tuple[Row, Row]]) -> Row:
    """Return errors and widths over the best's, pooled over coefficients in its deviations."""
    found = [_coefficient(r, b, name) for r, b in pairs for name in _coefficients(b)]
    widths = [c.width for c in found if c.width is not None]
    covered = [c.is_covered for c in found if c.is_covered is not None]
    own, best = (np.sum([getattr(c, k) ** 2 for c in found]) for k in ("miss", "best_miss"))
    return {
        "rms_over_best": float(np.sqrt(own / best)) if best > 0 else None,
        "width_over_best": float(np.median(widths)) if widths else None,
        "coverage_95": float(np.mean(covered)) if covered else None,
    }


def _coefficient(row: Row, best: Row, name: str) -> _Coefficient:
    at = f"coefficients.{name}"
    truth, std = row[f"{at}.truth"], best[f"{at}.std"]
    ends, least = row.get(f"{at}.interval_95"), best.get(f"{at}.interval_95")
    return _Coefficient(
        (row[f"{at}.estimate"] - truth) / std,
        (best[f"{at}.estimate"] - truth) / std,
        (ends[1] - ends[0]) / (least[1] - least[0]) if ends and least else None,
        ends[0] <= truth <= ends[1] if ends else None,
    )


def _coefficients(row: Row) -> list[str]:
    """Return the coefficients whose truth and deviation are known."""
    names = [k.split(".")[1] for k in row if k.startswith("coefficients.") and k.endswith(".std")]
    return [n for n in names if row[f"coefficients.{n}.std"] and _has_truth(row, n)]


def _has_truth(row: Row, name: str) -> bool:
    return row.get(f"coefficients.{name}.truth") is not None


def tally(table: Sequence[Row]) -> list[Row]:
    """Return the sums over all problems by setting and method, medians of the ratios."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        cells.setdefault((row["setting"], row["method"]), []).append(row)
    found = []
    for (setting, method), members in cells.items():
        row = {"problem": "all", "setting": setting, "method": method}
        counted = ("num_seeds", "solved_right", "doubtful_right", "solved_wrong", "told_wrong")
        row |= {key: sum(r[key] for r in members) for key in counted}
        for key in ("rms_over_best", "width_over_best", "coverage_95", "seconds"):
            known = [r[key] for r in members if r[key] is not None]
            row[key] = float(np.median(known)) if known else None
        found.append(row)
    return found
