"""Where the baseline of a benchmark stands in every cell: by error, and by time to the limit.

Methods may have run on fewer seeds than the baseline; places are by the median ratio of errors over
the seeds that both have, never by medians over different data. A rival counts as better where that
ratio is below one and Wilcoxon's signed-rank test on the paired seeds says so (p < 0.05, not
corrected, which is the harder rule for the baseline), or, with too few seeds for a test, where it
has the smaller error on every seed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinngate.bench.measures import Row
from pinngate.bench.suite import Suite
from pinngate.bench.summaries import Tables

ALPHA = 0.05
LEAST_PAIRS = 6  # fewer cannot reach p < 0.05 on two sides
TO_LIMIT = "1.5x_limit"


def standing(suite: Suite, tables: Tables) -> list[Row]:
    """Return one row for each problem, setting and field that the baseline and a rival solve."""
    solved, rivalries = _by_cell(tables.fields), _by_cell(tables.comparisons)
    table = []
    for cell, members in solved.items():
        own = next((r for r in members if r["method"] == suite.reference), None)
        rivals = rivalries.get(cell)
        if own is not None and rivals:
            table.append(_place(cell, own, members, rivals))
    return table


def _by_cell(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Return the rows of each problem, setting and field."""
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["problem"], row["setting"], row["field"]), []).append(row)
    return cells


def _place(
    cell: tuple[str, str, str], own: Row, members: Sequence[Row], rivals: Sequence[Row]
) -> Row:
    best = min(rivals, key=_ratio)
    return {
        **dict(zip(("problem", "setting", "field"), cell, strict=True)),
        "place": 1.0 + sum(_ratio(r) < 1 for r in rivals),
        "num_methods": float(len(members)),
        "best_rival": best["method"],
        "best_ratio": best["ratio"],
        "error": own["relative_l2_median"],
        "better": ", ".join(r["method"] for r in rivals if _is_better(r)) or "none",
        "first_to_limit": _first_to_limit(members),
    }


def _ratio(row: Row) -> float:
    """Return a rival's error over the baseline's, the median over the seeds that both have."""
    ratio = row["ratio"]
    return float("inf") if ratio is None else float(ratio)


def _is_better(row: Row) -> bool:
    """Whether the rival of a comparison is better than the baseline."""
    if row["ratio"] is None or row["ratio"] >= 1:
        return False
    if row["num_pairs"] < LEAST_PAIRS or row["p_wilcoxon"] is None:
        return bool(row["probability_of_improvement"] == 0)
    return bool(row["p_wilcoxon"] < ALPHA)


def _first_to_limit(members: Sequence[Row]) -> str:
    """Return the method that comes within 1.5 times the limit soonest on most seeds, or a dash."""
    arrived = [r for r in members if r.get(f"arrived_{TO_LIMIT}")]
    if not arrived:
        return "–"
    share = max(r[f"arrived_{TO_LIMIT}"] for r in arrived)
    surest = [r for r in arrived if r[f"arrived_{TO_LIMIT}"] >= min(share, 0.5)]
    return str(min(surest, key=lambda r: float(r[f"seconds_to_{TO_LIMIT}"]))["method"])


def sentences(suite: Suite, places: Sequence[Row]) -> list[str]:
    """Return how often the baseline is first, or tied for first, and how often the soonest."""
    tied = sum(row["place"] == 1 or row["better"] == "none" for row in places)
    first = sum(row["place"] == 1 for row in places)
    told = [row for row in places if row["first_to_limit"] != "–"]
    soonest = sum(row["first_to_limit"] == suite.reference for row in told)
    return [
        f"{suite.reference} is first by the median ratio of errors in {first} of {len(places)} "
        f"cells, and no rival is significantly better in {tied} of {len(places)}",
        f"{suite.reference} is the soonest within 1.5 times the limit in {soonest} of the "
        f"{len(told)} cells where any method gets there",
    ]
