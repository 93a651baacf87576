"""One self-contained HTML page: what a person reads first about a run.

The last stage of the report. The page holds its figures, its style and its formulas (MathML) and
asks nothing of the network, so that it can be mailed and kept. Words come from `verdict` and
`statement`; the layout is ``page.html.j2``, where every value is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from pinngate.expression.parser import NONE, Functions
from pinngate.report import candidates, page_figures, result_tables, verdict
from pinngate.report import stated as statement
from pinngate.report.archive import RunArchive, read
from pinngate.report.candidate_table import candidate_table
from pinngate.report.cuts import FRAMES
from pinngate.report.notation import ABSENT, seconds
from pinngate.report.piece_tables import piece_tables
from pinngate.report.vector_graphics import FIGURE_WIDTH
from pinngate.statement.options import NetworkOptions
from pinngate.writing import write_bytes

FILES = (
    "problem.yaml", "observations.csv", "solution.npz", "solution.nc", "metrics.json",
    "history.csv", "environment.json",
)  # fmt: skip


def write(folder: str | Path, *, functions: Functions = NONE) -> Path:
    """Write ``figures/*.svg``, the same as PNG and ``report.html`` of a finished run.

    Each file replaces an earlier one, and appears complete or not at all.

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
    from pinngate.report.vector_graphics import svg

    archive = read(folder, functions=functions)
    images = archive.folder / "figures"
    images.mkdir(exist_ok=True)
    documents = {}
    for name, figure in figures_of(archive).items():
        if not name.startswith("film"):  # all of whose pictures lie on each other
            write_bytes(images / f"{name}.png", png(figure))
        documents[name] = svg(figure, page_figures.words(archive, name))
        write_bytes(images / f"{name}.svg", documents[name].encode("utf-8"))
    page = archive.folder / "report.html"
    write_bytes(page, render(archive, documents).encode("utf-8"))
    return page


def render(archive: RunArchive, figures: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        archive: the run.
        figures: name to SVG document, as `figures_of` names them.
    """
    import jinja2

    source = files("pinngate.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    problem = archive.problem
    file = archive.folder / "problem.yaml"
    drawn = [f"figures/{name}.svg" for name in figures]
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
        accuracy=result_tables.accuracy(archive),
        coefficients=result_tables.coefficients(archive),
        pieces=piece_tables(archive),
        chosen=candidate_table(archive),
        derived=result_tables.derived(archive),
        noise=verdict.noise_rows(archive),
        figures=page_figures.pictures(archive, figures),
        most_frames=FRAMES,
        figure_width=FIGURE_WIDTH,
        data_files=_data_files(archive.folder),
        drawn_files=[name for name in drawn if (archive.folder / name).is_file()],
        solving=list(_solving(archive)),
        race=candidates.race_table(archive),
        is_mean=candidates.num_members(archive) > 1,
        environment=list(_flat(archive.environment)),
        source_file=file.read_text(encoding="utf-8") if file.is_file() else None,
    )


def _data_files(folder: Path) -> list[str]:
    """Return the names of what a run left that can be read elsewhere, and of the data it read."""
    brought = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("data/*"))]
    return [name for name in FILES if (folder / name).is_file()] + brought


def _counts(archive: RunArchive) -> list[int]:
    return [len(columns["value"]) for _, _, columns in archive.observation_sets()]


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
