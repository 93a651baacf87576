"""Finished runs side by side: what `pinngate compare` prints and draws.

Above the report, whose reader it uses, so that a folder that is no finished run is refused in the
same words. Only what the runs recorded is shown; nothing is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinngate.errors import InputError
from pinngate.report import RunArchive, read
from pinngate.report.notation import (
    ABSENT,
    interval,
    mathtext,
    percent,
    significant,
    with_uncertainty,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_COMPARED = ("fields", "limit", "coefficients", "noise_std", "risk")


def read_runs(folders: Sequence[Path]) -> list[RunArchive]:
    """Read finished runs.

    Raises:
        InputError: a folder holds none, or stands twice.
    """
    resolved = [folder.resolve() for folder in folders]
    for i, folder in enumerate(resolved):
        if folder in resolved[:i]:
            raise InputError(f"{folders[i]} stands twice", expected="different runs to compare")
    return [read(folder) for folder in folders]


def summary(archive: RunArchive) -> dict[str, Any]:
    """Return the figures of one run that are compared, as JSON would hold them."""
    metrics = archive.metrics
    return {
        "folder": str(archive.folder),
        **{key: metrics.get(key) for key in ("problem", "optimizer", "seed", "status")},
        "seconds": archive.number("seconds", "total"),
        **{key: archive.section(key) for key in _COMPARED},
        "misfit": metrics.get("misfit"),
    }


def rows(runs: Sequence[RunArchive]) -> list[tuple[str, list[str]]]:
    """Return the table: a quantity and its value in words for each run."""
    found: dict[str, dict[int, str]] = {}
    for i, archive in enumerate(runs):
        for quantity, value in _values(archive):
            found.setdefault(quantity, {})[i] = value
    return [
        (quantity, [values.get(i, ABSENT) for i in range(len(runs))])
        for quantity, values in found.items()
    ]


def _values(archive: RunArchive) -> Iterator[tuple[str, str]]:
    metrics, number = archive.metrics, archive.number
    for key in ("problem", "optimizer", "seed", "status"):
        yield key, str(metrics.get(key, ABSENT))
    yield "seconds", significant(number("seconds", "total"))
    for unknown in archive.problem.unknowns:
        yield f"{unknown}: relative L2 error", percent(number("fields", unknown, "relative_l2"))
        yield f"{unknown}: statistical limit", percent(number("limit", unknown, "relative_l2"))
        covered = number("fields", unknown, "coverage_95")
        yield f"{unknown}: coverage of the 95 % interval", percent(covered)
    for name, entry in archive.section("coefficients").items():
        at = ("coefficients", name)
        yield name, with_uncertainty(number(*at, "estimate"), number(*at, "std"))
        yield f"{name}: 95 % interval", interval(*(entry.get("interval_95") or (None, None)))
    for name in archive.section("noise_std"):
        yield f"{name}: noise", significant(number("noise_std", name))
    yield "leave-one-out risk", significant(number("risk", "leave_one_out"))
    yield "held-out risk", significant(number("risk", "held_out"))
    is_clear = archive.section("misfit").get("is_clear", ABSENT)
    yield "fits its data", {True: "no", False: "yes"}.get(is_clear, str(is_clear))


def figure(runs: Sequence[RunArchive]) -> Figure:
    """Draw error against limit, coefficients with intervals, and risk: one line for each run."""
    import numpy as np

    from pinngate.report.style import label, new_figure, open_frame

    panels = _panels(runs)
    places = np.arange(len(runs))[::-1]
    num_columns = min(3, len(panels))
    num_rows = -(-len(panels) // num_columns)
    sheet = new_figure(num_rows * (1.2 + 0.3 * len(runs)))
    grid = sheet.subplots(num_rows, num_columns, squeeze=False, sharey=True)
    for plot in grid.ravel()[len(panels) :]:
        plot.set_visible(False)
    for plot, (words, name, mark) in zip(grid.ravel(), panels, strict=False):
        for place, archive in zip(places, runs, strict=True):
            mark(plot, place, archive, name)
        label(plot, words, "")
        open_frame(plot)
        handles, labels = plot.get_legend_handles_labels()
        if handles:
            first = dict(zip(labels[::-1], handles[::-1], strict=True))
            plot.legend(first.values(), first, fontsize=6, frameon=False, loc="best")
    for plot in grid[:, 0]:
        plot.set_yticks(places, names_of(runs))
        plot.set_ylim(-0.6, len(runs) - 0.4)
    return sheet


Mark = Callable[[Any, float, RunArchive, str], None]


def _panels(runs: Sequence[RunArchive]) -> list[tuple[str, str, Mark]]:
    """Return what each panel is labelled with, what it is of and how a run is marked in it."""
    unknowns = dict.fromkeys(u for a in runs for u in a.problem.unknowns)
    names = dict.fromkeys(n for a in runs for n in a.section("coefficients"))
    shown = [u for u in unknowns if any(a.number("fields", u, "relative_l2") for a in runs)]
    return [
        *((f"{mathtext(u)}, relative L2 error", u, _mark_error) for u in shown),
        *((mathtext(n), n, _mark_coefficient) for n in names),
        ("risk", "", _mark_risk),
    ]


def _mark_error(plot: Any, place: float, archive: RunArchive, name: str) -> None:
    from pinngate.report.style import ESTIMATE, LIMIT

    error, best = (archive.number(source, name, "relative_l2") for source in ("fields", "limit"))
    if error is not None:
        plot.plot(error, place, "o", color=ESTIMATE, label="error")
    if best is not None:
        plot.plot(best, place, "|", color=LIMIT, markersize=12, label="limit")


def _mark_coefficient(plot: Any, place: float, archive: RunArchive, name: str) -> None:
    from pinngate.report.style import ESTIMATE, INK

    ends = archive.section("coefficients", name).get("interval_95")
    estimate, truth = (archive.number("coefficients", name, key) for key in ("estimate", "truth"))
    if ends:
        plot.plot(ends, [place, place], color=ESTIMATE, linewidth=1.6, label="95 % interval")
    if estimate is not None:
        plot.plot(estimate, place, "o", color=ESTIMATE, label="estimate")
    if truth is not None:
        plot.plot(truth, place, "|", color=INK, markersize=12, label="truth")


def _mark_risk(plot: Any, place: float, archive: RunArchive, name: str) -> None:
    from pinngate.report.style import ESTIMATE, LIMIT

    for key, words, colour, marker in (
        ("leave_one_out", "leave-one-out", ESTIMATE, "o"),
        ("held_out", "held out", LIMIT, "D"),
    ):
        value = archive.number("risk", key)
        if value is not None:
            plot.plot(value, place, marker, color=colour, label=words)


def names_of(runs: Sequence[RunArchive]) -> list[str]:
    """Return short names that tell the folders apart: the last parts of their paths."""
    parts = [archive.folder.resolve().parts for archive in runs]
    size = 1
    while len({p[-size:] for p in parts}) < len(parts):
        size += 1
    return ["/".join(p[-size:]) for p in parts]


__all__ = ["figure", "names_of", "read_runs", "rows", "summary"]
