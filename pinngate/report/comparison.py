"""Finished runs side by side: what `pinngate compare` prints and draws.

Above the report, whose reader it uses, so that a folder that is no finished run is refused in the
same words. Only what the runs recorded is shown; nothing is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinngate.errors import InputError
from pinngate.report import RunArchive, read
from pinngate.report.notation import ABSENT, interval, percent, significant, with_uncertainty

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        "fields": metrics.get("fields") or {},
        "limit": metrics.get("limit") or {},
        "coefficients": metrics.get("coefficients") or {},
        "noise_std": metrics.get("noise_std") or {},
        "risk": metrics.get("risk") or {},
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
    yield "problem", str(metrics.get("problem", ABSENT))
    yield "optimizer", str(metrics.get("optimizer", ABSENT))
    yield "seed", str(metrics.get("seed", ABSENT))
    yield "status", str(metrics.get("status", ABSENT))
    yield "seconds", significant(number("seconds", "total"))
    for unknown in archive.problem.unknowns:
        yield f"{unknown}: relative L2 error", percent(number("fields", unknown, "relative_l2"))
        yield f"{unknown}: statistical limit", percent(number("limit", unknown, "relative_l2"))
        covered = number("fields", unknown, "coverage_95")
        yield f"{unknown}: coverage of the 95 % interval", percent(covered)
    for name, entry in (metrics.get("coefficients") or {}).items():
        at = ("coefficients", name)
        yield name, with_uncertainty(number(*at, "estimate"), number(*at, "std"))
        yield f"{name}: 95 % interval", interval(*(entry.get("interval_95") or (None, None)))
    for name in metrics.get("noise_std") or {}:
        yield f"{name}: noise", significant(number("noise_std", name))
    yield "leave-one-out risk", significant(number("risk", "leave_one_out"))
    yield "held-out risk", significant(number("risk", "held_out"))
    misfit = metrics.get("misfit") or {}
    fits = ABSENT if "is_clear" not in misfit else "no" if misfit["is_clear"] else "yes"
    yield "fits its data", fits


def figure(runs: Sequence[RunArchive]) -> Figure:
    """Draw error against limit, coefficients with intervals, and risk: one line for each run."""
    import numpy as np

    from pinngate.report.notation import mathtext
    from pinngate.report.style import ESTIMATE, INK, LIMIT, label, legend, new_figure, open_frame

    unknowns = list(dict.fromkeys(u for a in runs for u in a.problem.unknowns))
    names = list(dict.fromkeys(n for a in runs for n in a.metrics.get("coefficients") or {}))
    shown = [u for u in unknowns if any(a.number("fields", u, "relative_l2") for a in runs)]
    panels = [*((u, "field") for u in shown), *((n, "coefficient") for n in names), ("", "risk")]
    places = np.arange(len(runs))[::-1]
    num_columns = min(3, len(panels))
    num_rows = -(-len(panels) // num_columns)
    sheet = new_figure(num_rows * (1.2 + 0.3 * len(runs)))
    grid = sheet.subplots(num_rows, num_columns, squeeze=False, sharey=True)
    for plot in grid.ravel()[len(panels) :]:
        plot.set_visible(False)
    for plot, (name, kind) in zip(grid.ravel(), panels, strict=False):
        for place, archive in zip(places, runs, strict=True):
            _mark(plot, place, archive, name, kind, ESTIMATE, LIMIT, INK)
        words = {
            "field": f"{mathtext(name)}, relative L2 error",
            "coefficient": mathtext(name),
            "risk": "risk",
        }[kind]
        label(plot, words, "")
        open_frame(plot)
        handles, labels = plot.get_legend_handles_labels()
        first = dict(zip(labels[::-1], handles[::-1], strict=True))
        legend(plot) if not first else plot.legend(
            first.values(), first, fontsize=6, frameon=False, loc="best"
        )
    for plot in grid[:, 0]:
        plot.set_yticks(places, names_of(runs))
        plot.set_ylim(-0.6, len(runs) - 0.4)
    return sheet


def _mark(
    plot: Any, place: float, archive: RunArchive, name: str, kind: str, *colours: str
) -> None:
    ours, limit, ink = colours
    number = archive.number
    if kind == "risk":
        marks = [
            ("leave_one_out", "leave-one-out", ours, "o"),
            ("held_out", "held out", limit, "D"),
        ]
        for key, words, colour, marker in marks:
            value = number("risk", key)
            if value is not None:
                plot.plot(value, place, marker, color=colour, label=words)
    elif kind == "field":
        error, best = (number(source, name, "relative_l2") for source in ("fields", "limit"))
        if error is not None:
            plot.plot(error, place, "o", color=ours, label="error")
        if best is not None:
            plot.plot(best, place, "|", color=limit, markersize=12, label="limit")
    else:
        entry = (archive.metrics.get("coefficients") or {}).get(name) or {}
        ends = entry.get("interval_95")
        if ends:
            plot.plot(ends, [place, place], color=ours, linewidth=1.6, label="95 % interval")
        if number("coefficients", name, "estimate") is not None:
            plot.plot(entry["estimate"], place, "o", color=ours, label="estimate")
        if number("coefficients", name, "truth") is not None:
            plot.plot(entry["truth"], place, "|", color=ink, markersize=12, label="truth")


def names_of(runs: Sequence[RunArchive]) -> list[str]:
    """Return short names that tell the folders apart: the last parts of their paths."""
    parts = [archive.folder.resolve().parts for archive in runs]
    size = 1
    while len({p[-size:] for p in parts}) < len(parts):
        size += 1
    return ["/".join(p[-size:]) for p in parts]


__all__ = ["figure", "names_of", "read_runs", "rows", "summary"]
