"""The gallery: every shipped problem solved once with defaults, and the page that shows them.

Beside the suites of a benchmark: one seed, all problems, one figure each. ``python -m
pinngate.bench.gallery`` solves what is missing in results/gallery, a run folder each, and writes
there one small figure a problem and summary.csv; docs/gallery.md is made from these two alone.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from pinngate import config
from pinngate import solution as runs
from pinngate.config import catalog
from pinngate.errors import PinngateError
from pinngate.report.archive import RunArchive, read
from pinngate.report.notation import ABSENT, percent, significant, with_uncertainty
from pinngate.statement.problem import Problem

logger = logging.getLogger(__name__)

FOLDER = Path("results/gallery")
PAGE = Path("docs/gallery.md")
SEED = 0
DPI = 80  # figures of many panels stay below 60 kB
COLUMNS = (
    "problem",
    "status",
    "seconds",
    "kind",
    "of",
    "relative_l2",
    "limit",
    "classical",
    "coverage_95",
    "estimate",
    "std",
    "truth",
)

Row = dict[str, str]


def solve_missing(folder: Path = FOLDER, names: Sequence[str] | None = None) -> None:
    """Solve shipped problems that `folder` has no rows of; write figures and ``summary.csv``.

    A finished run folder is read, not repeated; delete it and its rows to repeat a problem. A
    failure is a row with its reason.

    Args:
        folder: gets ``summary.csv``, ``<problem>.png`` and a run folder for each problem.
        names: of the problems; all by default.

    Cost: ten seconds to two minutes a problem on one core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_summary(folder)
    for name in names or catalog.names():
        if any(row["problem"] == name for row in rows):
            continue
        try:
            rows += _solved(name, folder)
        except PinngateError as error:
            reason = str(error).splitlines()[0]
            rows.append(dict.fromkeys(COLUMNS, "") | {"problem": name, "status": reason})
        logger.info("%s: %s", name, rows[-1]["status"])
        rows.sort(key=lambda row: row["problem"])
        _write_summary(folder, rows)


def _solved(name: str, folder: Path) -> list[Row]:
    own = folder / name
    if not (own / "metrics.json").exists():
        if (own / "problem.yaml").exists():
            runs.resume(own)
        else:
            stated = [f"solve.seed={SEED}"]
            runs.run(config.load(catalog.path(name), overrides=stated), own)
    archive = read(own)
    (folder / f"{name}.png").write_bytes(_small_figure(archive))
    return rows_of(archive)


def rows_of(archive: RunArchive) -> list[Row]:
    """Return one row for each field, coefficient field and coefficient of a run."""
    problem = archive.problem
    common = {
        "problem": problem.name,
        "status": str(archive.metrics["status"]),
        "seconds": _text(archive.number("seconds", "total")),
    }
    rows = [
        _row(common, kind, name, _field_figures(archive, kind, name))
        for kind, names in (
            ("fields", problem.unknowns),
            ("coefficient_fields", [name for name, _ in archive.varying()]),
        )
        for name in names
    ]
    for coefficient in problem.shown_coefficients:
        keys = ("estimate", "std", "truth")
        told = {key: archive.number("coefficients", coefficient.name, key) for key in keys}
        rows.append(_row(common, "coefficients", coefficient.name, told))
    return rows


def _field_figures(archive: RunArchive, kind: str, name: str) -> dict[str, float | None]:
    told = {key: archive.number(kind, name, key) for key in ("relative_l2", "coverage_95")}
    rivals = ("limit", "classical")
    return told | {rival: archive.number(rival, name, "relative_l2") for rival in rivals}


