"""One self-contained HTML page: what a person reads first about a run.

The last stage of the report. The page holds its figures, its style and its formulas (MathML) and
asks nothing of the network, so that it can be mailed and kept. Words come from `verdict` and
`statement`; the layout is ``page.html.j2``, where every value is escaped.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from pinngate.expression.parser import NONE, Functions
from pinngate.report import candidates, mathml, verdict
from pinngate.report import stated as statement
from pinngate.report.alternatives import alternative
from pinngate.report.archive import RunArchive, read
from pinngate.report.candidate_table import candidate_table
from pinngate.report.coefficient_tables import coefficient_table, piece_tables, told_columns
from pinngate.report.derived_table import derived_rows
from pinngate.report.figures import MOST_EACH
from pinngate.report.notation import (
    ABSENT,
    seconds,
)
from pinngate.statement.options import NetworkOptions
from pinngate.writing import write_bytes

CAPTIONS = {
    "solution": (
        "The solution",
        "The estimated field and, where the method gives one, its standard deviation: how far off "
        "the estimate may be at each place. Dots are observations; those coloured on the scale of "
        "the field stand out from it by their noise. With several times, each observation is shown "
        "at the nearest.",
    ),
    "slices": (
        "Slices",
        "The estimate (blue) with its 95 % interval (shaded), the truth where known (dashed) and "
        "the observations within 1 % of the slice. Axes that do not vary are held in the middle or "
        "at a sensor. The dashed line should leave the shading at about one place in twenty.",
    ),
    "error": (
        "The error",
        "The distance from the truth, and the relative L2 error over time or its size in standard "
        "deviations. The error at each time is relative to the whole field, so that it compares "
        "with the dashed whole-domain errors. A dotted line well below the solid one means "
        "intervals that are too narrow.",
    ),
    "field": (
        "The coefficient",
        "The estimated coefficient over its axes and its standard deviation. Where the fields have "
        "no slope for it to act on, and at the edges, the data say little of it: there the "
        "deviation grows and the estimate falls back towards its initial value.",
    ),
    "fit": (
        "The fit to the data",
        "Left: observed against fitted values; about 95 % should lie in the band. Right: the "
        "residuals, which should follow the normal curve of the noise. A histogram narrower than "
        "the curve of the stated noise (dashed, where the data state it) means that noise was "
        "fitted, a wider one that signal was missed.",
    ),
    "residuals": (
        "The residuals",
        "Along each axis, with the mean of neighbours and its 95 % interval: a wave or a slope is "
        "signal that the model misses, a funnel is noise that varies. Right: their ordered values "
        "against those of a normal distribution; ends that leave the diagonal are heavy tails.",
    ),
    "series": (
        "The series",
        "What each sensor read (dots) over time, and the fit at those times (line); of many "
        "sensors, nine.",
    ),
    "calibration": (
        "Calibration",
        "How much the intervals of every level hold. On the diagonal they hold what they claim, "
        "above it they are too wide, below it too narrow.",
    ),
    "coefficients": (
        "Coefficients",
        "Each estimated number over the iterations with its 95 % interval; of several networks, "
        "the chosen one's. It should have settled before the end.",
    ),
    "training": (
        "Training",
        "What was minimised, by terms, and the error against the truth where it is known. Where "
        "several networks raced, each starts at iteration 0: the chosen one in colour, the others "
        "in grey. A grey line ends where its network stopped or was dropped for its risk.",
    ),
    "risk": (
        "The risk",
        "Of the network that was chosen. The leave-one-out risk, which needs no truth, should fall "
        "to just above the noise variance and stay; a training misfit far below the noise variance "
        "means that noise was fitted. The ridge α, which keeps directions that carry only noise at "
        "rest, follows the least risk; the effective dimension counts the directions left to "
        "move. Iterates count from the end of the shaded ramp, where the physics has its full "
        "weight.",
    ),
    "gate": (
        "The gate",
        "The share of coordinates in which the signal of the gradient exceeded its noise, so that "
        "the data could move them, and the rate at which they moved.",
    ),
}


PLACES = {"solution": "first", "training": "training", "risk": "training", "gate": "training"}
ACCURACY = ("", "this run", "classical", "statistical limit", "this run / limit")
FILES = (
    "problem.yaml", "observations.csv", "solution.npz", "solution.nc", "metrics.json",
    "history.csv", "environment.json",
)  # fmt: skip


def write(folder: str | Path, *, functions: Functions = NONE) -> Path:
    """Write ``figures/*.png`` and ``report.html`` of a finished run, replacing earlier ones.

    Each file appears complete or not at all.

    Args:
        folder: of the run.
        functions: of the caller's own that its problem calls.

    Returns:
        The path of the page.

    Raises:
        InputError: `folder` is no finished run.
    """
    from pinngate.report.figures import figures_of
    from pinngate.report.style import png

    archive = read(folder, functions=functions)
    figures = {name: png(figure) for name, figure in figures_of(archive).items()}
    images = archive.folder / "figures"
    images.mkdir(exist_ok=True)
    for name, content in figures.items():
        write_bytes(images / f"{name}.png", content)
    page = archive.folder / "report.html"
    write_bytes(page, render(archive, figures).encode("utf-8"))
    return page


def render(archive: RunArchive, figures: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        archive: the run.
        figures: name to PNG, as `figures_of` names them.
    """
    import jinja2

    source = files("pinngate.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    problem = archive.problem
    file = archive.folder / "problem.yaml"
    return environment.from_string(source).render(
        title=problem.title or problem.name,
        problem=problem,
        verdict=verdict.verdict(archive),
        domain=statement.domain(problem),
        equations=statement.equations(problem),
        numbers=list(statement.numbers(problem)),
        conditions=list(statement.conditions(problem)),
        observations=list(statement.observations(problem, _counts(archive))),
        truth=list(statement.truth(problem)),
        accuracy=_accuracy(archive),
        coefficients=coefficient_table(archive),
        pieces=piece_tables(archive),
        chosen=candidate_table(archive),
        derived=derived_rows(archive),
        noise=verdict.noise_rows(archive),
        figures=_pictures(archive, figures),
        data_files=[name for name in FILES if (archive.folder / name).is_file()],
        solving=list(_solving(archive)),
        race=candidates.race_rows(archive),
        is_mean=candidates.num_members(archive) > 1,
        environment=list(_flat(archive.environment)),
        source_file=file.read_text(encoding="utf-8") if file.is_file() else None,
    )


def _counts(archive: RunArchive) -> list[int]:
    return [len(columns["value"]) for _, _, columns in archive.observation_sets()]


def _accuracy(archive: RunArchive) -> list[dict[str, Any]]:
    tables = []
    judged = [(archive, unknown) for unknown in archive.problem.unknowns]
    judged += [(own, name) for name, own in archive.varying()]
    for part, unknown in judged:
        rows = verdict.accuracy_rows(part, unknown)
        entry = archive.section("classical", unknown)
        if rows:
            heads, rows = told_columns(ACCURACY, rows)
            table = {"symbol": mathml.symbol(unknown), "heads": heads, "rows": rows}
            tables.append(table | {"method": entry.get("method")})
    return tables


def _pictures(archive: RunArchive, figures: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the figures by their place: under the verdict, further down, and in a fold."""
    places: dict[str, Any] = {"first": [], "rest": [], "training": [], "note": ""}
    for name, content in figures.items():
        picture = _figure(archive, name, content)
        places[PLACES.get(name.partition("_")[0], "rest")].append(picture)
    left_out = max(len(archive.problem.unknowns), len(archive.observation_sets())) - MOST_EACH
    if left_out > 0 and figures:
        places["note"] = (
            f"Of fields and sets beyond the first {MOST_EACH} only the solution is drawn."
        )
    return places


def _figure(archive: RunArchive, name: str, content: bytes) -> dict[str, str]:
    kind, _, suffix = name.partition("_")
    heading, caption = CAPTIONS.get(kind, (kind.capitalize(), ""))
    if suffix:
        sets = dict.fromkeys(("fit", "residuals", "series"), f"(set {suffix})")
        heading += " " + (sets | {"field": suffix}).get(kind, f"of {suffix}")
    return {
        "name": name,
        "heading": heading,
        "alternative": alternative(archive, name, heading),
        "caption": caption,
        "data": b64encode(content).decode("ascii"),
    }


def _solving(archive: RunArchive) -> Iterator[tuple[str, str]]:
    metrics, options = archive.metrics, archive.problem.solve
    yield "optimizer", str(metrics.get("optimizer") or options.optimizer)
    yield "stopped because", str(metrics.get("reason") or "not recorded")
    yield from _counted(archive)
    yield from _networks(archive)
    points = archive.section("points")
    if points:
        yield "points", ", ".join(f"{n:,} {what}" for what, n in points.items() if n is not None)
    yield from _time(archive)
    seed = metrics.get("seed")
    yield "seed", str(options.seed if seed is None else seed)


def _counted(archive: RunArchive) -> Iterator[tuple[str, str]]:
    num_racing = len(candidates.race_rows(archive))
    together = f" of {num_racing} networks together" if num_racing else ""
    for key, beside in (("iterations", together), ("parameters", "")):
        count = archive.number(key)
        if count is not None:
            yield key, f"{count:,.0f}{beside}"


def _networks(archive: RunArchive) -> Iterator[tuple[str, str]]:
    options = archive.problem.solve.network
    network = archive.section("network")
    if not network and isinstance(options, NetworkOptions):
        network = asdict(options)
    num_members = candidates.num_members(archive)
    is_mean = num_members > 1
    if is_mean:
        yield "answer", f"the mean of {num_members} networks that the data do not tell apart"
    if network:
        largest = " (the largest share)" if is_mean else ""
        kind = "network" if network.get("own") else "hidden layers"
        words = candidates.network_words(network)
        if words != ABSENT:
            yield kind, words + largest


def _time(archive: RunArchive) -> Iterator[tuple[str, str]]:
    total = archive.number("seconds", "total")
    if total is not None:
        parts = [
            f"{stage} {seconds(archive.number('seconds', stage))}"
            for stage in archive.section("seconds")
            if stage != "total"
        ]
        yield "time", seconds(total) + (f" ({', '.join(parts)})" if parts else "")


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, entry in value.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(entry, dict):
            yield from _flat(entry, f"{name}: ")
        elif isinstance(entry, list):
            yield name, ", ".join(map(str, entry))
        else:
            yield name, "–" if entry is None else str(entry)
