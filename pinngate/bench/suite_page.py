"""One self-contained page about a benchmark, and its figures as files.

The last step of a benchmark. The layout is ``page.html.j2``, where every value is escaped; figures
are embedded, so that the page can be mailed and kept.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from pinngate.bench.measures import Row
from pinngate.bench.methods import method
from pinngate.bench.standing import sentences, standing
from pinngate.bench.suite import Choice, Suite
from pinngate.bench.suite_figures import FAMILIES, figures_of, slug
from pinngate.bench.suite_tables import (
    ABOUT,
    ABOUT_COMPARISONS,
    COEFFICIENT_COLUMNS,
    COMPARISON_COLUMNS,
    FIELD_COLUMNS,
    arrival_columns,
    number,
    text,
    version_line,
)
from pinngate.bench.summaries import Tables, make_tables
from pinngate.report.style import png

ALPHA = 0.05


def write_page(suite: Suite, rows: Sequence[Row], folder: Path, command: str) -> Path:
    """Write ``figures/*.png`` and ``report.html``; return the page."""
    import jinja2

    tables = make_tables(suite, rows)
    images = {name: png(figure) for name, figure in figures_of(suite, rows).items()}
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name, content in images.items():
        (folder / "figures" / f"{name}.png").write_bytes(content)
    source = files("pinngate.bench").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    cells = list(dict.fromkeys((r["problem"], r["setting"]) for r in tables.fields))
    page = environment.from_string(source).render(
        suite=suite,
        about=ABOUT,
        about_comparisons=ABOUT_COMPARISONS,
        version=version_line(command),
        verdict=verdict(suite, tables),
        images={name: b64encode(content).decode("ascii") for name, content in images.items()},
        sections=[_section(suite, tables, *cell) for cell in cells],
        methods=[_described(label, choice) for label, choice in suite.methods.items()],
        left_out=tables.left_out,
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _described(label: str, choice: Choice) -> Row:
    chosen = method(choice.method)
    return {
        "label": label,
        "family": FAMILIES[chosen.family],
        "summary": chosen.summary,
        "options": ", ".join(f"{k}: {v}" for k, v in choice.options.items()) or "defaults",
        "source": chosen.source,
    }


def _section(suite: Suite, tables: Tables, problem: str, setting: str) -> Row:
    def shown(columns: Sequence[tuple[str, str]], rows: Sequence[Row]) -> Row | None:
        own = [r for r in rows if (r["problem"], r["setting"]) == (problem, setting)]
        kept = [c for c in columns if c[1] not in ("problem", "setting")]
        if not own:
            return None
        return {
            "head": [title for title, _ in kept],
            "rows": [
                {
                    "is_ours": row["method"] == suite.reference,
                    "cells": [text(row, key) for _, key in kept],
                }
                for row in own
            ],
        }

    return {
        "title": problem if setting == "default" else f"{problem}, {setting}",
        "figure": slug(problem, setting),
        "fields": shown(FIELD_COLUMNS, tables.fields),
        "coefficients": shown(COEFFICIENT_COLUMNS, tables.coefficients),
        "comparisons": shown(COMPARISON_COLUMNS, tables.comparisons),
        "arrivals": shown(arrival_columns(suite), tables.fields),
    }


def verdict(suite: Suite, tables: Tables) -> list[str]:
    """Return where the baseline stands, and for each rival in how many cells it is better."""
    told = sentences(suite, standing(suite, tables)) if len(suite.methods) > 1 else []
    for label in suite.methods:
        own = [row for row in tables.comparisons if row["method"] == label]
        if own:
            told.append(_against(suite.reference, label, own))
    return told


def _against(reference: str, label: str, rows: Sequence[Row]) -> str:
    """Return in how many cells the baseline is better than one rival, and by how much."""
    clear = [row["probability_of_improvement"] for row in rows if _is_significant(row)]
    better, worse = sum(p > 0.5 for p in clear), sum(p < 0.5 for p in clear)
    ratios = sorted(row["ratio"] for row in rows if row["ratio"] is not None)
    middle = number(ratios[len(ratios) // 2]) if ratios else "–"
    return (
        f"{label}: {reference} is better in {better}, worse in {worse}, not told apart "
        f"in {len(rows) - better - worse} of {len(rows)} cells; error / {reference}'s "
        f"is {middle} in the middle cell"
    )


def _is_significant(row: Row) -> bool:
    return row["p_holm"] is not None and row["p_holm"] < ALPHA