def _row(common: Row, kind: str, of: str, told: dict[str, float | None]) -> Row:
    texts = {key: _text(value) for key, value in told.items()}
    return dict.fromkeys(COLUMNS, "") | common | {"kind": kind, "of": of} | texts


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _small_figure(archive: RunArchive) -> bytes:
    """Return the figure of the first unknown coefficient field or field as a PNG of a palette."""
    from PIL import Image

    from pinngate.report import fields

    varying = archive.varying()
    if varying:
        name, own = varying[0]
        figure = fields.solution(own, name)
    else:
        figure = fields.solution(archive, archive.problem.unknowns[0])
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    # the palette is refined by k-means: without, colours that fill little of the figure turn grey
    image = Image.open(drawn).convert("RGB").quantize(256, kmeans=1, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def read_summary(folder: Path = FOLDER) -> list[Row]:
    """Return the rows of ``summary.csv``, none where there is no such file."""
    file = folder / "summary.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _write_summary(folder: Path, rows: Iterable[Row]) -> None:
    with (folder / "summary.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


_HEAD = """\
# Gallery

Every shipped problem, solved once with default settings and seed {seed}: one draw of the noise
each, none chosen. Errors are relative L2 over the whole domain; *limit* is the expected error of
the best unbiased estimator that knows the modes present, *classical* a smoothing spline, with a
solver where there is one ([what is computed](method.md)). Seconds were taken on one core that was
shared. Figures show the first field, or the coefficient field where one is unknown, and its
standard deviation. `python -m pinngate.bench.gallery` makes this page; the numbers are in
[summary.csv](../results/gallery/summary.csv).
"""


def page(rows: Sequence[Row]) -> str:
    """Return the gallery as Markdown, for docs/: an overview, and a section for each problem."""
    problems = {name: config.load(catalog.path(name)) for name in catalog.names()}
    parts = [_HEAD.format(seed=SEED), _overview(rows)]
    for name, problem in problems.items():
        own = [row for row in rows if row["problem"] == name]
        parts.append(_section(problem, own))
    return "\n".join(parts)


def _overview(rows: Sequence[Row]) -> str:
    lines = [
        "| problem | of | error | limit | classical | 95 % interval covers | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        link = f"[{row['problem']}](#{row['problem']})"
        if not row["kind"]:
            lines.append(f"| {link} | {row['status']} | | | | | |")
        elif row["kind"] != "coefficients":
            errors = (_shown(row[key]) for key in ("relative_l2", "limit", "classical"))
            covers = percent(_number(row["coverage_95"]))
            cells = [link, f"`{row['of']}`", *errors, covers, _shown(row["seconds"])]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _section(problem: Problem, rows: Sequence[Row]) -> str:
    name = problem.name
    lines = [
        f"## {name}\n",
        f"**{problem.title}.** {_first_sentence(problem.description)}\n",
        "```",
        *(equation.text for equation in problem.equations),
        "```\n",
    ]
    if any(row["kind"] for row in rows):
        lines.append(f"![{problem.title}](../results/gallery/{name}.png)\n")
    lines.append(f"{_verdict(rows)} [Problem file](../problems/{name}.yaml)\n")
    return "\n".join(lines)


def _verdict(rows: Sequence[Row]) -> str:
    """Return errors and coefficients as one sentence each."""
    if not rows:
        return "Not run yet."
    status = rows[0]["status"]
    if not rows[0]["kind"]:
        return f"Failed: {status}."
    coefficients = [row for row in rows if row["kind"] == "coefficients"]
    judged = [row for row in rows if row not in coefficients and row["relative_l2"]]
    told = [*map(_error_words, judged), *map(_estimate_words, coefficients)]
    text = "; ".join(told) or "no truth to compare with"
    state = "" if status == "converged" else f" **{status.capitalize()}.**"
    return text[0].upper() + text[1:] + "." + state


def _error_words(row: Row) -> str:
    return f"error of `{row['of']}` {_shown(row['relative_l2'])}"


def _estimate_words(row: Row) -> str:
    value = with_uncertainty(_number(row["estimate"]), _number(row["std"]))
    truth = f" (true value {_shown(row['truth'])})" if row["truth"] else ""
    return f"`{row['of']}` = {value}{truth}"


def _first_sentence(text: str) -> str:
    words = " ".join(text.split())
    return words.split(". ")[0].rstrip(".").replace("*", r"\*") + "."


def _number(text: str) -> float | None:
    return float(text) if text else None


def _shown(text: str) -> str:
    return significant(float(text)) if text else ABSENT


def write_page(file: Path = PAGE, folder: Path = FOLDER) -> Path:
    """Write the gallery page; return its path."""
    file.write_text(page(read_summary(folder)), encoding="utf-8")
    return file


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for shipped in catalog.names():
        solve_missing(names=[shipped])
        write_page()
